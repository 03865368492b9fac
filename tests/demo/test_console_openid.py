"""What the console client believes of an ID token and of UserInfo, and what it takes for a revoked token."""

import re
import time
from types import SimpleNamespace

import pytest
from joserfc.jwk import KeySet

from demo.console_client import openid
from demo.console_client.caller import Exchange
from demo.console_client.openid import check_id_token, check_same_person, show_id_token, show_userinfo
from demo.console_client.revoking import revoke_and_try
from demo.console_client.show import Show
from demo.console_client.walk import WentWrong
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.at_hash import build_at_hash

ISSUER = "https://as.example"
EXPECTED = {"issuer": ISSUER, "client_id": "app", "nonce": "n0nce", "access_token": "at-1"}


@pytest.fixture
def key(keys):
    return keys("ES256", "issuer")


@pytest.fixture
def build(key):
    def build(*, header=None, signed_with=key, **changes):
        claims = {
            "iss": ISSUER,
            "sub": "s-1",
            "aud": "app",
            "exp": int(time.time()) + 60,
            "nonce": "n0nce",
            "at_hash": build_at_hash("at-1", "ES256"),
        }
        claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        return jose.sign({"typ": "JWT", "kid": "k-1", **(header or {})}, claims, signed_with)

    return build


@pytest.fixture
def published(key):
    return KeySet.import_key_set({"keys": [key.public_jwk(kid="k-1")]})


def test_an_id_token_of_this_sign_in_is_believed(build, published):
    assert check_id_token(build(), keys=published, **EXPECTED)["sub"] == "s-1"


def test_an_id_token_after_a_refresh_has_no_nonce(build, published):
    assert check_id_token(build(nonce=None), keys=published, **{**EXPECTED, "nonce": None})["sub"] == "s-1"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"iss": "https://evil.example"}, "The ID token's iss is 'https://evil.example', not 'https://as.example'."),
        ({"iss": None}, "The ID token's iss is None, not"),
        ({"aud": "other"}, "The ID token's aud is 'other', not 'app'."),
        ({"aud": ["app", "other"]}, "The ID token's aud is ['app', 'other'], not 'app'."),
        ({"nonce": "another"}, "The ID token's nonce is 'another', not 'n0nce'."),
        ({"nonce": None}, "The ID token's nonce is None, not 'n0nce'."),
        ({"at_hash": "another"}, "The ID token's at_hash is 'another', not"),
        ({"exp": 1}, "The ID token has expired."),
        ({"exp": None}, "The ID token has expired."),
        ({"exp": "later"}, "The ID token has expired."),
        ({"header": {"typ": "at+jwt"}}, "The ID token's typ is 'at+jwt': that is something else."),
        ({"header": {"kid": "k-2"}}, "The ID token is not signed with a key that the issuer publishes."),
    ],
)
def test_any_other_id_token_is_not(build, published, changes, sentence):
    with pytest.raises(WentWrong, match=re.escape(sentence)):
        check_id_token(build(**changes), keys=published, **EXPECTED)


def test_an_id_token_of_another_key_is_not(build, published, keys):
    with pytest.raises(WentWrong, match="not signed with a key that the issuer publishes"):
        check_id_token(build(signed_with=keys("ES256", "thief")), keys=published, **EXPECTED)


@pytest.mark.parametrize("text", ["", "a.b.c", "x" * 20_000])
def test_what_is_no_jwt_is_not(published, text):
    with pytest.raises(WentWrong, match="The ID token is unusable: "):
        check_id_token(text, keys=published, **EXPECTED)


@pytest.mark.parametrize("tokens", [{}, {"id_token": None}, {"id_token": 5}])
def test_a_token_response_without_an_id_token_is_a_sentence(tokens):
    with pytest.raises(WentWrong, match="The server gave no id_token"):
        show_id_token(SimpleNamespace(), SimpleNamespace(), tokens, Show(), nonce=None)


