"""``@atproto/oauth-client-node`` with the profile of the AT Protocol: sign-in, API call, refresh, sign-out."""

import functools
import json
import threading
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests

from flask_private_key_jwt.authorization_server import client_documents
from flask_private_key_jwt.client import AuthorizationCodeClient, MappingTokenStore
from flask_private_key_jwt.fetching.safe_fetch import SafeFetcher
from flask_private_key_jwt.replay.memory import MemoryReplayStore
from tests.refusals import causes
from tests.servers.https_servers import answer
from tests.third_party.person import decide, serving_people

SCRIPT = Path(__file__).parent / "node" / "atproto_flows.mjs"
HOST = "app.example.com"  # the client refuses names without a top-level domain that it knows
CLIENT_ID = f"https://{HOST}/client-metadata.json"
CALLBACK = f"https://{HOST}/callback"
DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
HANDLE = "alice.example.com"
SCOPE = "atproto read"
NONCES = ("proof_nonce_missing", "proof_nonce_stale")


@pytest.fixture
def site(tmp_path, network, authority, monkeypatch):
    """The server of a person's account, and the resource server where their data is."""
    fetcher = functools.partial(SafeFetcher, resolve=network.resolve, connect=network.connect)
    monkeypatch.setattr(client_documents, "SafeFetcher", fetcher)
    settings = {
        "OAUTH2_PROFILE": "atproto",
        "OAUTH2_SCOPES": SCOPE.split(),
        "OAUTH2_REPLAY_STORE": MemoryReplayStore(),
        "OAUTH2_FETCH_CA_BUNDLE": authority.bundle,
        "OAUTH2_JWKS_MIN_CACHE_SECONDS": 10,
        "OAUTH2_JWKS_COOLDOWN_SECONDS": 10,
    }
    with serving_people(tmp_path, **settings) as site:
        site.oauth.did(lambda user: DID)
        yield site


@pytest.fixture
def publish(network, serve, authority):
    """Serve a client's document over https, on loopback, with an authority of the tests' own."""
    network.names[HOST] = [["93.184.215.20"]]
    server = serve(authority.server_context(HOST), address="93.184.215.20")

    def publish(metadata):
        server.pieces = answer(json.dumps(metadata).encode(), "Cache-Control: max-age=0")

    return publish


def build_metadata(*keys, **changes):
    """The document of a confidential client with these keys; without keys, of a public one."""
    metadata = {
        "client_id": CLIENT_ID,
        "client_name": "The App",
        "client_uri": f"https://{HOST}",
        "redirect_uris": [CALLBACK],
        "scope": SCOPE,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "application_type": "web",
        "dpop_bound_access_tokens": True,
        "token_endpoint_auth_method": "none",
    }
    if keys:
        jwks = {"keys": [name_key(key, private=False) for key in keys]}
        metadata |= {"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256"}
        metadata["jwks"] = jwks
    return {**metadata, **changes}


def name_key(key, *, private):
    jwk = key.as_jwk() if private else key.public_jwk()
    return {**jwk, "kid": key.public.thumbprint, "alg": key.alg}


def describe(site, metadata, *keys):
    """What the script is told first."""
    account = {"did": DID, "handle": HANDLE, "pds": site.api}
    own = [name_key(key, private=True) for key in keys] or None
    return {"metadata": metadata, "keys": own, "accounts": [account]}


class Steps:
    """The script, step by step."""

    def __init__(self, running, site):
        self._running = running
        self._site = site

    def do(self, step, **arguments):
        self._running.write({"step": step, **arguments})
        return self._running.read()

    def sign_in(self, who=HANDLE, **options):
        sent = self.do("authorize", input=who, options=options)
        assert "url" in sent, sent
        return self.do("callback", url=decide(self._site, sent["url"]), redirect_uri=options.get("redirect_uri"))


@pytest.fixture
def start(site, node):
    """Start the client: ``with start(metadata, key) as steps``."""

    @contextmanager
    def start(metadata, *keys):
        with node.start(SCRIPT) as running:
            running.write(describe(site, metadata, *keys))
            yield Steps(running, site)

    return start


def without_nonces(site):
    """The causes, without those of a first request."""
    return [cause for cause in causes(site.refusals) if cause not in NONCES]


