"""The authorization endpoint in an application with Flask-Login, CSRFProtect and its own hooks."""

from urllib.parse import parse_qs, urlsplit

import flask
import flask_login
import pytest
from flask_wtf import CSRFProtect

from tests.authorization_server.conftest import PATH, Browser, User, answer_in, build_request


class Member(User, flask_login.UserMixin):
    pass


@pytest.fixture
def webapp(app, oauth, register, client_key, sign_in_with_flask_login):
    return register(
        client_id="webapp",
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code"],
        redirect_uris=["https://app.example/callback?tenant=1"],
        scope="read",
    )


@pytest.fixture
def sign_in_with_flask_login(app):
    manager = flask_login.LoginManager(app)
    manager.login_view = "sign_in"
    manager.user_loader(Member)

    @app.route("/sign-in", methods=["GET", "POST"])
    def sign_in():
        if flask.request.method == "POST":
            flask_login.login_user(Member("carol"))
        elif flask_login.current_user.is_authenticated:
            return flask.redirect(flask.request.args["next"])
        return "who are you?"


@pytest.fixture
def browser(app):
    return Browser(app)


def test_flask_login_is_understood_out_of_the_box(browser, webapp):
    to_sign_in = browser.open(build_request())
    location = urlsplit(to_sign_in.headers["Location"])
    assert (to_sign_in.status_code, location.path) == (303, "/sign-in")
    back = parse_qs(location.query)["next"][0]
    assert back.startswith(PATH)

    browser.http.post("/sign-in")
    assert "code" in answer_in(browser.decide(browser.http.get(back)))


def test_person_is_signed_out_to_sign_in_again(browser, webapp):
    browser.http.post("/sign-in")

    to_sign_in = browser.open(build_request(prompt="login"))

    assert browser.http.get(to_sign_in.headers["Location"]).text == "who are you?"
    browser.http.post("/sign-in")
    assert browser.open(build_request(prompt="login")).status_code == 200


def test_csrf_protection_of_the_app_lets_the_forms_through(app, browser, webapp):
    CSRFProtect(app)
    app.config["WTF_CSRF_METHODS"] = ["POST"]

    @app.post("/guarded")
    def guarded():
        return ""

    assert browser.http.post("/guarded").status_code == 400
    assert browser.http.post(PATH, data=build_request()).status_code == 303
    with app.test_request_context():
        app.config["WTF_CSRF_ENABLED"] = False
    browser.http.post("/sign-in")
    app.config["WTF_CSRF_ENABLED"] = True
    assert "code" in answer_in(browser.decide(browser.open(build_request())))


def test_template_of_the_app_takes_the_place_of_ours(app, browser, webapp, tmp_path):
    folder = tmp_path / "private_key_jwt"
    folder.mkdir()
    (folder / "consent.html").write_text("Dear {{ page.user.name }}, <{{ page.client.client_id }}>")
    app.template_folder = str(tmp_path)
    browser.http.post("/sign-in")

    assert browser.open(build_request()).text == "Dear carol, <webapp>"


def test_hooks_of_the_app_run_before_it(app, browser, webapp):
    seen = []
    app.before_request_funcs.setdefault(None, []).append(lambda: seen.append(flask.request.path))

    browser.open(build_request())

    assert seen == [PATH]
