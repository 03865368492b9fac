"""Whatever a request object holds: never a 5xx, pushed or in a URL, up to the code; and it is not read in a log.

Most of them are properly signed, so that they get past the signature and as deep as they can.
"""

import json
import logging
from urllib.parse import urlsplit

import flask
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_private_key_jwt import note_sign_in
from flask_private_key_jwt.authorization_server.authorization.parameters import KNOWN
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.signals import request_refused
from tests.authorization_server.conftest import APP_ID, REDIRECT_URI, Browser, User, build_request
from tests.authorization_server.endpoints.test_hostile_input import (
    HEADER_NAMES,
    HOSTILE,
    changes,
    merge,
    raw_json,
    sign_bytes,
)
from tests.conftest import ASSERTION_TYPE, ISSUER, START, build_claims, close, make_app

LIFE = {"iss": APP_ID, "aud": ISSUER, "nbf": START, "exp": START + 300}
CLAIMS = ("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "request", "request_uri")
PARAMETERS = (*KNOWN, "resource", "claims", "nonce", "acr_values", "id_token_hint", "ui_locales")


class Target:
    """A server, a person who is signed in and allows everything, and what is said about the last request."""

    def __init__(self, app, key):
        self.app, self.key, self.said = app, key, []
        self.browser = Browser(app).sign_in()
        self.jtis = iter(range(10**9))

    def build(self, header=None, claims=None):
        full = {"kid": self.key.public.thumbprint, "typ": "oauth-authz-req+jwt"}
        return jose.sign(merge(full, header or {}), merge({**LIFE, **build_request()}, claims or {}), self.key)

    def send(self, text):
        """Bring it to both places, and check what must hold of every answer."""
        assertion = jose.sign({}, build_claims(START, iss=APP_ID, sub=APP_ID, jti=f"a{next(self.jtis)}"), self.key)
        form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion, "request": text}
        self.said.clear()
        pushed = self.app.test_client().post("/oauth2/par", data=form)
        assert pushed.status_code in (201, 400), pushed.text
        assert pushed.is_json
        if pushed.status_code == 201:
            assert 0 < pushed.json["expires_in"] <= 90
            self.go_on({"client_id": APP_ID, "request_uri": pushed.json["request_uri"]})
        self.go_on({"client_id": APP_ID, "request": text})
        for said in self.said:
            assert len(said) < 900
            assert said.isascii()
            assert said.isprintable()
            assert text[-24:] not in said or len(text) < 24
        return pushed.status_code

    def go_on(self, query):
        answer = self.browser.open(query)
        if answer.status_code == 200 and 'name="decision_token"' in answer.text:
            answer = self.browser.decide(answer)
        assert answer.status_code in (200, 302, 303, 400), answer.text
        place = urlsplit(answer.headers.get("Location", REDIRECT_URI))
        assert place.netloc == "app.example" or place.path == "/test/login"


@pytest.fixture(scope="module")
def _target(tmp_path_factory, client_key):
    app, oauth, db = make_app(f"sqlite:///{tmp_path_factory.mktemp('as')}/as.sqlite")
    oauth.user(lambda: User("alice") if "user" in flask.session else None)
    oauth.sign_in(lambda page: flask.redirect("/test/login/alice"))

    @app.get("/test/login/alice")
    def log_in():
        flask.session["user"] = "alice"
        note_sign_in()
        return ""

    with app.app_context():
        oauth.clients.add(
            {
                "client_id": APP_ID,
                "jwks": {"keys": [client_key.public_jwk()]},
                "grant_types": ["authorization_code"],
                "redirect_uris": [REDIRECT_URI],
                "scope": "read write",
                "default_scope": "read",
            }
        )
    yield app, client_key
    close(app, db)


@pytest.fixture
def target(_target):
    made = Target(*_target)
    handler = logging.Handler()
    handler.emit = lambda record: made.said.append(record.getMessage())
    log = logging.getLogger("flask_private_key_jwt")
    log.addHandler(handler)
    with request_refused.connected_to(lambda sender, **event: made.said.append(event["reason"]), sender=made.app):
        yield made
    log.removeHandler(handler)


def test_what_is_built_here_is_accepted_as_long_as_nothing_is_changed(target):
    assert target.send(target.build()) == 201
    assert target.said == []


@HOSTILE
@given(header=changes(*HEADER_NAMES), claims=changes(*CLAIMS) | st.just({}))
def test_any_header_and_any_claims(target, header, claims):
    target.send(target.build(header, claims))
    target.send(target.build({}, claims))


@HOSTILE
@given(claims=changes(*PARAMETERS))
def test_any_parameters(target, claims):
    target.send(target.build({}, claims))


@HOSTILE
@given(header=raw_json, payload=raw_json, good=st.sampled_from(["header", "payload", "neither"]))
def test_any_bytes_as_header_and_payload(target, header, payload, good):
    if good == "header":
        header = json.dumps({"alg": "ES256", "kid": target.key.public.thumbprint}).encode()
    elif good == "payload":
        payload = json.dumps({**LIFE, **build_request()}).encode()
    target.send(sign_bytes(header, payload, target.key))


@HOSTILE
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=80), swap=st.integers(0, 400))
def test_any_text(target, text, swap):
    """Also a valid one with a piece of text somewhere in it."""
    valid = target.build()
    for sent in (text or "x", valid[:swap] + text + valid[swap + 1 :]):
        target.send(sent)
