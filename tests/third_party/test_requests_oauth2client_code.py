"""``requests-oauth2client`` acts for a person: PAR, DPoP, code and refresh token."""

import jwskate
import pytest
import requests
from requests_oauth2client import DPoPKey, DPoPToken, OAuth2Client, PrivateKeyJwt, PublicApp
from requests_oauth2client.exceptions import AuthorizationResponseError, InvalidGrant, InvalidRequest

from tests.third_party.person import REDIRECT_URI, decide, serving_people

ALGS = ["ES256", "PS256", "EdDSA"]
LOOPBACK = "http://127.0.0.1:49152/callback"


@pytest.fixture(scope="module", params=["off", "required"], ids=["no_nonces", "nonces"])
def _people_site(request, tmp_path_factory):
    with serving_people(tmp_path_factory.mktemp("people"), OAUTH2_DPOP_NONCE=request.param) as site:
        yield site


@pytest.fixture
def site(_people_site):
    _people_site.refusals.clear()
    return _people_site


@pytest.fixture
def make_client(site, keys):
    """A confidential client that may only push its requests and only gets bound tokens."""

    def make(alg="ES256", **metadata):
        key = keys(alg)
        client_id = site.register(
            key,
            grant_types=["authorization_code", "refresh_token"],
            redirect_uris=[REDIRECT_URI],
            require_pushed_authorization_requests=True,
            dpop_bound_access_tokens=True,
            **metadata,
        )
        auth = PrivateKeyJwt(client_id, jwskate.Jwk(key.as_jwk()), aud=site.issuer)
        options = {"redirect_uri": REDIRECT_URI, "dpop_bound_access_tokens": True, "dpop_alg": alg, "testing": True}
        return OAuth2Client.from_discovery_endpoint(site.metadata_url, auth=auth, **options)

    return make


def get_code(site, client, **options):
    """A code, the answer's ``iss`` and ``state`` checked by the client."""
    request = client.authorization_request(scope="read", authorization_response_iss_parameter_supported=True, **options)
    return request.validate_callback(decide(site, client.pushed_authorization_request(request).uri))


def without_nonces(site):
    return [reason for reason in site.refusals if reason != "proof: no nonce"]


@pytest.mark.parametrize("alg", ALGS)
def test_pushed_request_code_and_refresh_with_dpop(alg, site, make_client):
    client = make_client(alg)

    token = client.authorization_code(get_code(site, client))
    again = client.refresh_token(token)

    assert isinstance(again, DPoPToken)
    for each in (token, again):
        answer = requests.get(site.bound_values, auth=each, timeout=5)
        assert answer.json() == {"client": client.client_id, "cnf": {"jkt": token.dpop_key.dpop_jkt}}
    assert without_nonces(site) == []


def test_code_is_refused_with_another_key(site, make_client):
    client = make_client()
    code = get_code(site, client)

    with pytest.raises(InvalidGrant):
        client.authorization_code(
            code.code, code_verifier=code.code_verifier, redirect_uri=REDIRECT_URI, dpop_key=DPoPKey.generate()
        )
    assert without_nonces(site) == ["the code is bound to another DPoP key"]
    assert client.authorization_code(code).refresh_token


def test_code_is_refused_the_second_time_and_the_refresh_token_with_it(site, make_client):
    client = make_client()
    code = get_code(site, client)
    token = client.authorization_code(code)

    with pytest.raises(InvalidGrant):
        client.authorization_code(code)
    with pytest.raises(InvalidGrant):
        client.refresh_token(token)
    assert without_nonces(site) == [
        "the code was used before; what came of it is revoked",
        "the refresh token is unknown or revoked",
    ]


def test_confidential_client_may_refresh_with_another_key(site, make_client):
    client = make_client()
    token = client.authorization_code(get_code(site, client))

    again = client.token_request({"grant_type": "refresh_token", "refresh_token": token.refresh_token})

    assert again.dpop_key.dpop_jkt != token.dpop_key.dpop_jkt
    assert requests.get(site.bound_values, auth=again, timeout=5).status_code == 200
    assert without_nonces(site) == []


def test_refresh_is_refused_without_a_proof(site, make_client):
    client = make_client()
    token = client.authorization_code(get_code(site, client))

    with pytest.raises(InvalidRequest):
        client.token_request({"grant_type": "refresh_token", "refresh_token": token.refresh_token}, dpop=False)
    assert without_nonces(site) == ["no DPoP proof, though the server or the client requires bound tokens"]


def test_denial_reaches_the_client(site, make_client):
    client = make_client()
    request = client.authorization_request(scope="read")

    with pytest.raises(AuthorizationResponseError) as denied:
        request.validate_callback(decide(site, client.pushed_authorization_request(request).uri, "deny"))
    assert denied.value.error == "access_denied"
    assert without_nonces(site) == ["the person said no"]


# --- public -------------------------------------------------------------------------------------------------
@pytest.fixture
def native(site):
    with site.app.app_context():
        registered = site.oauth.clients.add(
            {
                "token_endpoint_auth_method": "none",
                "application_type": "native",
                "grant_types": ["authorization_code", "refresh_token"],
                "redirect_uris": ["http://127.0.0.1/callback"],
                "scope": "read",
            }
        )
    auth = PublicApp(registered.client_id)
    options = {"redirect_uri": LOOPBACK, "dpop_bound_access_tokens": True, "testing": True}
    return OAuth2Client.from_discovery_endpoint(site.metadata_url, auth=auth, **options)


def test_public_client_refreshes_with_its_key_and_gets_a_new_refresh_token(site, native):
    token = native.authorization_code(get_code(site, native))

    again = native.refresh_token(token)

    assert again.refresh_token != token.refresh_token
    assert requests.get(site.bound_values, auth=again, timeout=5).status_code == 200
    assert without_nonces(site) == []


def test_public_client_is_refused_with_another_key(site, native):
    token = native.authorization_code(get_code(site, native))

    with pytest.raises(InvalidGrant):
        native.token_request({"grant_type": "refresh_token", "refresh_token": token.refresh_token})
    assert without_nonces(site) == ["the refresh token is bound to another key"]
