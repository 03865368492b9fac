"""Applications that empty their session at sign-in, and sessions that a browser does not send along."""

from urllib.parse import parse_qs, urlencode, urlsplit

import flask
import pytest

from flask_private_key_jwt import note_sign_in
from tests.authorization_server.conftest import APP_ID, Browser, answer_in, build_request
from tests.authorization_server.sign_out.logout_browser import LOGOUT, build_id_token
from tests.refusals import causes

COOKIE = "__Host-oauth2_"


@pytest.fixture
def clears(app, people):
    """Lets the app sign people in as Flask's tutorial does: at ``/clearing/alice``."""

    @app.get("/clearing/<name>")
    def clear_and_log_in(name):
        flask.session.clear()
        flask.session["user"] = name
        note_sign_in()
        return flask.redirect(flask.request.args.get("next", "/"))

    return people


@pytest.fixture
def browser(app, clears):
    return Browser(app)


def sign_in_for(browser, answer, name="alice"):
    """Sign in where *answer* leads, and come back."""
    way_back = parse_qs(urlsplit(answer.headers["Location"]).query)["next"][0]
    back = browser.http.get(f"/clearing/{name}?{urlencode({'next': way_back})}")
    return browser.http.get(back.headers["Location"])


def is_asked_to_sign_in(answer):
    return answer.status_code == 302 and "/test/login" in answer.headers["Location"]


# --- a session that is emptied -------------------------------------------------------------------------------------
@pytest.mark.parametrize("before", [None, "alice", "bob"])
@pytest.mark.parametrize("change", [{"prompt": "login"}, {"max_age": "0"}, {"prompt": "login select_account"}])
def test_person_has_to_sign_in_again_once(change, before, browser, webapp):
    if before:
        browser.http.get(f"/clearing/{before}")

    page = sign_in_for(browser, browser.open(build_request(**change)))

    assert "code" in answer_in(browser.decide(page))
    assert is_asked_to_sign_in(browser.open(build_request(**change)))


def test_person_has_the_whole_interaction_for_a_pushed_request(browser, push, clock):
    query = {"client_id": APP_ID, "request_uri": push().json["request_uri"]}
    to_sign_in = browser.open(query)
    clock.move(1799)

    page = sign_in_for(browser, to_sign_in)

    assert "code" in answer_in(browser.decide(page))


def test_pushed_request_that_was_not_opened_here_ends_as_ever(browser, push, clock, refusals):
    query = {"client_id": APP_ID, "request_uri": push().json["request_uri"]}
    clock.move(100)
    browser.http.get("/clearing/alice")

    assert browser.open(query).status_code == 400
    assert causes(refusals) == ["request_uri_expired"]


def test_auth_time_is_that_of_the_sign_in(browser, webapp, clock):
    browser.http.get("/clearing/alice")
    clock.move(61)
    assert is_asked_to_sign_in(browser.open(build_request(max_age="60")))
    sign_in_for(browser, browser.open(build_request(max_age="60")))

    assert browser.open(build_request(max_age="60")).status_code == 200
    clock.move(61)
    assert is_asked_to_sign_in(browser.open(build_request(max_age="60", state="another")))


# --- who else could have signed in ---------------------------------------------------------------------------------
@pytest.fixture
def lured(app, clears, webapp, browser, clock):
    """A browser whose person signed in, for something else, after *browser* had opened a request with prompt=login."""
    browser.open(build_request(prompt="login"))
    clock.move(60)
    other = Browser(app)
    other.http.get("/clearing/carol")
    return other


def test_link_from_another_browser_spares_nobody_the_sign_in(lured):
    assert is_asked_to_sign_in(lured.open(build_request(prompt="login")))


def test_cookie_from_another_browser_spares_nobody_the_sign_in(browser, lured):
    cookie = next(cookie for cookie in browser.http._cookies.values() if cookie.key.startswith(COOKIE))
    lured.http.set_cookie(cookie.key, cookie.value)

    assert is_asked_to_sign_in(lured.open(build_request(prompt="login")))


@pytest.mark.parametrize("value", ["", "x", "gAAAAAB", "é"])
def test_cookie_that_is_not_ours_counts_as_none(value, browser, webapp):
    browser.open(build_request(prompt="login"))
    name = next(cookie.key for cookie in browser.http._cookies.values() if cookie.key.startswith(COOKIE))
    browser.http.set_cookie(name, value)

    page = sign_in_for(browser, browser.open(build_request(prompt="login")))

    assert "code" in answer_in(browser.decide(page))


def test_sign_in_with_nothing_in_progress_is_noted(app, clears):
    browser = Browser(app)
    browser.http.get("/clearing/alice")

    with browser.http.session_transaction() as session:
        assert session["_private_key_jwt"]["sign_in"][2] == ""
        assert "user" in session


# --- a session that is not sent along ------------------------------------------------------------------------------
def names_of(answer):
    return [header.partition("=")[0] for header in answer.headers.getlist("Set-Cookie")]


def test_session_of_the_application_is_left_alone(browser, webapp, signs_out, app):
    """As when it is ``SameSite=Strict`` and a client's page leads here."""
    without = app.test_client(use_cookies=False)
    hint = build_id_token(app, client_id=APP_ID)

    for url in (
        f"/oauth2/authorize?{urlencode(build_request())}",
        f"/oauth2/authorize?{urlencode(build_request(prompt='none'))}",
        f"{LOGOUT}?{urlencode({'id_token_hint': hint})}",
    ):
        assert "session" not in names_of(without.get(url))


def test_page_that_asks_leaves_the_session_alone(browser, webapp):
    page = browser.sign_in().open(build_request())

    assert [name.startswith(COOKIE) for name in names_of(page)] == [True]
    assert [name.startswith(COOKIE) for name in names_of(browser.decide(page))] == [True]


@pytest.mark.parametrize(
    ("config", "attributes"),
    [
        ({}, {"Secure", "HttpOnly", "Path=/", "Max-Age=1800"}),
        ({"SESSION_COOKIE_SAMESITE": "Lax"}, {"Secure", "HttpOnly", "Path=/", "Max-Age=1800", "SameSite=Lax"}),
        ({"SESSION_COOKIE_SAMESITE": "Strict"}, {"Secure", "HttpOnly", "Path=/", "Max-Age=1800", "SameSite=Lax"}),
        ({"SESSION_COOKIE_SAMESITE": "None"}, {"Secure", "HttpOnly", "Path=/", "Max-Age=1800", "SameSite=None"}),
    ],
)
def test_our_own_cookie_is_for_this_server_only(config, attributes, app, browser, webapp):
    app.config.update(config)

    value, *rest = browser.open(build_request()).headers["Set-Cookie"].split("; ")

    assert value.startswith(COOKIE)
    assert set(rest) - {part for part in rest if part.startswith("Expires=")} == attributes


def test_cookie_is_shared_where_the_session_is(app, browser, webapp):
    app.config["SESSION_COOKIE_DOMAIN"] = "as.example"

    cookie = browser.open(build_request()).headers["Set-Cookie"]

    assert cookie.startswith("__Secure-oauth2_")
    assert "Domain=as.example" in cookie


@pytest.mark.parametrize("settings", [{"OAUTH2_ISSUER": "http://127.0.0.1:5001"}])
def test_cookie_of_a_server_without_tls_needs_none(browser, webapp):
    cookie = browser.open(build_request()).headers["Set-Cookie"]

    assert cookie.startswith("oauth2_")
    assert "Secure" not in cookie
