"""Step 7: what is sent, and what is logged instead of being sent."""

import logging

import pytest
from authlib.oauth2.rfc6749.errors import OAuth2Error

from flask_private_key_jwt import errors
from flask_private_key_jwt.authorization_server.response import token_response, translate
from flask_private_key_jwt.errors import (
    InvalidClient,
    InvalidRequestURI,
    InvalidScope,
    MethodNotAllowed,
    MissingToken,
    StoreUnavailable,
    UseDPoPNonce,
)
from flask_private_key_jwt.signals import request_refused
from flask_private_key_jwt.signals.refusal import NO_STORE, error_response

SENDER = object()
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJjb25zb2xlIn0.c2lnbmF0dXJlLW9mLXRoZS1hc3NlcnRpb24"


@pytest.fixture
def signals():
    sent = []
    with request_refused.connected_to(lambda sender, **event: sent.append(event), sender=SENDER):
        yield sent


def answer_to(error):
    return error_response(error, endpoint="token", sender=SENDER)


def test_token_is_json_that_is_never_stored():
    answer = token_response({"access_token": "x"})

    assert (answer.status, answer.body) == (200, {"access_token": "x"})
    assert dict(answer.headers) == {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "Pragma": "no-cache",
    }


def test_token_may_come_with_a_nonce():
    assert token_response({}, nonce="n").headers == (*NO_STORE, ("DPoP-Nonce", "n"))


def every_error():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.OAuthError)]
    return [pytest.param(kind, id=kind.__name__) for kind in kinds]


def make(kind, reason):
    extra = {UseDPoPNonce: {"nonce": "n"}, MethodNotAllowed: {"allow": ("POST",)}}.get(kind, {})
    return kind(reason, **extra)


@pytest.mark.parametrize("kind", every_error())
def test_refusal_says_its_constant_sentence_and_never_the_reason(kind, signals):
    answer = answer_to(make(kind, "because of 'the private reason'"))

    headers = dict(answer.headers)
    assert (answer.status, answer.body) == (kind.status, {"error": kind.code, "error_description": kind.description})
    assert len(headers) == len(answer.headers)
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Type"] == "application/json"
    assert "the private reason" not in str(answer)
    assert [event["reason"] for event in signals] == ["because of 'the private reason'"]


@pytest.mark.parametrize("kind", every_error())
def test_public_sentence_is_within_the_charset_of_rfc_6749(kind):
    for text in (kind.code, kind.description):
        assert all(" " <= character <= "~" and character not in '"\\' for character in text)


@pytest.mark.parametrize(
    ("error", "header"),
    [
        (UseDPoPNonce("", nonce="n"), ("DPoP-Nonce", "n")),
        (MethodNotAllowed("", allow=("GET", "HEAD")), ("Allow", "GET, HEAD")),
        (StoreUnavailable(""), ("Retry-After", "5")),
    ],
)
def test_header_that_belongs_to_an_error_is_sent_once(error, header):
    assert [name for name, _ in answer_to(error).headers].count(header[0]) == 1
    assert header in answer_to(error).headers


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (InvalidClient("no key fits"), "invalid_client"),
        (UseDPoPNonce("", nonce="n"), "use_dpop_nonce"),
        (InvalidRequestURI("unknown"), "invalid_request_uri"),
        (InvalidRequestURI("used before", cause="request_uri_used"), "request_uri_used"),
    ],
)
def test_refusal_without_a_cause_of_its_own_has_that_of_its_class(error, cause, signals, caplog):
    caplog.set_level(logging.INFO)
    answer_to(error)

    assert signals[0]["cause"] == cause
    assert f"[cause {cause}, client None, reference" in caplog.text


def test_reference_ties_the_answer_to_log_and_signal(signals, caplog):
    answer = answer_to(InvalidClient("no key fits", cause="assertion_no_key", client_id="console"))

    reference = dict(answer.headers)["Error-Reference"]
    assert signals == [
        {
            "error": "invalid_client",
            "cause": "assertion_no_key",
            "reason": "no key fits",
            "reference": reference,
            "endpoint": "token",
            "client_id": "console",
        }
    ]
    assert caplog.messages == [
        f"token refused: invalid_client: no key fits [cause assertion_no_key, client console, reference {reference}]"
    ]


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (UseDPoPNonce("x", nonce="n"), logging.INFO),
        (MissingToken("x"), logging.INFO),
        (InvalidClient("x"), logging.WARNING),
        (StoreUnavailable("x"), logging.ERROR),
    ],
)
def test_level_of_the_log_says_who_should_look(error, level, caplog):
    with caplog.at_level(logging.INFO):
        answer_to(error)

    assert [record.levelno for record in caplog.records] == [level]


