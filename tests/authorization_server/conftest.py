"""An application with people, a client that acts for them, and a browser; a flow to change one thing of."""

import functools
import json
import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode, urlsplit

import flask
import pytest

from flask_private_key_jwt import note_sign_in
from flask_private_key_jwt.authorization_server import client_documents
from flask_private_key_jwt.fetching.safe_fetch import SafeFetcher
from flask_private_key_jwt.jose import jose
from tests.conftest import ASSERTION_TYPE, ISSUER
from tests.servers.https_servers import HOST, answer

APP_ID = "webapp"
REDIRECT_URI = "https://app.example/callback?tenant=1"
BYE = "https://app.example/bye?tenant=1"
PAR_URL = f"{ISSUER}/oauth2/par"
VERIFIER = "v" * 43
PATH = "/oauth2/authorize"


def challenge_of(verifier):
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class User:
    def __init__(self, name):
        self.name = name

    def get_id(self):
        return self.name


@pytest.fixture
def people(app, oauth):
    """Lets the app know its people: ``/test/login/alice`` signs in, as a page of the application would."""

    @oauth.user
    def load_user():
        name = flask.session.get("user")
        return User(name) if name else None

    @oauth.sign_in
    def sign_in(page):
        return flask.redirect(f"/test/login?{urlencode({'next': page.return_url, 'again': page.reauthenticate})}")

    @app.get("/test/login/<name>")
    def log_in(name):
        flask.session["user"] = name
        note_sign_in()
        return ""

    return oauth


class Browser:
    """A person's browser: keeps cookies, follows nothing by itself."""

    def __init__(self, app):
        self.http = app.test_client()

    def sign_in(self, name="alice"):
        self.http.get(f"/test/login/{name}")
        return self

    def open(self, query):
        return self.http.get(f"{PATH}?{query if isinstance(query, str) else urlencode(query, doseq=True)}")

    def decide(self, page, decision="allow", **changes):
        """Press a button of a consent page."""
        action = re.search(r'action="([^"]*)"', page.text)[1].replace("&amp;", "&")
        token = re.search(r'name="decision_token" value="([^"]*)"', page.text)[1]
        return self.http.post(action, data={"decision_token": token, "decision": decision, **changes})


def answer_in(response):
    """The parameters of an authorization response, its own place checked."""
    assert response.status_code == 303, response.text
    location = response.headers["Location"]
    assert location.startswith(REDIRECT_URI.partition("?")[0])
    assert urlsplit(location).fragment == ""
    return dict(parse_qsl(urlsplit(location).query))


@pytest.fixture
def browser(app, people):
    return Browser(app)


@pytest.fixture
def other_browser(app, people):
    return Browser(app)


@pytest.fixture
def webapp(people, register, client_key):
    """A confidential client that acts for people."""
    return register(
        client_id=APP_ID,
        client_name="The <b>App</b>",
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code", "refresh_token"],
        redirect_uris=[REDIRECT_URI],
        scope="read write",
        default_scope="read",
    )


@pytest.fixture
def openid_app(people, register, client_key):
    """The same client, for OpenID Connect: ``build_request(scope="openid")`` is its usual request."""
    return register(
        client_id=APP_ID,
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code", "refresh_token"],
        redirect_uris=[REDIRECT_URI],
        scope="openid profile email read",
    )


@pytest.fixture
def native(people, register):
    """A public client on a person's device."""
    return register(
        client_id="native",
        token_endpoint_auth_method="none",
        application_type="native",
        grant_types=["authorization_code", "refresh_token"],
        redirect_uris=["http://127.0.0.1/callback", "com.example.app:/callback"],
        scope="read",
        default_scope="read",
    )


def build_request(**changes):
    """The parameters of a valid authorization request, changed; ``None`` leaves one out."""
    parameters = {
        "response_type": "code",
        "client_id": APP_ID,
        "redirect_uri": REDIRECT_URI,
        "scope": "read",
        "state": 's t&=+%"é',
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
        **changes,
    }
    return {name: value for name, value in parameters.items() if value is not None}


@pytest.fixture
def post(app, build_assertion):
    """Post a form to a machine endpoint as a client: ``post("/oauth2/token", client_id=APP_ID, proof=…, **form)``."""

    def post(path, *, assertion=None, owner=APP_ID, proof=None, **form):
        signed = build_assertion(iss=owner, sub=owner) if assertion is None else assertion
        fields = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed, **form}
        if assertion is False:
            fields = form
        data = {name: value for name, value in fields.items() if value is not None}
        return app.test_client().post(path, data=data, headers={"DPoP": proof} if proof else {})

    return post


@pytest.fixture
def push(post, webapp):
    """Push a valid request, changed."""

    def push(*, assertion=None, proof=None, owner=APP_ID, **changes):
        return post("/oauth2/par", assertion=assertion, proof=proof, owner=owner, **build_request(**changes))

    return push


@pytest.fixture
def get_code(browser, webapp):
    """A code for alice, by way of a valid request, changed."""

    def get_code(**changes):
        browser.sign_in()
        page = browser.open(build_request(**changes))
        response = page if page.status_code == 303 else browser.decide(page)
        location = response.headers["Location"]
        return dict(parse_qsl(urlsplit(location).query))["code"]

    return get_code


