"""What clients learn about the demo's people."""

import html
import re
import secrets
import time
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from demo.token_server import oauth
from demo.token_server.claims import describe_person
from demo.token_server.database import db
from demo.token_server.users import User, add_user
from flask_private_key_jwt.jose import jose
from tests.authorization_server.conftest import VERIFIER, challenge_of
from tests.conftest import ASSERTION_TYPE

ISSUER = "http://127.0.0.1:5001"
CALLBACK = "https://app.example/callback"


@pytest.fixture
def registered(app, client_key):
    """A web application with a key of its own."""
    with app.app_context():
        return oauth.clients.add(
            {
                "client_id": "web",
                "jwks": {"keys": [client_key.public_jwk()]},
                "grant_types": ["authorization_code"],
                "redirect_uris": [CALLBACK],
                "scope": "openid profile email mobile",
            }
        )


@pytest.fixture
def get_tokens(browser, registered, client_key):
    """Sign in as alice, allow a scope, and redeem the code."""

    def get_tokens(scope):
        request = {
            "response_type": "code",
            "client_id": "web",
            "redirect_uri": CALLBACK,
            "scope": scope,
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
        }
        browser.sign_in()
        page = browser.get(f"/oauth2/authorize?{urlencode(request)}")
        action = html.unescape(re.search(r'action="([^"]*)"', page.text)[1])
        token = re.search(r'name="decision_token" value="([^"]*)"', page.text)[1]
        location = browser.post(action, decision_token=token, decision="allow").headers["Location"]
        now = int(time.time())
        claims = {"iss": "web", "sub": "web", "aud": ISSUER, "exp": now + 60, "jti": secrets.token_hex(8)}
        form = {
            "grant_type": "authorization_code",
            "code": parse_qs(urlsplit(location).query)["code"][0],
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": jose.sign({"kid": client_key.public.thumbprint}, claims, client_key),
        }
        return browser.post("/oauth2/token", **form).json

    return get_tokens


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        ("openid", {}),
        ("openid profile", {"name": "alice", "preferred_username": "alice"}),
        ("openid email", {"email": "alice@demo.example", "email_verified": False}),
    ],
)
def test_userinfo_tells_what_the_person_allowed(scope, told, app, get_tokens):
    tokens = get_tokens(scope)

    answer = app.test_client().get("/oauth2/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})

    assert answer.status_code == 200
    subject = jose.parse(tokens["id_token"], max_bytes=8192).claims["sub"]
    assert answer.json == {"sub": subject, **told}
    assert len(subject) == 32


def test_userinfo_is_not_for_a_client_that_did_not_ask(app, get_tokens):
    tokens = get_tokens("mobile")

    answer = app.test_client().get("/oauth2/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})

    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")  # it is for the API only
    assert "id_token" not in tokens


def test_person_who_is_gone_is_not_described(app, get_tokens):
    tokens = get_tokens("openid profile")
    with app.app_context():
        db.session.delete(db.session.scalars(db.select(User).filter_by(name="alice")).one())
        db.session.commit()

    answer = app.test_client().get("/oauth2/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})

    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("j.doe+demo", "j.doe+demo@demo.example"),
        ("carol lewis", None),
        ("zoë", None),
        (".dot", None),
        ("a@evil.example", None),
        ('"quoted"', None),
    ],
)
def test_name_that_makes_no_address_goes_without(name, address, app):
    with app.app_context():
        claims = describe_person(add_user(name, "a password").id, frozenset())

    assert (claims["name"], claims.get("email")) == (name, address)


def test_claims_and_scopes_are_advertised(app):
    document = app.test_client().get("/.well-known/openid-configuration").json

    assert {"openid", "profile", "email"} <= set(document["scopes_supported"])
    assert {"sub", "name", "preferred_username", "email", "email_verified"} <= set(document["claims_supported"])
