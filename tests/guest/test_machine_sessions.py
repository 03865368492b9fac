"""The app's session at machine endpoints: it works if a function uses it, and costs nothing otherwise."""

import flask
import pytest
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionInterface
from flask_sqlalchemy import SQLAlchemy

from flask_private_key_jwt import PrivateKeyJWT
from flask_private_key_jwt.signals import token_issued
from tests.conftest import API, ISSUER, SECRET

PAGE = "/oauth2/authorize"


class Sessions(SecureCookieSessionInterface):
    """Somebody's own interface, as Flask-Session brings one; it counts."""

    def __init__(self):
        self.opened = []
        self.saved = []

    def open_session(self, app, request):
        self.opened.append(request.path)
        return super().open_session(app, request)

    def save_session(self, app, session, response):
        self.saved.append(type(session))
        super().save_session(app, session, response)


@pytest.fixture
def sessions(app):
    """Watches the sessions of the app, which was initialised with Flask's own interface."""
    watched = Sessions()
    object.__setattr__(app.session_interface, "_interface", watched)
    return watched


@pytest.fixture
def browser(app):
    """A cookie jar in which somebody is signed in."""
    browser = app.test_client()
    with browser.session_transaction() as session:
        session["person"] = "alice"
    return browser


@pytest.fixture
def ask(ask_token, browser, monkeypatch, app):
    """A token request that comes with the cookie."""
    monkeypatch.setattr(app, "test_client", lambda: browser)
    return ask_token


# --- nobody asks ----------------------------------------------------------------------------------------------
def test_machine_request_opens_no_session(sessions, ask):
    sessions.opened.clear()
    answer = ask()

    assert answer.status_code == 200
    assert (sessions.opened, sessions.saved) == ([], [SecureCookieSession])  # the one of the fixture
    assert "Vary" not in answer.headers
    assert "Set-Cookie" not in answer.headers


def test_refusal_opens_no_session(sessions, ask):
    sessions.opened.clear()

    assert ask(assertion="none").status_code == 400
    assert sessions.opened == []


def test_page_has_its_session_as_ever(app, sessions):
    app.test_client().get(PAGE)
    app.test_client().get("/somewhere")

    assert sessions.opened == [PAGE, "/somewhere"]


# --- somebody asks --------------------------------------------------------------------------------------------
def test_token_policy_reads_the_session(oauth, sessions, ask):
    seen = []
    oauth.token_policy(lambda client, request, grant: seen.append(dict(flask.session)))
    sessions.opened.clear()

    answer = ask()

    assert seen == [{"person": "alice"}]
    assert sessions.opened == ["/oauth2/token"]
    assert answer.headers["Vary"] == "Cookie"
    assert "Set-Cookie" not in answer.headers  # it was not changed


def test_session_without_a_cookie_is_empty(oauth, ask_token):
    seen = []
    oauth.token_policy(lambda client, request, grant: seen.append((dict(flask.session), bool(flask.session))))

    assert ask_token().status_code == 200
    assert seen == [({}, False)]


def test_session_that_a_policy_changes_is_saved(oauth, ask, browser):
    @oauth.token_policy
    def note(client, request, grant):
        flask.session["tokens"] = flask.session.get("tokens", 0) + 1

    assert "Set-Cookie" in ask().headers
    ask()

    with browser.session_transaction() as session:
        assert dict(session) == {"person": "alice", "tokens": 2}


def test_session_that_is_cleared_is_deleted(oauth, ask, browser):
    oauth.token_policy(lambda client, request, grant: flask.session.clear())

    assert "Max-Age=0" in ask().headers["Set-Cookie"]
    with browser.session_transaction() as session:
        assert dict(session) == {}


def test_session_is_opened_once_for_all_who_ask(app, oauth, sessions, ask):
    seen = []
    oauth.before_machine_request(lambda name: seen.append(flask.session["person"]))
    oauth.token_policy(lambda client, request, grant: seen.append(flask.session["person"]))
    app.after_request(lambda response: seen.append(flask.session["person"]) or response)
    app.teardown_request(lambda error: seen.append(flask.session["person"]))
    sessions.opened.clear()

    def note(sender, **_):
        seen.append(flask.session["person"])

    with token_issued.connected_to(note, sender=app):
        ask()

    assert seen == ["alice"] * 5
    assert sessions.opened == ["/oauth2/token"]


def test_after_request_function_changes_the_session(app, ask, browser):
    @app.after_request
    def note(response):
        flask.session["answered"] = response.status_code
        return response

    ask(assertion="none")

    with browser.session_transaction() as session:
        assert session["answered"] == 400


# --- whatever the interface is --------------------------------------------------------------------------------
class NoSession(SessionInterface):
    def open_session(self, app, request):
        return None


def build_app(database, interface):
    app = flask.Flask("host")
    app.config.from_mapping(
        SECRET_KEY=SECRET,
        SQLALCHEMY_DATABASE_URI=database,
        OAUTH2_ISSUER=ISSUER,
        OAUTH2_RESOURCES=[API],
        OAUTH2_REPLAY_STORE="memory",
    )
    app.session_interface = interface
    db = SQLAlchemy()
    db.init_app(app)
    oauth = PrivateKeyJWT(db)
    oauth.init_app(app)
    return app, oauth


def test_interface_of_the_application_s_own_is_used_and_looks_as_it_did(tmp_path):
    interface = Sessions()
    app, oauth = build_app(f"sqlite:///{tmp_path}/host.sqlite", interface)
    oauth.before_machine_request(lambda name: flask.session.get("person"))

    app.session_interface.digest_method = "another"

    assert isinstance(app.session_interface, Sessions)
    assert interface.digest_method == "another"
    assert app.session_interface.get_cookie_name(app) == "session"
    del interface.digest_method
    app.test_client().get("/oauth2/jwks")
    assert interface.opened == ["/oauth2/jwks"]
    assert interface.saved == [SecureCookieSession]


def test_session_where_the_interface_has_none_is_empty_and_not_saved(tmp_path):
    app, oauth = build_app(f"sqlite:///{tmp_path}/host.sqlite", NoSession())
    seen = []

    @oauth.before_machine_request
    def look(name):
        seen.append(dict(flask.session))
        with pytest.raises(RuntimeError, match="session is unavailable"):
            flask.session["a"] = 1

    assert app.test_client().options("/oauth2/token").status_code == 204
    assert seen == [{}]


def test_interface_that_is_set_later_opens_sessions_as_flask_does(app, ask_token):
    app.session_interface = watched = Sessions()

    assert ask_token().status_code == 200
    assert watched.opened == ["/oauth2/token"]