@pytest.fixture
def redeem(post):
    """Redeem a code, with one thing changed."""

    def redeem(code, **changes):
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": VERIFIER,
            **changes,
        }
        return post("/oauth2/token", **form)

    return redeem


@pytest.fixture
def refresh(post):
    def refresh(token, **changes):
        return post("/oauth2/token", **{"grant_type": "refresh_token", "refresh_token": token, **changes})

    return refresh


# --- signed requests (RFC 9101) -----------------------------------------------------------------------------------
NULL = "(null)"
"""Stands for a claim that is there and ``null``."""


@pytest.fixture
def build_object(clock, client_key):
    """A request object of a valid request, changed: claims by name, ``None`` leaves one out; ``header``; ``key``."""

    def build(*, key=None, header=None, **changes):
        key = key or client_key
        life = {"aud": ISSUER, "nbf": clock.now, "exp": clock.now + 300}
        claims = {"iss": APP_ID, **life, **build_request(), **changes}
        full = {"kid": key.public.thumbprint, "typ": "oauth-authz-req+jwt", **(header or {})}
        return jose.sign(
            {name: value for name, value in full.items() if value is not None},
            {name: None if value == NULL else value for name, value in claims.items() if value is not None},
            key,
        )

    return build


@pytest.fixture
def push_object(post, webapp, build_object):
    """Push a valid request object, changed; ``beside`` is what else stands in the form."""

    def push_object(text=None, *, owner=APP_ID, proof=None, beside=None, **changes):
        request = build_object(**changes) if text is None else text
        return post("/oauth2/par", owner=owner, proof=proof, **{"request": request, **(beside or {})})

    return push_object


@pytest.fixture
def open_object(browser, webapp, build_object):
    """Open the URL of a valid request object, changed; ``beside`` is what else stands in the query."""

    def open_object(text=None, *, owner=APP_ID, beside=None, **changes):
        request = build_object(**changes) if text is None else text
        return browser.open({"client_id": owner, "request": request, **(beside or {})})

    return open_object


@pytest.fixture
def signs_out(app, people):
    """Lets the app say how its people are signed out, and who is signed in: ``/test/who``."""

    @people.sign_out
    def sign_out():
        flask.session.pop("user", None)

    @app.get("/test/who")
    def who():
        return flask.session.get("user", "nobody")

    return people


@pytest.fixture
def leaver(app, signs_out, register, client_key):
    """A confidential client that says where browsers go after sign-out."""
    return register(
        client_id=APP_ID,
        client_name="The <b>App</b>",
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code", "refresh_token"],
        redirect_uris=[REDIRECT_URI],
        post_logout_redirect_uris=[BYE],
        scope="openid read write",
        default_scope="read",
    )


# --- clients that are documents -----------------------------------------------------------------------------------
DOCUMENT_URL = f"https://{HOST}/mcp/client.json"
LOOPBACK = "http://127.0.0.1:33418/callback"
DOCUMENT = {
    "client_id": DOCUMENT_URL,
    "client_name": "Example MCP Client",
    "client_uri": f"https://{HOST}",
    "redirect_uris": ["http://127.0.0.1:3000/callback", "http://localhost:3000/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
}
"""The example of the MCP specification, at a server of this test."""


@pytest.fixture
def publish(site, network, monkeypatch):
    """Put the document at its URL, changed; ``None`` leaves a member out. Nothing but loopback is connected to."""
    fetcher = functools.partial(SafeFetcher, resolve=network.resolve, connect=network.connect)
    monkeypatch.setattr(client_documents, "SafeFetcher", fetcher)

    def publish(at=site, **changes):
        members = {name: value for name, value in {**DOCUMENT, **changes}.items() if value is not None}
        at.pieces = answer(json.dumps(members).encode())

    publish()
    return publish


@pytest.fixture
def document_app(publish, app):
    """The app, whose fetches lead to the servers of this test."""
    return app


@pytest.fixture
def open_document(document_app, people):
    """Open a valid request of the document's client in a browser where alice is signed in, changed."""
    browser = Browser(document_app).sign_in()

    def open_document(**changes):
        return browser.open(build_request(**{"client_id": DOCUMENT_URL, "redirect_uri": LOOPBACK, **changes}))

    open_document.browser = browser
    return open_document


@pytest.fixture
def get_document_code(open_document):
    """A code for the document's client."""

    def get_document_code(**changes):
        page = open_document(**changes)
        assert page.status_code == 200, page.text
        location = open_document.browser.decide(page).headers["Location"]
        return dict(parse_qsl(urlsplit(location).query))["code"]

    return get_document_code


@pytest.fixture
def redeem_document(post):
    """Redeem a code as the document's client, with one thing changed; without a proof, if none is given."""

    def redeem_document(code, *, assertion=False, proof=None, **changes):
        form = {"code": code, "redirect_uri": LOOPBACK, "code_verifier": VERIFIER, "client_id": DOCUMENT_URL, **changes}
        return post("/oauth2/token", assertion=assertion, proof=proof, **{"grant_type": "authorization_code", **form})

    return redeem_document
