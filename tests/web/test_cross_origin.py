"""Whose pages may read an answer: exact origins, constant headers, never credentials."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.settings.reading import read
from flask_private_key_jwt.settings.resource import ResourceSettings
from flask_private_key_jwt.settings.server import ServerSettings
from flask_private_key_jwt.web.cross_origin import FOR_EVERYBODY, FOR_NOBODY, CrossOrigin, find_preflight, open_to

APP = "https://app.example"
LISTED = CrossOrigin(frozenset({APP, "http://127.0.0.1:5010"}))
TRICKS = [
    None,
    "",
    "null",
    "*",
    "https://app.example.evil.example",
    "https://evil-app.example",
    "https://evilapp.example",
    "https://app.exampl",
    "https://sub.app.example",
    "https://app.example:8443",
    "https://app.example:443",
    "http://app.example",
    "HTTPS://app.example",
    "https://APP.example",
    "https://app.example/",
    "https://app.example, https://evil.example",
    "https://app.example https://evil.example",
    " https://app.example",
    "https://app.example\x00",
    "https://app.example#https://evil.example",
]


def test_listed_origin_may_read_and_is_named():
    assert dict(LISTED.build_headers(APP)) == {
        "Access-Control-Allow-Origin": APP,
        "Vary": "Origin",
        "Access-Control-Expose-Headers": "DPoP-Nonce, WWW-Authenticate, Error-Reference",
    }


@pytest.mark.parametrize("origin", TRICKS)
def test_any_other_origin_gets_only_what_a_cache_must_know(origin):
    assert LISTED.build_headers(origin) == (("Vary", "Origin"),)
    assert LISTED.build_preflight_headers(origin, ["POST"]) == (("Vary", "Origin"),)
    assert not LISTED.is_listed(origin)


def test_preflight_is_told_what_may_be_sent():
    assert dict(LISTED.build_preflight_headers(APP, ["GET", "POST"])) == {
        "Access-Control-Allow-Origin": APP,
        "Vary": "Origin",
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": "Authorization, DPoP, Content-Type, MCP-Protocol-Version",
        "Access-Control-Max-Age": "600",
    }


def test_everybody_gets_the_same_answer():
    assert dict(FOR_EVERYBODY.build_headers("https://evil.example"))["Access-Control-Allow-Origin"] == "*"
    assert FOR_EVERYBODY.build_headers(None) == FOR_EVERYBODY.build_headers("null")


def test_log_warns_of_every_origin_and_of_no_other(caplog):
    assert open_to([APP], what="the API").origins == {APP}
    assert caplog.messages == []

    assert open_to(["*"], what="the API") == FOR_EVERYBODY
    assert caplog.messages == [
        "OAUTH2_CORS_ORIGINS is *: every page of the web may call the API from its visitors' browsers"
    ]


def test_nobody_gets_nothing():
    assert FOR_NOBODY.build_headers(APP) == FOR_NOBODY.build_preflight_headers(APP, ["GET"]) == ()


@given(st.text())
def test_no_origin_but_a_listed_one_is_ever_repeated(origin):
    names = {name for name, _ in (*LISTED.build_headers(origin), *LISTED.build_preflight_headers(origin, ["GET"]))}

    assert names == {"Vary"} or origin in LISTED.origins


@pytest.mark.parametrize(
    ("method", "origin", "requested", "found"),
    [
        ("OPTIONS", APP, "POST", "POST"),
        ("OPTIONS", APP, None, None),
        ("OPTIONS", APP, "", None),
        ("OPTIONS", None, "POST", None),
        ("POST", APP, "POST", None),
    ],
)
def test_preflight_has_an_origin_and_asks_for_a_method(method, origin, requested, found):
    assert find_preflight(method, origin=origin, requested_method=requested) == found


# --- the setting -----------------------------------------------------------------------------------------------------
BOTH = {"OAUTH2_ISSUER": "https://as.example", "OAUTH2_RESOURCE": "https://api.example"}


@pytest.mark.parametrize("kind", [ServerSettings, ResourceSettings])
@pytest.mark.parametrize(
    ("value", "origins"),
    [
        (None, ()),
        ([], ()),
        ("*", ("*",)),
        (["*"], ("*",)),
        (APP, (APP,)),
        ([APP, "https://app.example:8443"], (APP, "https://app.example:8443")),
        ("http://localhost:5010", ("http://localhost:5010",)),
        ("http://[::1]:5010", ("http://[::1]:5010",)),
        ("chrome-extension://abcdefghijklmnop", ("chrome-extension://abcdefghijklmnop",)),
    ],
)
def test_both_servers_read_one_setting(kind, value, origins):
    assert origins == read({**BOTH, "OAUTH2_CORS_ORIGINS": value}, kind).CORS_ORIGINS


@pytest.mark.parametrize(
    "value",
    [
        ["*", APP],
        "https://*.example",
        "null",
        "app.example",
        "https://app.example/",
        "https://app.example/path",
        "https://app.example?",
        "https://app.example#",
        "https://app.example:443",
        "https://App.example",
        "https://user@app.example",
        "http://app.example",
        "https://",
        "https://bücher.example",
        " https://app.example",
        "https://app.example,https://other.example",
        "file:///",
        "urn:example:app",
    ],
)
def test_what_is_no_origin_stops_the_start(value):
    with pytest.raises(ConfigurationError, match="OAUTH2_CORS_ORIGINS"):
        read({**BOTH, "OAUTH2_CORS_ORIGINS": value}, ServerSettings)
