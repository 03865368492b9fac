"""JSON merge patch: the examples of RFC 7396, and where a client's keys are after a change."""

import copy

import pytest

from flask_private_key_jwt.authorization_server.registration.merge_patch import merge_metadata, merge_patch

JWKS, OTHER_JWKS, URI = {"keys": [{"kid": "1"}]}, {"keys": [{"kid": "2"}]}, "https://keys.example/set"


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_examples_of_the_rfc(target, patch, result):
    before = copy.deepcopy((target, patch))

    assert merge_patch(target, patch) == result
    assert (target, patch) == before


@pytest.mark.parametrize(
    ("metadata", "patch", "result"),
    [
        ({"jwks": JWKS}, {"jwks_uri": URI}, {"jwks_uri": URI}),
        ({"jwks_uri": URI}, {"jwks": JWKS}, {"jwks": JWKS}),
        ({"jwks": JWKS}, {"jwks": OTHER_JWKS}, {"jwks": OTHER_JWKS}),
        ({"jwks": JWKS}, {"jwks_uri": None}, {"jwks": JWKS}),
        ({"jwks": JWKS}, {"jwks_uri": URI, "jwks": None}, {"jwks_uri": URI}),
        ({"jwks": JWKS}, {"jwks_uri": URI, "jwks": OTHER_JWKS}, {"jwks_uri": URI, "jwks": OTHER_JWKS}),
        ({"jwks": JWKS}, {"jwks": None}, {}),
    ],
)
def test_one_source_of_keys_takes_the_place_of_the_other(metadata, patch, result):
    assert merge_metadata(metadata, patch) == result


def test_keys_of_a_set_are_replaced_whole_and_the_rest_of_it_merged():
    merged = merge_metadata({"jwks": {**JWKS, "comment": "ours"}}, {"jwks": OTHER_JWKS})

    assert merged == {"jwks": {**OTHER_JWKS, "comment": "ours"}}