@pytest.mark.parametrize(
    ("text", "logged"),
    [
        ("a\nb", r"a\nb"),
        ("\x1b[31m", r"\x1b[31m"),
        ("é", r"\xe9"),
        ("\ud800", r"\ud800"),
        ("\x00", r"\x00"),
        ("\\", "\\"),
    ],
)
def test_reason_is_one_printable_line(text, logged, signals, caplog):
    answer_to(InvalidClient(f"client {text}"))

    assert signals[0]["reason"] == f"client {logged}"
    assert f": client {logged} [" in caplog.messages[0]


def test_listener_that_fails_does_not_change_the_answer(caplog):
    def fail(sender, **event):
        raise RuntimeError("mine")

    with request_refused.connected_to(fail, sender=SENDER):
        answer = answer_to(InvalidClient("why"))

    assert (answer.status, answer.body["error"]) == (400, "invalid_client")
    assert "a receiver of request_refused failed" in caplog.text


@pytest.mark.parametrize("before", ["\t", "\n", "\r"])
def test_jwt_after_a_control_character_never_reaches_the_log(before, signals):
    answer_to(InvalidClient(f"scheme {'Bearer' + before + JWT!r}"))

    assert "eyJ" not in signals[0]["reason"]


def test_reason_is_bounded(signals):
    answer_to(InvalidClient("x" * 100_000))

    assert len(signals[0]["reason"]) == 600


@pytest.mark.parametrize("text", [JWT, JWT[:100], f"Bearer {JWT}", repr({"client_id": JWT}), f"a {JWT} b {JWT}"])
def test_jwt_never_reaches_the_log(text, signals, caplog):
    answer_to(InvalidClient(f"client_id {text} is not the assertion's sub"))

    for part in JWT.split("."):
        assert part not in signals[0]["reason"]
        assert part not in caplog.text
    assert "(a JWT)" in signals[0]["reason"]


@pytest.mark.parametrize("behind", ["", " x", "'", "\x00x", "é", "-x_y"])
def test_request_uri_never_reaches_the_log(behind, signals, caplog):
    answer_to(
        InvalidClient(f"client {'urn:ietf:params:oauth:request_uri:' + 'Ab_-' * 11 + behind!r} is not registered")
    )

    assert "Ab_-" not in signals[0]["reason"] + caplog.text
    assert signals[0]["reason"][7:23] in ("'(a request_uri)", '"(a request_uri)')


@pytest.mark.parametrize(
    "text",
    ["keyword-of-an-extra-long-client-name", "eye-clinic", "https://as.example/oauth2/token", "ey" + "J-" * 20 + "a"],
)
def test_ordinary_text_is_logged_as_it_is(text, signals):
    answer_to(InvalidClient(f"client {text!r} is not registered"))

    assert signals[0]["reason"] == f"client {text!r} is not registered"


# --- errors of other makers ---------------------------------------------------------------------------------
class AuthlibsOwn(OAuth2Error):
    error = "invalid_scope"


class Pending(OAuth2Error):
    error = "authorization_pending"


class Unnamed(OAuth2Error):
    pass


def test_our_own_error_stays_itself():
    error = InvalidClient("x")

    assert translate(error) is error


def test_known_code_of_another_maker_gets_our_sentence():
    translated = translate(AuthlibsOwn(description="scope x of client y"))

    assert isinstance(translated, InvalidScope)
    assert translated.reason == "AuthlibsOwn: scope x of client y"


@pytest.mark.parametrize(("kind", "code"), [(Pending, "authorization_pending"), (Unnamed, "invalid_request")])
def test_unknown_code_is_kept_without_its_description(kind, code):
    answer = answer_to(translate(kind(description="scope x of client y")))

    assert (answer.status, answer.body) == (400, {"error": code, "error_description": "The request was refused."})
