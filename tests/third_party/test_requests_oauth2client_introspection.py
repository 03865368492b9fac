"""``requests-oauth2client`` introspects and revokes, with ``PrivateKeyJwt``, found by discovery."""

import jwskate
import pytest
import requests
from requests_oauth2client import DPoPKey, OAuth2Client, PrivateKeyJwt
from requests_oauth2client.exceptions import InvalidClient, InvalidGrant, InvalidRequest

from flask_private_key_jwt.jose import jose
from tests.refusals import causes
from tests.third_party.person import REDIRECT_URI, decide, serving_people

ALGS = ["ES256", "PS256", "EdDSA"]


@pytest.fixture
def make_client(site, keys):
    def make(alg="ES256", **metadata):
        key = keys(alg)
        auth = PrivateKeyJwt(site.register(key, **metadata), jwskate.Jwk(key.as_jwk()), aud=site.issuer)
        return OAuth2Client.from_discovery_endpoint(site.metadata_url, auth=auth, testing=True)

    return make


@pytest.mark.parametrize("alg", ALGS)
def test_client_introspects_and_revokes_its_token(alg, site, make_client):
    client = make_client(alg)
    token = client.client_credentials(scope="read")

    answer = client.introspect_token(token)
    assert (answer["active"], answer["client_id"], answer["scope"]) == (True, client.client_id, "read")
    assert (answer["token_type"], answer["aud"], answer["iss"]) == ("Bearer", site.api, site.issuer)

    assert client.revoke_access_token(token) is True
    assert client.introspect_token(token) == {"active": False}
    assert causes(site.refusals) == ["token_revoked"]


@pytest.mark.parametrize("alg", ALGS)
def test_bound_token_says_which_key_it_is_bound_to(alg, site, make_client, keys):
    client = make_client(alg)
    dpop_key = DPoPKey(jwskate.Jwk(keys(alg, "proof").as_jwk()))
    token = client.client_credentials(scope="read", dpop=True, dpop_key=dpop_key)

    answer = client.introspect_token(token)

    assert (answer["token_type"], answer["cnf"]) == ("DPoP", {"jkt": dpop_key.dpop_jkt})


@pytest.mark.parametrize("hint", ["access_token", "refresh_token"])
def test_hint_of_either_kind_finds_the_token(hint, make_client):
    client = make_client()
    token = client.client_credentials(scope="read").access_token

    assert client.introspect_token(token, token_type_hint=hint)["active"] is True
    assert client.revoke_token(token, token_type_hint=hint) is True
    assert client.introspect_token(token, token_type_hint=hint) == {"active": False}


def test_resource_server_introspects_what_it_was_shown(site, make_client):
    token = make_client().client_credentials(scope="read")
    resource_server = make_client("PS256", introspection_resources=[site.api])

    assert resource_server.introspect_token(token)["client_id"]
    assert make_client("EdDSA").introspect_token(token) == {"active": False}


def test_token_of_another_client_is_not_revoked(site, make_client):
    owner, other = make_client(), make_client("PS256")
    token = owner.client_credentials(scope="read")

    with pytest.raises(InvalidRequest):
        other.revoke_access_token(token)
    assert owner.introspect_token(token)["active"] is True
    assert requests.get(site.values, auth=token, timeout=5).status_code == 200


def test_caller_that_is_not_who_it_says_is_refused_by_both(site, keys, make_client):
    client = make_client()
    token = client.client_credentials(scope="read")
    stranger = jose.import_private_key({**keys("ES256", "stranger").as_jwk(), "kid": keys("ES256").public.thumbprint})
    auth = PrivateKeyJwt(client.client_id, jwskate.Jwk(stranger.as_jwk()), aud=site.issuer)
    impostor = OAuth2Client.from_discovery_endpoint(site.metadata_url, auth=auth, testing=True)

    for ask in (impostor.introspect_token, impostor.revoke_access_token):
        with pytest.raises(InvalidClient):
            ask(token)
    assert causes(site.refusals) == ["assertion_signature"] * 2
    assert client.introspect_token(token)["active"] is True


def test_refresh_token_is_revoked_with_its_access_tokens(tmp_path, keys):
    with serving_people(tmp_path) as site:
        key, grant_types = keys("ES256"), ["authorization_code", "refresh_token"]
        client_id = site.register(key, grant_types=grant_types, redirect_uris=[REDIRECT_URI])
        auth = PrivateKeyJwt(client_id, jwskate.Jwk(key.as_jwk()), aud=site.issuer)
        client = OAuth2Client.from_discovery_endpoint(
            site.metadata_url, auth=auth, testing=True, redirect_uri=REDIRECT_URI
        )
        request = client.authorization_request(scope="read", authorization_response_iss_parameter_supported=True)
        code = request.validate_callback(decide(site, client.pushed_authorization_request(request).uri))
        token = client.authorization_code(code)
        assert client.introspect_token(token.refresh_token)["active"] is True

        assert client.revoke_refresh_token(token) is True

        assert client.introspect_token(token.refresh_token) == {"active": False}
        assert client.introspect_token(token.access_token) == {"active": False}
        with pytest.raises(InvalidGrant):
            client.refresh_token(token)
