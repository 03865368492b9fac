"""An ordinary Flask login on Authlib's own Flask client: its client secret is replaced by one object."""

from urllib.parse import urlsplit

import flask
import pytest
from authlib.integrations.flask_client import OAuth, OAuthError

from flask_private_key_jwt.client import AuthlibClientAuth
from tests.third_party.person import decide, serving_people

REDIRECT_URI = "https://app.example/callback"


@pytest.fixture(scope="module")
def _people_site(tmp_path_factory):
    with serving_people(tmp_path_factory.mktemp("people")) as site:
        yield site


@pytest.fixture
def site(_people_site):
    _people_site.refusals.clear()
    return _people_site


@pytest.fixture
def make_web_app(site, keys):
    """An app with a login, as Authlib's documentation shows it; views answer with what they got."""

    def make(*, signs_with="", **client_kwargs):
        key = keys("ES256", "web")
        client_id = site.register(
            key,
            scope="openid read",
            grant_types=["authorization_code", "refresh_token"],
            redirect_uris=[REDIRECT_URI],
        )
        app = flask.Flask("web_app")
        app.secret_key = "a secret for tests only, the web app's"
        auth = AuthlibClientAuth(site.issuer, client_id, key=keys("ES256", signs_with) if signs_with else key)
        provider = OAuth(app).register(
            "site",
            client_id=client_id,
            server_metadata_url=site.metadata_url,
            client_kwargs={
                "scope": "openid read",
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": auth,
                **client_kwargs,
            },
        )
        asked_each_time = {"prompt": "consent"}
        app.add_url_rule("/login", "login", lambda: provider.authorize_redirect(REDIRECT_URI, **asked_each_time))
        app.add_url_rule("/callback", "callback", lambda: dict(provider.authorize_access_token()))
        app.provider = provider
        return app

    return make


def sign_in(site, app, decision="allow"):
    """The answer of the app's callback."""
    browser = app.test_client()
    back = decide(site, browser.get("/login").location, decision)
    return browser.get(f"/callback?{urlsplit(back).query}")


def test_the_login_succeeds_without_a_secret(site, make_web_app):
    app = make_web_app()

    token = sign_in(site, app).json

    assert app.provider.client_secret is None
    assert token["userinfo"]["sub"] == "alice"
    assert token["userinfo"]["iss"] == site.issuer
    assert app.provider.get(site.values, token=token).json()["client"] == app.provider.client_id
    assert site.refusals == []


def test_a_second_login_has_an_assertion_of_its_own(site, make_web_app):
    app = make_web_app()

    assert [sign_in(site, app).status_code for _ in range(2)] == [200, 200]
    assert site.refusals == []


def test_an_expired_token_is_refreshed_with_a_further_assertion(site, make_web_app):
    app = make_web_app()
    token = sign_in(site, app).json
    renewed = []
    app.provider._update_token = lambda token, **_: renewed.append(token)

    with app.app_context():
        answer = app.provider.get(site.values, token={**token, "expires_at": 1})

    assert answer.status_code == 200
    assert [new["access_token"] != token["access_token"] for new in renewed] == [True]
    assert site.refusals == []


def test_a_login_that_signs_with_another_key_is_refused(site, make_web_app):
    app = make_web_app(signs_with="thief")
    app.register_error_handler(OAuthError, lambda error: (error.error, 403))

    answer = sign_in(site, app)

    assert (answer.status_code, answer.text) == (403, "invalid_client")
    assert len(site.refusals) == 1
    assert site.refusals[0].cause == "assertion_no_key"


def test_a_login_without_the_object_is_refused(site, make_web_app):
    app = make_web_app(token_endpoint_auth_method=None)
    app.register_error_handler(OAuthError, lambda error: (error.error, 403))

    answer = sign_in(site, app)

    assert (answer.status_code, answer.text) == (403, "invalid_client")
    assert len(site.refusals) == 1
