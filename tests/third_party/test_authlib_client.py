"""Authlib's own client: as it comes, it needs an operator's permission; one object makes it strict."""

import secrets
import time
from typing import Any

import pytest
import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey, OKPKey, RSAKey

from flask_private_key_jwt.client import AuthlibClientAuth
from flask_private_key_jwt.dpop.proof import build_proof
from flask_private_key_jwt.jose import jose
from tests.refusals import causes

ALGS = ["ES256", "PS256", "RS256", "EdDSA"]
KEY_CLASSES = {"ES256": ECKey, "PS256": RSAKey, "RS256": RSAKey, "EdDSA": OKPKey}


def make_session(client_id: str, key: jose.PrivateKey, method: PrivateKeyJWT) -> OAuth2Session:
    """A session as Authlib's documentation shows it."""
    session = OAuth2Session(
        client_id,
        KEY_CLASSES[key.alg].import_key(key.as_jwk()),
        token_endpoint_auth_method="private_key_jwt",
        scope="read",
    )
    session.register_client_auth_method(method)
    return session


def make_strict_session(client_id: str, key: jose.PrivateKey, issuer: str) -> OAuth2Session:
    """A session as our README shows it."""
    auth = AuthlibClientAuth(issuer, client_id, key=key)
    return OAuth2Session(client_id, token_endpoint_auth_method=auth, scope="read")


def fetch_token(site: Any, session: OAuth2Session, **options: Any) -> dict[str, Any]:
    token: dict[str, Any] = session.fetch_token(site.token_url, grant_type="client_credentials", **options)
    return token


@pytest.fixture(params=ALGS)
def key(request: pytest.FixtureRequest, keys: Any) -> jose.PrivateKey:
    made: jose.PrivateKey = keys(request.param)
    return made


def test_strict_configuration_needs_no_permission(key, site):
    client_id = site.register(key)
    session = make_strict_session(client_id, key, site.issuer)

    for _ in range(2):  # a jti of its own for every assertion
        fetch_token(site, session)

    assert session.get(site.values).json() == {"client": client_id, "cnf": None}
    assert site.refusals == []


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # "EdDSA" is deprecated (RFC 9864)
def test_as_it_comes_it_is_accepted_from_a_compatibility_client(key, site):
    client_id = site.register(key, assertion_audience="compatibility")
    session = make_session(client_id, key, PrivateKeyJWT(site.token_url, alg=key.alg))

    fetch_token(site, session)

    assert session.get(site.values).json() == {"client": client_id, "cnf": None}
    assert site.refusals == []


def test_strict_configuration_with_another_clients_key_is_refused(keys, site):
    session = make_strict_session(site.register(keys("ES256")), keys("ES256", "thief"), site.issuer)

    with pytest.raises(OAuthError, match="invalid_client"):
        fetch_token(site, session)
    assert len(site.refusals) == 1
    assert site.refusals[0].cause == "assertion_no_key"


@pytest.mark.parametrize(
    ("audience", "cause", "says"),
    [
        ("token_url", "assertion_aud", "assertion: aud "),
        ("issuer", "assertion_lives_too_long", "assertion: exp is 3600 s ahead"),
    ],
)
def test_as_it_comes_it_is_refused_from_any_other_client(audience, cause, says, keys, site):
    session = make_session(
        site.register(keys("ES256")), keys("ES256"), PrivateKeyJWT(getattr(site, audience), alg="ES256")
    )

    with pytest.raises(OAuthError, match="invalid_client"):
        fetch_token(site, session)
    assert len(site.refusals) == 1
    assert site.refusals[0].startswith(says)
    assert site.refusals[0].cause == cause


def test_claims_it_reuses_for_a_second_assertion_are_refused(keys, site):
    claims = {"exp": int(time.time()) + 60}
    session = make_session(
        site.register(keys("ES256")), keys("ES256"), PrivateKeyJWT(site.issuer, claims=claims, alg="ES256")
    )
    fetch_token(site, session)

    with pytest.raises(OAuthError, match="invalid_client"):
        fetch_token(site, session)
    assert causes(site.refusals) == ["assertion_replayed"]


# --- DPoP, which Authlib's client does not speak: the proofs are made by hand ----------------------------------
def test_token_fetched_with_a_proof_opens_the_api_with_another(keys, proof_key, site):
    client_id = site.register(keys("ES256"))
    session = make_strict_session(client_id, keys("ES256"), site.issuer)

    token = fetch_token(site, session, headers={"DPoP": prove(proof_key, "POST", site.token_url)})

    assert token["token_type"] == "DPoP"
    proof = prove(proof_key, "GET", site.bound_values, access_token=token["access_token"])
    headers = {"Authorization": f"DPoP {token['access_token']}", "DPoP": proof}
    answer = requests.get(site.bound_values, headers=headers, timeout=5)
    assert answer.json() == {"client": client_id, "cnf": {"jkt": proof_key.public.thumbprint}}
    assert requests.get(site.bound_values, headers=headers, timeout=5).status_code == 401
    assert causes(site.refusals) == ["proof_replayed"]


def test_client_that_must_prove_gets_nothing_without(keys, site):
    client_id = site.register(keys("ES256"), dpop_bound_access_tokens=True)
    session = make_strict_session(client_id, keys("ES256"), site.issuer)

    with pytest.raises(OAuthError, match="invalid_request"):
        fetch_token(site, session)
    assert causes(site.refusals) == ["proof_missing"]


def prove(key: jose.PrivateKey, method: str, url: str, access_token: str | None = None) -> str:
    return build_proof(
        key, jti=secrets.token_urlsafe(12), method=method, url=url, now=int(time.time()), access_token=access_token
    )
