"""Authlib's own client acts for a person: code with PKCE, and refresh token. It speaks neither PAR nor DPoP."""

import pytest
import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from flask_private_key_jwt.client import AuthlibClientAuth
from tests.refusals import causes
from tests.third_party.person import REDIRECT_URI, decide, serving_people


@pytest.fixture(scope="module")
def _people_site(tmp_path_factory):
    with serving_people(tmp_path_factory.mktemp("people")) as site:
        yield site


@pytest.fixture
def site(_people_site):
    _people_site.refusals.clear()
    return _people_site


@pytest.fixture
def make_session(site, keys):
    def make(alg="ES256", **metadata):
        key = keys(alg)
        client_id = site.register(
            key, grant_types=["authorization_code", "refresh_token"], redirect_uris=[REDIRECT_URI], **metadata
        )
        auth = AuthlibClientAuth(site.issuer, client_id, key=key)
        return OAuth2Session(
            client_id,
            token_endpoint_auth_method=auth,
            revocation_endpoint_auth_method=auth,
            scope="read",
            redirect_uri=REDIRECT_URI,
            code_challenge_method="S256",
        )

    return make


def authorize(site, session, decision="allow"):
    """The URL the browser comes back with, the state, and the verifier."""
    verifier = generate_token(48)
    url, state = session.create_authorization_url(f"{site.issuer}/oauth2/authorize", code_verifier=verifier)
    return decide(site, url, decision), state, verifier


@pytest.mark.parametrize("alg", ["ES256", "PS256"])
def test_code_and_refresh(alg, site, make_session):
    session = make_session(alg)
    back, state, verifier = authorize(site, session)

    token = session.fetch_token(site.token_url, authorization_response=back, state=state, code_verifier=verifier)
    assert session.get(site.values).json() == {"client": session.client_id, "cnf": None}
    again = session.refresh_token(site.token_url, refresh_token=token["refresh_token"])

    assert again["access_token"] != token["access_token"]
    assert session.get(site.values).status_code == 200
    assert site.refusals == []


def test_revocation_ends_what_came_of_the_code(site, make_session):
    session = make_session()
    back, state, verifier = authorize(site, session)
    token = session.fetch_token(site.token_url, authorization_response=back, state=state, code_verifier=verifier)

    answer = session.revoke_token(f"{site.issuer}/oauth2/revoke", token_type_hint="refresh_token")

    assert (answer.status_code, site.refusals) == (200, [])
    with pytest.raises(OAuthError, match="invalid_grant"):
        session.refresh_token(site.token_url, refresh_token=token["refresh_token"])
    assert causes(site.refusals) == ["refresh_token_unknown"]


@pytest.mark.parametrize(
    ("verifier", "cause"),
    [("x" * 48, "code_verifier_mismatch"), (None, "code_verifier_missing")],
)
def test_code_is_refused_without_its_verifier(verifier, cause, site, make_session):
    session = make_session()
    back, state, _ = authorize(site, session)

    with pytest.raises(OAuthError, match="invalid_grant"):
        session.fetch_token(site.token_url, authorization_response=back, state=state, code_verifier=verifier)
    assert causes(site.refusals) == [cause]


def test_code_is_refused_the_second_time_and_the_refresh_token_with_it(site, make_session):
    session = make_session()
    back, state, verifier = authorize(site, session)
    arguments = {"authorization_response": back, "state": state, "code_verifier": verifier}
    token = session.fetch_token(site.token_url, **arguments)

    with pytest.raises(OAuthError, match="invalid_grant"):
        session.fetch_token(site.token_url, **arguments)
    with pytest.raises(OAuthError, match="invalid_grant"):
        session.refresh_token(site.token_url, refresh_token=token["refresh_token"])
    assert causes(site.refusals) == [
        "code_used",
        "refresh_token_unknown",
    ]


def test_denial_comes_back_with_the_state(site, make_session):
    session = make_session()
    back, state, _ = authorize(site, session, "deny")

    assert back.startswith(f"{REDIRECT_URI}&error=access_denied&")
    assert f"state={state}" in back
    assert causes(site.refusals) == ["person_refused"]


def test_client_that_must_push_gets_a_page_only(site, make_session):
    session = make_session(require_pushed_authorization_requests=True)
    url, _ = session.create_authorization_url(f"{site.issuer}/oauth2/authorize", code_verifier=generate_token(48))

    page = requests.get(url, allow_redirects=False, timeout=5)

    assert (page.status_code, page.headers["Content-Type"]) == (400, "text/html; charset=utf-8")
    assert causes(site.refusals) == ["request_not_pushed"]
