"""client/code_flow/id_token.py: an ID token counts only if every check of OpenID Connect Core §3.1.3.7 passes."""

import json
from dataclasses import replace

import pytest

from flask_private_key_jwt.client.code_flow.id_token import (
    ExpectedIdToken,
    check_id_token,
    check_same_sign_in,
    choose_algs,
    read_id_token,
)
from flask_private_key_jwt.client.errors import SignInError
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.compact import b64url
from flask_private_key_jwt.settings.values import ASYMMETRIC_ALGS
from tests.client.code_flow.conftest import CLIENT, PENDING
from tests.conftest import ISSUER, START

EXPECTED = ExpectedIdToken(ISSUER, CLIENT, algs=("ES256", "RS256"), nonce=PENDING.nonce, access_token="at-1")


@pytest.fixture
def check(clock, published):
    def check(text, **changes):
        expected = replace(EXPECTED, **changes)
        return check_id_token(read_id_token(text, expected), expected, published, now=clock.now)

    return check


@pytest.fixture
def refuses(check):
    def refuses(text, cause, **changes):
        with pytest.raises(SignInError) as caught:
            check(text, **changes)
        assert caught.value.cause == cause
        return str(caught.value)

    return refuses


def test_id_token_with_everything_right_gives_its_claims(check, build_id_token):
    assert check(build_id_token())["sub"] == "alice"


@pytest.mark.parametrize(
    "change",
    [
        {"aud": [CLIENT]},
        {"azp": CLIENT},
        {"at_hash": None},
        {"auth_time": None},
        {"exp": START - 29},
        {"iat": START + 30},
        {"header": {"typ": None}},
        {"header": {"typ": "application/JWT"}},
        {"header": {"kid": None}},
    ],
)
def test_what_a_server_may_do_is_accepted(change, check, build_id_token):
    assert check(build_id_token(**change))["sub"] == "alice"


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"iss": "https://evil.example"}, "id_token_iss"),
        ({"iss": ISSUER + "/"}, "id_token_iss"),
        ({"iss": None}, "id_token_iss_missing"),
        ({"aud": "other"}, "id_token_aud"),
        ({"aud": None}, "id_token_aud_missing"),
        ({"aud": [CLIENT, "other"]}, "id_token_aud_others"),
        ({"aud": 5}, "id_token_aud_malformed"),
        ({"azp": "other"}, "id_token_azp"),
        ({"sub": None}, "id_token_sub_missing"),
        ({"sub": ""}, "id_token_sub_not_text"),
        ({"exp": None}, "id_token_exp_missing"),
        ({"exp": START - 30}, "id_token_expired"),
        ({"exp": "soon"}, "id_token_exp_not_number"),
        ({"iat": None}, "id_token_iat_missing"),
        ({"iat": START + 31}, "id_token_not_yet_valid"),
        ({"nbf": START + 31}, "id_token_not_yet_valid"),
        ({"nonce": None}, "id_token_nonce_missing"),
        ({"nonce": "another"}, "id_token_nonce"),
        ({"nonce": ["another"]}, "id_token_nonce_not_text"),
        ({"at_hash": "another"}, "id_token_at_hash"),
        ({"header": {"typ": "at+jwt"}}, "id_token_typ"),
        ({"header": {"crit": ["exp"]}}, "id_token_crit"),
    ],
)
def test_id_token_with_one_thing_wrong_is_refused(change, cause, refuses, build_id_token):
    refuses(build_id_token(**change), cause)


def test_id_token_of_another_key_is_refused(refuses, build_id_token, keys):
    refuses(build_id_token(key=keys("ES256", "stranger")), "id_token_signature")


def test_id_token_without_a_signature_is_refused(refuses, build_id_token):
    _, claims, signature = build_id_token().split(".")
    head = b64url(b'{"alg":"none","typ":"JWT"}')

    refuses(f"{head}.{claims}.{signature}", "id_token_alg")
    refuses(f"{head}.{claims}.", "id_token_malformed")


@pytest.mark.parametrize("alg", ["HS256", "hs256", "PS256", "ES512"])
def test_algorithm_that_the_server_does_not_name_is_refused(alg, refuses, build_id_token):
    _, claims, signature = build_id_token().split(".")

    head = b64url(json.dumps({"alg": alg}).encode())
    refuses(f"{head}.{claims}.{signature}", "id_token_alg")


def test_token_of_another_issuer_makes_nobody_fetch_keys(build_id_token):
    with pytest.raises(SignInError) as caught:
        read_id_token(build_id_token(iss="https://evil.example"), EXPECTED)
    assert caught.value.cause == "id_token_iss"


def test_key_that_the_issuer_does_not_publish_is_told(refuses, build_id_token, published):
    published.clear()

    assert "no key with kid" in refuses(build_id_token(), "id_token_no_key")


@pytest.mark.parametrize("text", [None, 5, ["x"]])
def test_answer_without_an_id_token_is_refused(text, refuses):
    refuses(text, "id_token_missing")


@pytest.mark.parametrize(("text", "cause"), [("x.y", "id_token_malformed"), ("e" * 40_000, "id_token_too_long")])
def test_what_is_no_jwt_is_refused_and_not_shown(text, cause, refuses):
    assert text not in refuses(text, cause)


def test_sign_in_is_as_young_as_was_asked_for(check, refuses, build_id_token):
    assert check(build_id_token(auth_time=START - 90), max_age=60)

    refuses(build_id_token(auth_time=START - 91), "id_token_auth_time", max_age=60)
    refuses(build_id_token(auth_time=None), "id_token_auth_time_missing", max_age=60)


def test_token_of_a_refresh_needs_no_nonce(check, build_id_token):
    assert check(build_id_token(nonce=None), nonce=None)


FIRST = {"sub": "alice", "auth_time": 5, "nonce": "n"}


@pytest.mark.parametrize("renewed", [FIRST, {"sub": "alice"}, {**FIRST, "iat": 9}])
def test_refresh_about_the_same_sign_in_is_accepted(renewed):
    check_same_sign_in(renewed, FIRST)


@pytest.mark.parametrize(
    ("change", "cause"),
    [({"sub": "bob"}, "id_token_sub"), ({"auth_time": 6}, "id_token_auth_time"), ({"nonce": "m"}, "id_token_nonce")],
)
def test_refresh_about_another_sign_in_is_refused(change, cause):
    with pytest.raises(SignInError) as caught:
        check_same_sign_in({**FIRST, **change}, FIRST)

    assert caught.value.cause == cause


@pytest.mark.parametrize(
    ("named", "accepted"),
    [
        (["ES256", "HS256", "none"], {"ES256"}),
        (["none"], set()),
        ([{}], set()),
        (None, set(ASYMMETRIC_ALGS)),
    ],
)
def test_accepted_algorithms_prove_something(named, accepted):
    assert choose_algs({"id_token_signing_alg_values_supported": named}) == accepted


def test_every_algorithm_of_ours_is_read(clock, keys, check, build_id_token, published):
    for alg in ("PS256", "RS512", "ES384", "EdDSA"):
        key = keys(alg)
        published[:] = [key.public]
        assert check(build_id_token(key=key), algs=(alg,))["sub"] == "alice"
        assert isinstance(key, jose.PrivateKey)
