"""A server under ``OAUTH2_PROFILE = "atproto"``, a client at a document, and a flow to change one thing of."""

import functools
import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from flask_private_key_jwt.authorization_server import client_documents
from flask_private_key_jwt.fetching.safe_fetch import SafeFetcher
from tests.authorization_server.conftest import PAR_URL, VERIFIER, build_request, challenge_of
from tests.conftest import ASSERTION_TYPE, TOKEN_URL
from tests.servers.https_servers import HOST, answer

CLIENT = f"https://{HOST}/client.json"
CALLBACK = f"https://{HOST}/callback"
ALICE = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
BOB = "did:web:bob.example"
SCOPE = "atproto transition:generic"


@pytest.fixture
def settings(authority):
    return {
        "OAUTH2_PROFILE": "atproto",
        "OAUTH2_SCOPES": ["atproto", "transition:generic"],
        "OAUTH2_REPLAY_STORE": "sql",
        "OAUTH2_FETCH_CA_BUNDLE": authority.bundle,
    }


@pytest.fixture(autouse=True)
def _loopback_only(network, monkeypatch):
    fetcher = functools.partial(SafeFetcher, resolve=network.resolve, connect=network.connect)
    monkeypatch.setattr(client_documents, "SafeFetcher", fetcher)


@pytest.fixture
def document(client_key):
    """The document of a confidential web client."""
    return {
        "client_id": CLIENT,
        "application_type": "web",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": SCOPE,
        "redirect_uris": [CALLBACK],
        "dpop_bound_access_tokens": True,
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "jwks": {"keys": [client_key.public_jwk()]},
    }


@pytest.fixture
def publish(site, document):
    """Put the document at the client's URL, changed; ``None`` leaves a member out."""

    def publish(**changes):
        members = {name: value for name, value in {**document, **changes}.items() if value is not None}
        # Fetched again after a minute, so that a document can change while a pushed request is open.
        site.pieces = answer(json.dumps(members).encode(), "Cache-Control: max-age=0")

    publish()
    return publish


class Client:
    """A client of the AT Protocol, step by step. Each step sends a valid request with one thing changed."""

    def __init__(self, app, browser, build_assertion, build_dpop, *, client_id=CLIENT, callback=CALLBACK, public=False):
        self.http = app.test_client()
        self.server = app.extensions["private_key_jwt"].server
        self.browser = browser
        self.client_id = client_id
        self.callback = callback
        self.public = public
        self._build_assertion = build_assertion
        self._build_dpop = build_dpop
        self._requests = 0

    def prove(self, url, **changes):
        """A proof with the server's nonce."""
        return self._build_dpop(**{"htu": url, "nonce": self.server.dpop.new_nonce(), **changes})

    def send(self, path, url, form, *, proof=None, key=None, assertion=None):
        """Post a form as this client; ``proof=False`` sends none, ``key`` signs the assertion."""
        if self.public:
            fields = {"client_id": self.client_id, **form}
        else:
            claims = {"iss": self.client_id, "sub": self.client_id, **(assertion or {})}
            signed = self._build_assertion(key=key, **claims)
            fields = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed, **form}
        proof = self.prove(url) if proof is None else proof
        data = {name: value for name, value in fields.items() if value is not None}
        return self.http.post(path, data=data, headers={"DPoP": proof} if proof else {})

    def push(self, *, proof=None, key=None, assertion=None, **changes):
        self._requests += 1
        self.verifier = VERIFIER[:-4] + f"{self._requests:04}"
        request = {
            "client_id": self.client_id,
            "redirect_uri": self.callback,
            "scope": SCOPE,
            "code_challenge": challenge_of(self.verifier),
        }
        form = build_request(**{**request, **changes})
        return self.send("/oauth2/par", PAR_URL, form, proof=proof, key=key, assertion=assertion)

    def open(self, pushed):
        """Open a pushed request in the browser."""
        assert pushed.status_code == 201, pushed.text
        return self.browser.open({"client_id": self.client_id, "request_uri": pushed.json["request_uri"]})

    def open_as(self, account, pushed):
        self.browser.sign_in(account)
        return self.open(pushed)

    def answer_of(self, page):
        """Press "Allow" if it is a consent page; the parameters of the authorization response."""
        response = page if page.status_code == 303 else self.browser.decide(page)
        assert response.status_code == 303, response.text
        location = response.headers["Location"]
        assert location.startswith(self.callback), location
        return dict(parse_qsl(urlsplit(location).query))

    def get_code(self, *, account=ALICE, **changes):
        self.browser.sign_in(account)
        return self.answer_of(self.open(self.push(**changes)))["code"]

    def redeem(self, code, *, proof=None, key=None, **changes):
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.callback}
        form |= {"code_verifier": self.verifier, **changes}
        return self.send("/oauth2/token", TOKEN_URL, form, proof=proof, key=key)

    def sign_in(self, **changes):
        """The tokens of a new session."""
        tokens = self.redeem(self.get_code(**changes), key=changes.get("key"))
        assert tokens.status_code == 200, tokens.text
        return tokens.json

    def refresh(self, tokens, *, proof=None, key=None, **changes):
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], **changes}
        return self.send("/oauth2/token", TOKEN_URL, form, proof=proof, key=key)

    def revoke(self, token):
        return self.send("/oauth2/revoke", "", {"token": token}, proof=False)


@pytest.fixture
def build_client(app, browser, build_assertion, build_dpop):
    return functools.partial(Client, app, browser, build_assertion, build_dpop)


@pytest.fixture
def client(publish, build_client):
    """The confidential client."""
    return build_client()
