"""AuthorizationCodeClient against our own server under each of its profiles."""

import pytest
import requests

from flask_private_key_jwt.client import AuthorizationCodeClient
from flask_private_key_jwt.errors import ConfigurationError
from tests.client.code_flow.people import Login, register
from tests.third_party.person import PERSON, REDIRECT_URI, serving_people


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    strict = {"OAUTH2_PROFILE": "fapi2", "OAUTH2_REQUIRE_SIGNED_REQUESTS": True, "OAUTH2_DPOP_NONCE": "required"}
    with serving_people(folder, **strict, OAUTH2_REPLAY_STORE=f"sqlite:///{folder}/used.sqlite") as site:
        yield site


@pytest.mark.parametrize("alg", ["ES256", "PS256", "EdDSA"])
def test_fapi2_with_signed_requests(alg, site, keys):
    key = keys(alg, "strict client")
    login = Login(site, AuthorizationCodeClient(site.issuer, register(site, key), key=key))
    login.sign_in()

    auth = login.client.auth(login.store, resource=site.api)
    assert requests.get(site.bound_values, auth=auth, timeout=5).status_code == 200
    assert login.client.userinfo(login.store)["sub"] == PERSON
    login.client.sign_out(login.store)


def test_client_without_a_key_is_told_what_the_server_wants(site):
    with pytest.raises(ConfigurationError, match="requires signed requests: give this client its key"):
        AuthorizationCodeClient(site.issuer, "native").start(REDIRECT_URI)


OPEN = {
    "mcp": ("read", {"OAUTH2_CLIENT_ID_SCOPES": ["read"]}),
    "smart": ("read", {}),
    "atproto": ("atproto read", {"OAUTH2_SCOPES": ["atproto", "read"]}),
}


@pytest.mark.parametrize("public", [False, True], ids=["with a key", "public"])
@pytest.mark.parametrize("profile", OPEN)
def test_profiles_for_everybodys_clients(profile, public, tmp_path, keys, clock):
    scope, config = OPEN[profile]
    key = None if public else keys("ES256", "web client")
    store = f"sqlite:///{tmp_path}/used.sqlite"
    with serving_people(tmp_path, OAUTH2_PROFILE=profile, OAUTH2_REPLAY_STORE=store, **config) as site:
        site.oauth.did(lambda user: f"did:web:{user.get_id()}.example")
        client = AuthorizationCodeClient(site.issuer, register(site, key, scope=scope), key=key)
        login = Login(site, client)
        login.sign_in(scope=scope, **({"redirect_uri": "http://127.0.0.1:4444/callback"} if public else {}))
        auth, first = client.auth(login.store, resource=site.api), login.store.load()

        assert requests.get(site.bound_values, auth=auth, timeout=5).status_code == 200
        clock.move(601)
        assert requests.get(site.bound_values, auth=auth, timeout=5).status_code == 200
        assert login.store.load() != first
        client.sign_out(login.store)
        assert login.store.load() is None