@pytest.mark.parametrize("change", [{"sub": "s-2"}, {"auth_time": 2}, {"auth_time": None}])
def test_an_id_token_of_a_refresh_about_another_sign_in_is_refused(change):
    first = {"sub": "s-1", "auth_time": 1, "iat": 5}
    check_same_person({**first, "iat": 6}, first)

    with pytest.raises(WentWrong, match="After the refresh "):
        check_same_person({**first, **change}, first)


def test_what_is_no_key_set_is_a_sentence(monkeypatch, key):
    jwks = {"keys": [key.public_jwk(kid="k-1")]}
    monkeypatch.setattr(openid, "send", lambda *_, **__: answered(200, jwks))
    assert [found.kid for found in openid.fetch_keys(f"{ISSUER}/jwks").keys] == ["k-1"]

    for body in (None, {}, [], {"keys": 5}, {"keys": [{"kty": "none"}]}):
        monkeypatch.setattr(openid, "send", lambda *_, body=body, **__: answered(503, body))
        with pytest.raises(WentWrong, match="/jwks answered 503 and no JWK Set"):
            openid.fetch_keys(f"{ISSUER}/jwks")


# --- UserInfo -------------------------------------------------------------------------------------------
def answered(status, body):
    return Exchange("GET", ISSUER, {}, {}, status, body=body)


def test_userinfo_of_the_same_person_is_shown(capsys):
    ask_userinfo(answered(200, {"sub": "s-1", "name": "Alice"}))

    assert '"name": "Alice"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (200, {"sub": "s-2"}, "UserInfo speaks of 's-2', the ID token of 's-1'."),
        (200, {}, "UserInfo speaks of None"),
        (200, ["s-1"], "UserInfo answered 200 None where the person's claims were due."),
        (401, {"error": "invalid_token"}, "UserInfo answered 401 invalid_token where"),
    ],
)
def test_any_other_answer_is_refused(status, body, sentence):
    with pytest.raises(WentWrong, match=re.escape(sentence)):
        ask_userinfo(answered(status, body))


def ask_userinfo(answer):
    caller = SimpleNamespace(call_issuer=lambda url, token: answer)
    show_userinfo(caller, SimpleNamespace(endpoint=lambda name: ISSUER), "at-1", "s-1", Show())


# --- a demo that would call anything revoked proves nothing ----------------------------------------------
REVOKED = answered(200, {})
GOOD = [REVOKED, answered(400, {"error": "invalid_grant"}), REVOKED, answered(401, {"error": "invalid_token"})]


def revoke_with(answers):
    rest = iter(answers)
    caller = SimpleNamespace(
        build_assertion=lambda: "a.b.c", post=lambda *_, **__: next(rest), call_issuer=lambda *_: next(rest)
    )
    metadata = SimpleNamespace(endpoint=lambda name: ISSUER, token_endpoint=ISSUER)
    revoke_and_try(caller, metadata, {"access_token": "at-1", "refresh_token": "rt-1"}, {}, Show())


def test_tokens_that_work_no_more_are_revoked(capsys):
    revoke_with(GOOD)

    assert capsys.readouterr().out.count("✓") == 2


@pytest.mark.parametrize(
    ("position", "answer", "sentence"),
    [
        (0, answered(400, {"error": "invalid_client"}), "400 invalid_client where the token was to be revoked"),
        (1, answered(200, {"access_token": "at-2"}), "200 where 400 invalid_grant was due"),
        (1, answered(400, {"error": "invalid_client"}), "400 invalid_client where 400 invalid_grant was due"),
        (2, answered(503, None), "503 None where the token was to be revoked"),
        (3, answered(200, {"sub": "s-1"}), "200 where 401 invalid_token was due"),
        (3, answered(401, {"error": "invalid_dpop_proof"}), "where 401 invalid_token was due"),
    ],
)
def test_a_token_that_still_works_is_a_failure(position, answer, sentence):
    answers = [*GOOD]
    answers[position] = answer

    with pytest.raises(WentWrong, match=sentence):
        revoke_with(answers)
