"""Clients that come from secrets: Authlib's own and ``requests-oauth2client``, with each of the three methods."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import ClientSecretJWT
from requests_oauth2client import (
    BearerToken,
    ClientSecretBasic,
    ClientSecretJwt,
    ClientSecretPost,
    DPoPToken,
    InvalidClient,
    OAuth2Client,
)

from tests.refusals import causes
from tests.third_party.conftest import Site, serving_site

METHODS = ["client_secret_basic", "client_secret_post", "client_secret_jwt"]
SECRET = "kZUtZmfXdKMwVfVFMhHnb36F0L0XqUAgBCCTgtFjhVzNxq5U"
OTHER = SECRET[::-1]


@pytest.fixture(scope="module")
def _secret_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    # The wall clock goes on: a date that no test run reaches.
    with serving_site(tmp_path_factory.mktemp("secret_site"), OAUTH2_CLIENT_SECRETS_UNTIL="2100-01-01") as site:
        yield site


@pytest.fixture
def site(_secret_site: Site) -> Site:
    _secret_site.refusals.clear()
    return _secret_site


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def client_id(site: Site, method: str) -> str:
    """A client without keys, with :data:`SECRET` for one method."""
    metadata = {"token_endpoint_auth_method": method, "scope": "read", "default_scope": "read"}
    if method == "client_secret_jwt":
        metadata["assertion_audience"] = "compatibility"
    with site.app.app_context():
        client = site.oauth.clients.add(metadata)
        site.oauth.clients.secrets.give(client.client_id, secret=SECRET)
    return str(client.client_id)


# --- Authlib ----------------------------------------------------------------------------------------------------
def make_session(site: Site, client_id: str, method: str, secret: str = SECRET) -> OAuth2Session:
    """A session as Authlib's documentation shows it."""
    session = OAuth2Session(
        client_id,
        secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        scope="read",
    )
    if method == "client_secret_jwt":
        session.register_client_auth_method(ClientSecretJWT(site.token_url))
    return session


def fetch_token(site: Site, session: OAuth2Session) -> dict[str, Any]:
    token: dict[str, Any] = session.fetch_token(site.token_url, grant_type="client_credentials")
    return token


def test_authlib_gets_tokens_and_calls_the_api(site, client_id, method):
    session = make_session(site, client_id, method)

    for _ in range(2):
        fetch_token(site, session)

    assert session.get(site.values).json() == {"client": client_id, "cnf": None}
    assert site.refusals == []


def test_authlib_introspects_and_revokes(site, client_id, method):
    session = make_session(site, client_id, method)
    token = fetch_token(site, session)["access_token"]
    introspect = f"{site.issuer}/oauth2/introspect"

    assert session.introspect_token(introspect, token=token).json()["active"] is True
    assert session.revoke_token(f"{site.issuer}/oauth2/revoke", token=token).status_code == 200
    assert session.introspect_token(introspect, token=token).json() == {"active": False}


def test_authlib_with_another_secret_is_refused(site, client_id, method):
    with pytest.raises(OAuthError, match="invalid_client"):
        fetch_token(site, make_session(site, client_id, method, OTHER))

    assert causes(site.refusals) == ["assertion_signature" if method == "client_secret_jwt" else "client_secret_wrong"]


def test_authlib_with_another_method_is_refused(site, client_id, method):
    for other in METHODS:
        if other != method:
            with pytest.raises(OAuthError, match="invalid_client"):
                fetch_token(site, make_session(site, client_id, other))

    assert causes(site.refusals) == ["client_auth_method"] * 2


# --- requests-oauth2client ----------------------------------------------------------------------------------------
AUTHS = {
    "client_secret_basic": ClientSecretBasic,
    "client_secret_post": ClientSecretPost,
    "client_secret_jwt": lambda client_id, secret: ClientSecretJwt(client_id, secret, aud=None),
}


def make_client(site: Site, client_id: str, method: str, secret: str = SECRET) -> OAuth2Client:
    """Configured by discovery."""
    auth = AUTHS[method](client_id, secret)
    return OAuth2Client.from_discovery_endpoint(site.metadata_url, auth=auth, testing=True)


def test_requests_oauth2client_gets_a_token_and_calls_the_api(site, client_id, method):
    token = make_client(site, client_id, method).client_credentials(scope="read")

    assert isinstance(token, BearerToken)
    assert requests.get(site.values, auth=token, timeout=5).json() == {"client": client_id, "cnf": None}
    assert site.refusals == []


def test_requests_oauth2client_gets_a_bound_token(site, client_id, method):
    token = make_client(site, client_id, method).client_credentials(scope="read", dpop=True)

    assert isinstance(token, DPoPToken)
    assert requests.get(site.bound_values, auth=token, timeout=5).json()["cnf"] == {"jkt": token.dpop_key.dpop_jkt}
    assert site.refusals == []


def test_requests_oauth2client_with_another_secret_is_refused(site, client_id, method):
    with pytest.raises(InvalidClient):
        make_client(site, client_id, method, OTHER).client_credentials(scope="read")

    assert causes(site.refusals) == ["assertion_signature" if method == "client_secret_jwt" else "client_secret_wrong"]


def test_requests_oauth2client_introspects_and_revokes(site, client_id, method):
    client = make_client(site, client_id, method)
    token = client.client_credentials(scope="read")

    assert client.introspect_token(token)["active"] is True
    assert client.revoke_access_token(token) is True
    assert client.introspect_token(token) == {"active": False}