@pytest.mark.parametrize("kind", ["confidential", "public"])
@pytest.mark.parametrize("who", [HANDLE, DID, "the server"])
def test_person_signs_in_and_out_and_the_app_calls_in_between(kind, who, site, publish, start, keys):
    own = [keys("ES256", "app")] if kind == "confidential" else []
    metadata = build_metadata(*own)
    publish(metadata)

    with start(metadata, *own) as steps:
        assert steps.sign_in(site.api if who == "the server" else who, state="my state") == {
            "did": DID,
            "state": "my state",
        }
        called = steps.do("call", path="/values")
        assert (called["status"], called["body"]["client"]) == (200, CLIENT_ID)
        first = steps.do("tokens")
        assert steps.do("refresh") == {"scope": SCOPE, "aud": f"{site.api}/", "iss": site.issuer, "sub": DID}
        second = steps.do("tokens")
        assert first["refresh_token"] != second["refresh_token"]
        assert steps.do("call", path="/bound-values")["status"] == 200
        assert steps.do("signOut") == {"left": 0}
        assert without_nonces(site) == []


def test_what_was_signed_out_is_over_at_the_server_too(site, publish, start):
    metadata = build_metadata()
    publish(metadata)

    with start(metadata) as steps:
        steps.sign_in()
        tokens = steps.do("tokens")
        steps.do("signOut")
        steps.sign_in()
        steps.do("putBack", tokens=tokens)
        assert steps.do("refresh") == {"error": "invalid_grant", "kind": "TokenRefreshError"}
        assert without_nonces(site) == ["refresh_token_unknown"]


def test_app_in_development_needs_no_document(site, start, network):
    uri = "http://127.0.0.1:4711/callback"
    client_id = f"http://localhost?{urlencode({'scope': SCOPE, 'redirect_uri': 'http://127.0.0.1/callback'})}"
    metadata = build_metadata(client_id=client_id, redirect_uris=[uri], application_type="native", client_uri=None)
    del metadata["client_uri"]

    with start(metadata) as steps:
        assert steps.sign_in(redirect_uri=uri)["did"] == DID
        assert steps.do("call", path="/values")["body"]["client"] == client_id
        assert steps.do("refresh")["sub"] == DID
        assert steps.do("signOut") == {"left": 0}
    assert network.lookups == []


def test_own_client_of_this_package_is_one_in_development(site):
    query = urlencode({"redirect_uri": "http://127.0.0.1/callback", "scope": SCOPE})
    client = AuthorizationCodeClient(site.issuer, f"http://localhost?{query}")
    store = MappingTokenStore({})

    def open_browser(url):
        threading.Thread(target=lambda: requests.get(decide(site, url), timeout=5)).start()

    client.sign_in_with_browser(store, scope=SCOPE, open_browser=open_browser, patience_seconds=20)
    called = requests.get(site.bound_values, auth=client.auth(store, origin=site.api), timeout=5)
    assert called.json()["client"] == client.client_id
    client.sign_out(store)
    assert without_nonces(site) == []


def test_session_goes_on_only_with_the_key_that_began_it(site, publish, start, keys):
    old, new = keys("ES256", "app"), keys("ES256", "next")
    publish(build_metadata(old, new))

    with start(build_metadata(old, new), old, new) as steps:
        steps.sign_in()
        # The app takes the key of the session as long as it has it.
        steps.do("rebuild", metadata=build_metadata(new, old), keys=[name_key(key, private=True) for key in (new, old)])
        assert steps.do("refresh")["sub"] == DID
        assert without_nonces(site) == []


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"dpop_bound_access_tokens": False}, "client_unknown"),
        ({"redirect_uris": [f"https://{HOST}/elsewhere"]}, "redirect_uri_not_registered"),
        ({"client_id": f"https://{HOST}/other.json"}, "client_unknown"),
        ({"scope": "atproto"}, "scope_not_registered"),
    ],
)
def test_app_whose_document_says_something_else_is_refused(site, publish, start, changes, cause):
    publish(build_metadata(**changes))

    with start(build_metadata()) as steps:
        assert "error" in steps.do("authorize", input=HANDLE)
        assert without_nonces(site) == [cause]
