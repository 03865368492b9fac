"""``requests-oauth2client`` gets tokens and calls the API, with and without DPoP."""

from typing import Any

import jwskate
import pytest
import requests
from requests_oauth2client import BearerToken, DPoPKey, DPoPToken, InvalidClient, OAuth2Client, PrivateKeyJwt
from requests_oauth2client.exceptions import InvalidRequest

from flask_private_key_jwt.jose import jose
from tests.refusals import causes

ALGS = ["ES256", "PS256", "RS256", "EdDSA"]
WRONG_SIGNATURE = "assertion: the signature does not verify"


def make_client(site: Any, client_id: str, key: jose.PrivateKey, **options: Any) -> OAuth2Client:
    """Configured by discovery, as its documentation teaches; loopback has no https."""
    auth = PrivateKeyJwt(client_id, jwskate.Jwk(key.as_jwk()), aud=site.issuer)
    return OAuth2Client.from_discovery_endpoint(site.metadata_url, auth=auth, testing=True, **options)


@pytest.fixture(params=ALGS)
def alg(request: pytest.FixtureRequest) -> str:
    alg: str = request.param
    return alg


def test_bearer_token_opens_the_api(alg, site, keys):
    client_id = site.register(keys(alg))

    token = make_client(site, client_id, keys(alg)).client_credentials(scope="read")

    assert token.token_type == "Bearer"
    assert requests.get(site.values, auth=token, timeout=5).json() == {"client": client_id, "cnf": None}
    assert site.refusals == []


def test_key_of_another_client_is_refused(alg, site, keys):
    client_id = site.register(keys(alg))
    stranger = jose.import_private_key({**keys(alg, "stranger").as_jwk(), "kid": keys(alg).public.thumbprint})

    with pytest.raises(InvalidClient):
        make_client(site, client_id, stranger).client_credentials(scope="read")
    assert causes(site.refusals) == ["assertion_signature"]


def test_token_endpoint_as_audience_is_refused(site, keys):
    key = keys("ES256")
    auth = PrivateKeyJwt(site.register(key), jwskate.Jwk(key.as_jwk()), aud=site.token_url)

    with pytest.raises(InvalidClient):
        OAuth2Client(site.token_url, auth=auth, testing=True).client_credentials(scope="read")
    assert site.refusals == [f"assertion: aud {site.token_url!r} is not [{site.issuer!r}]"]
    assert causes(site.refusals) == ["assertion_aud"]


def test_dpop_token_opens_the_api(alg, site, keys):
    client_id = site.register(keys(alg), dpop_bound_access_tokens=True)
    client = make_client(site, client_id, keys(alg))
    dpop_key = DPoPKey(jwskate.Jwk(keys(alg, "proof").as_jwk()))

    token = client.client_credentials(scope="read", dpop=True, dpop_key=dpop_key)

    assert isinstance(token, DPoPToken)
    answer = requests.get(site.bound_values, auth=token, timeout=5)
    assert answer.json() == {"client": client_id, "cnf": {"jkt": token.dpop_key.dpop_jkt}}
    assert site.refusals == []


def test_dpop_token_without_its_key_is_refused(site, keys):
    client = make_client(site, site.register(keys("ES256")), keys("ES256"))
    token = client.client_credentials(scope="read", dpop=True)

    answer = requests.get(site.values, auth=BearerToken(token.access_token), timeout=5)

    assert answer.status_code == 401
    assert causes(site.refusals) == ["token_bound_as_bearer"]


def test_client_bound_to_dpop_gets_no_bearer_token(site, keys):
    client = make_client(site, site.register(keys("ES256"), dpop_bound_access_tokens=True), keys("ES256"))

    with pytest.raises(InvalidRequest):
        client.client_credentials(scope="read")
    assert causes(site.refusals) == ["proof_missing"]


# --- nonces -----------------------------------------------------------------------------------------------
def test_nonces_of_both_servers_are_learnt_and_used(alg, nonce_site, keys):
    client_id = nonce_site.register(keys(alg))
    client = make_client(nonce_site, client_id, keys(alg), dpop_bound_access_tokens=True)

    token = client.client_credentials(scope="read")
    answers = [requests.get(nonce_site.bound_values, auth=token, timeout=5) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == {"client": client_id, "cnf": {"jkt": token.dpop_key.dpop_jkt}}
    assert causes(nonce_site.refusals) == ["proof_nonce_missing", "proof_nonce_missing"]  # once at each server
    assert token.dpop_key.as_nonce != token.dpop_key.rs_nonce


def test_nonce_of_the_token_server_is_refused_at_the_api(nonce_site, keys):
    client = make_client(nonce_site, nonce_site.register(keys("ES256")), keys("ES256"))
    dpop_key = DPoPKey.generate()
    token = client.client_credentials(scope="read", dpop=True, dpop_key=dpop_key)
    dpop_key.rs_nonce = dpop_key.as_nonce

    answer = requests.get(nonce_site.bound_values, auth=token, timeout=5)

    assert answer.status_code == 200  # after the API's own nonce
    assert causes(nonce_site.refusals) == ["proof_nonce_missing", "proof_nonce_stale"]


def test_token_stolen_by_the_holder_of_another_key_is_refused(nonce_site, keys):
    client = make_client(nonce_site, nonce_site.register(keys("ES256")), keys("ES256"))
    token = client.client_credentials(scope="read", dpop=True)
    thief = DPoPToken(token.access_token, _dpop_key=DPoPKey.generate())

    answer = requests.get(nonce_site.bound_values, auth=thief, timeout=5)

    assert answer.status_code == 401
    assert nonce_site.refusals[-1].cause == "proof_key_mismatch"
