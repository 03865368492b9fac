"""The logout endpoint in applications of every kind: with Flask-Login, with hooks of their own, with nothing to say."""

import flask
import flask_login
import pytest
from flask_wtf import CSRFProtect

from tests.authorization_server.conftest import APP_ID, BYE, REDIRECT_URI, User
from tests.authorization_server.sign_out.logout_browser import (
    LOGOUT,
    LogoutBrowser,
    assert_asked,
    assert_refused,
    build_id_token,
)

METADATA = "/.well-known/oauth-authorization-server"


class Member(User, flask_login.UserMixin):
    pass


def advertised(app):
    return app.test_client().get(METADATA).json.get("end_session_endpoint")


# --- what is offered -----------------------------------------------------------------------------------------------
def test_app_without_people_has_no_such_endpoint(app, refusals):
    assert advertised(app) is None
    assert app.test_client().get(LOGOUT).status_code == 404
    assert len(refusals) == 1


def test_app_that_does_not_say_how_people_are_signed_out_has_no_such_endpoint(app, people, refusals):
    assert advertised(app) is None
    assert_refused(
        app.test_client().get(LOGOUT),
        refusals,
        "endpoint_not_served",
        404,
        says="the application does not say how its people",
    )


def test_app_that_says_how_people_are_signed_out_advertises_it(app, signs_out):
    assert advertised(app) == "https://as.example/oauth2/logout"
    assert app.test_client().get(LOGOUT).status_code == 200


@pytest.mark.parametrize("settings", [{"OAUTH2_SCOPES": ["read"]}])
def test_app_without_openid_has_no_such_endpoint(app, signs_out, refusals):
    assert advertised(app) is None
    assert_refused(
        app.test_client().get(LOGOUT), refusals, "endpoint_not_served", 404, says="OpenID Connect is not offered"
    )


@pytest.mark.parametrize("settings", [{"OAUTH2_SCOPES": ["read", "openid"]}])
def test_app_with_openid_among_its_scopes_has_it(app, signs_out):
    assert advertised(app) is not None


@pytest.mark.parametrize("settings", [{"OAUTH2_ISSUER": "https://as.example/tenant", "OAUTH2_URL_PREFIX": "/auth"}])
@pytest.mark.parametrize("mount", ["", "/tenant"])
def test_endpoint_is_where_the_issuer_and_the_prefix_say(mount, app, signs_out):
    assert advertised(app) == "https://as.example/tenant/auth/logout"
    browser = LogoutBrowser(app).sign_in()

    page = browser.http.get(f"{mount}/auth/logout")

    assert browser.decide(page, "sign_out").status_code == 200
    assert not browser.is_signed_in()


def test_app_that_is_mounted_finds_its_way_back(app, signs_out):
    browser = LogoutBrowser(app)
    mounted = {"environ_overrides": {"SCRIPT_NAME": "/mounted"}}
    browser.http.get("/test/login/alice", **mounted)

    assert 'action="/mounted/oauth2/logout?state=s"' in browser.http.get(f"{LOGOUT}?state=s", **mounted).text


# --- Flask-Login ---------------------------------------------------------------------------------------------------
@pytest.fixture
def flask_login_app(app, register, client_key):
    manager = flask_login.LoginManager(app)
    manager.user_loader(Member)

    @app.get("/test/login/<name>")
    def log_in(name):
        flask_login.login_user(Member(name), remember=True)
        return ""

    @app.get("/test/who")
    def who():
        return getattr(flask_login.current_user, "name", "nobody")

    register(
        client_id=APP_ID,
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code"],
        redirect_uris=[REDIRECT_URI],
        post_logout_redirect_uris=[BYE],
        scope="read",
    )
    return app


@pytest.fixture
def browser(flask_login_app):
    return LogoutBrowser(flask_login_app).sign_in()


def test_flask_login_is_understood_out_of_the_box(app, browser):
    assert advertised(app) is not None
    assert browser.is_signed_in()

    answer = browser.leave(id_token_hint=build_id_token(app), post_logout_redirect_uri=BYE)

    assert answer.headers["Location"] == BYE
    assert not browser.is_signed_in()
    assert not browser.http.get_cookie("remember_token")


def test_flask_logins_person_is_asked_without_a_hint(browser):
    page = browser.leave()

    assert_asked(page)
    assert browser.is_signed_in()
    browser.decide(page, "sign_out")
    assert not browser.is_signed_in()


def test_function_of_the_app_goes_before_flask_login(app, oauth, browser):
    called = []

    @oauth.sign_out
    def sign_out():
        called.append("sign out")
        flask.session.clear()

    browser.leave(id_token_hint=build_id_token(app))

    assert called == ["sign out"]


def test_user_function_of_the_app_goes_with_a_function_to_sign_out(app, oauth, browser, refusals):
    oauth.user(lambda: flask_login.current_user)

    assert advertised(app) is None
    assert_refused(
        browser.leave(), refusals, "endpoint_not_served", 404, says="the application does not say how its people"
    )
    assert browser.is_signed_in()

    oauth.sign_out(flask_login.logout_user)
    assert advertised(app) is not None
    browser.leave(id_token_hint=build_id_token(app))
    assert not browser.is_signed_in()


# --- the app's own ways ----------------------------------------------------------------------------------------------
def test_csrf_protection_of_the_app_lets_the_forms_through(flask_login_app):
    CSRFProtect(flask_login_app)
    browser = LogoutBrowser(flask_login_app).sign_in()

    page = browser.leave(client_id=APP_ID)

    assert browser.http.post(LOGOUT, data={"client_id": APP_ID}).status_code == 303
    assert browser.decide(page, "sign_out").status_code == 200
    assert not browser.is_signed_in()


def test_templates_of_the_app_take_the_place_of_ours(app, browser, tmp_path):
    folder = tmp_path / "private_key_jwt"
    folder.mkdir()
    (folder / "logout.html").write_text(
        '<form method="post" action="{{ page.action }}">{{ page.user.name }} {{ page.client.client_id }}'
        '<input name="decision_token" value="{{ page.decision_token }}"></form>'
    )
    (folder / "signed_out.html").write_text("{{ 'stay, ' + signed_in_as if signed_in_as else 'bye' }}")
    app.template_folder = str(tmp_path)

    page = browser.leave(client_id=APP_ID)

    assert f"alice {APP_ID}" in page.text
    assert browser.decide(page, "stay").text == "stay, alice"
    assert browser.decide(browser.leave(client_id=APP_ID), "sign_out").text == "bye"


def test_form_without_an_action_comes_back_with_the_hint(app, browser):
    hint = build_id_token(app, subject="bob")
    url = f"{LOGOUT}?id_token_hint={hint}"
    token = browser.http.get(url).text.partition('name="decision_token" value="')[2].partition('"')[0]

    answer = browser.http.post(url, data={"decision_token": token, "decision": "sign_out"})

    assert answer.status_code == 200
    assert not browser.is_signed_in()


def test_hooks_of_the_app_run_before_it(app, browser):
    seen = []
    app.before_request_funcs.setdefault(None, []).append(lambda: seen.append(flask.request.path))

    browser.leave()

    assert seen == [LOGOUT]


def test_user_without_an_id_is_the_applications_fault(oauth, browser, refusals):
    oauth.user(lambda: object())
    oauth.sign_out(flask_login.logout_user)

    assert_refused(
        browser.leave(), refusals, "setup_wrong", 503, says="set up wrongly: object has neither get_user_id()"
    )
