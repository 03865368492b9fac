"""The page that asks whether to sign out: whose decision counts, for what, and what it ends."""

import flask
import pytest

from tests.authorization_server.authorization.test_interaction import is_asked_to_sign_in
from tests.authorization_server.conftest import APP_ID, BYE, build_request
from tests.authorization_server.sign_out.logout_browser import (
    LOGOUT,
    LogoutBrowser,
    assert_asked,
    assert_refused,
    build_id_token,
)

REQUEST = {"client_id": APP_ID, "post_logout_redirect_uri": BYE, "state": "s"}


@pytest.fixture
def browser(app, leaver):
    @app.get("/test/appears/<name>")
    def appear(name):
        """Somebody is signed in without signing in: by a cookie that remembers them, say."""
        flask.session["user"] = name
        return ""

    return LogoutBrowser(app).sign_in()


@pytest.fixture
def other_browser(app, leaver):
    return LogoutBrowser(app)


def token_in(page):
    return page.text.partition('name="decision_token" value="')[2].partition('"')[0]


# --- yes and no ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("decision", ["stay", "", "SIGN_OUT", "allow"])
def test_whoever_says_no_stays_signed_in(decision, browser):
    page = browser.decide(browser.leave(**REQUEST), decision)

    assert (page.status_code, "Location" in page.headers) == (200, False)
    assert "You are still signed in" in page.text
    assert "<bdi>alice</bdi>" in page.text
    assert browser.is_signed_in()


def test_no_said_twice_is_the_same_page(browser):
    page = browser.leave(**REQUEST)
    browser.decide(page, "stay")

    assert "You are still signed in" in browser.decide(page, "stay").text
    assert browser.is_signed_in()


def test_page_that_was_answered_counts_for_a_minute_only(browser, refusals, clock):
    page = browser.leave(**REQUEST)
    browser.decide(page, "stay")
    clock.move(60)

    assert_refused(browser.decide(page, "sign_out"), refusals, "decision_foreign", 403)
    assert browser.is_signed_in()


def test_yes_said_twice_leads_on_twice(browser):
    page = browser.leave(**REQUEST)
    first = browser.decide(page, "sign_out")

    assert browser.decide(page, "sign_out").headers["Location"] == first.headers["Location"]


# --- whose decision ------------------------------------------------------------------------------------------------
def test_decision_of_another_session_is_refused(browser, other_browser, refusals):
    page = browser.leave(**REQUEST)
    other_browser.sign_in().leave(**REQUEST)

    assert_refused(other_browser.decide(page, "sign_out"), refusals, "decision_foreign", 403)
    assert other_browser.is_signed_in()


def test_decision_of_another_person_is_refused(browser, refusals):
    page = browser.leave(**REQUEST)
    browser.sign_in("alice-2")

    assert_refused(browser.decide(page, "sign_out"), refusals, "decision_foreign", 403)
    assert browser.is_signed_in()


@pytest.mark.parametrize(
    "other",
    [{}, {**REQUEST, "state": "t"}, {"client_id": APP_ID}, {"state": "s", "client_id": APP_ID}],
)
def test_decision_about_another_request_is_refused(other, browser, refusals):
    page = browser.leave(**REQUEST)
    page_of_other = browser.leave(**other)

    answer = browser.decide(page_of_other, "sign_out", decision_token=token_in(page))

    assert_refused(answer, refusals, "decision_foreign", 403)
    assert browser.is_signed_in()


@pytest.mark.parametrize("token", ["", "x", "é", "\ud800".encode("utf-8", "surrogatepass")])
def test_made_up_decision_is_refused(token, browser, refusals):
    page = browser.leave(**REQUEST)

    assert_refused(browser.decide(page, "sign_out", decision_token=token), refusals, "decision_foreign", 403)
    assert browser.is_signed_in()


@pytest.mark.parametrize(("seconds", "status"), [(1799, 303), (1800, 403)])
def test_decision_comes_in_time_or_not(seconds, status, browser, clock):
    page = browser.leave(**REQUEST)
    clock.move(seconds)

    assert browser.decide(page, "sign_out").status_code == status
    assert browser.is_signed_in() == (status == 403)


def test_token_of_a_consent_page_does_not_sign_out(browser, refusals):
    consent = browser.ask_for_code()
    page = browser.leave(**REQUEST)

    assert_refused(
        browser.decide(page, "sign_out", decision_token=token_in(consent)), refusals, "decision_foreign", 403
    )


def test_token_of_the_logout_page_does_not_consent(browser, refusals):
    consent = browser.ask_for_code()
    page = browser.leave(**REQUEST)

    assert_refused(browser.decide(consent, "allow", decision_token=token_in(page)), refusals, "decision_foreign", 403)


def test_decision_in_a_url_is_no_decision(browser):
    page = browser.leave(**REQUEST)

    assert_asked(browser.leave(**REQUEST, decision_token=token_in(page), decision="sign_out"))
    assert browser.is_signed_in()


@pytest.mark.parametrize("form", [{}, {"decision": "sign_out"}, REQUEST])
def test_form_of_another_site_signs_nobody_out(form, browser):
    onwards = browser.http.post(LOGOUT, data=form or {"x": "y"})

    assert_asked(browser.http.get(onwards.headers["Location"]))
    assert browser.is_signed_in()


def test_decision_with_another_place_to_go_is_refused(browser, refusals):
    page = browser.leave(client_id=APP_ID)
    action = f"{LOGOUT}?client_id={APP_ID}&post_logout_redirect_uri=https%3A%2F%2Fevil.example%2F"

    answer = browser.http.post(action, data={"decision_token": token_in(page), "decision": "sign_out"})

    assert_refused(
        answer,
        refusals,
        "post_logout_redirect_uri_not_registered",
        says="post_logout_redirect_uri 'https://evil.example/' is not registered",
    )
    assert browser.is_signed_in()


def test_client_that_is_disabled_meanwhile_is_refused(app, oauth, browser, refusals):
    page = browser.leave(**REQUEST)
    with app.app_context():
        oauth.clients.disable(APP_ID)

    assert_refused(browser.decide(page, "sign_out"), refusals, "client_disabled")


# --- what ends, and what stays -------------------------------------------------------------------------------------
def test_sign_in_of_the_session_is_forgotten(app, browser):
    request = build_request(max_age="60")
    assert not is_asked_to_sign_in(browser.open(request), again=True)
    browser.leave(id_token_hint=build_id_token(app))

    assert not browser.is_known_to_us()
    browser.http.get("/test/appears/alice")
    assert is_asked_to_sign_in(browser.open(request), again=True)


@pytest.mark.parametrize("change", [{"prompt": "login"}, {"max_age": "0"}])
def test_open_request_does_not_take_sign_out_for_a_sign_in(change, app, browser):
    request = build_request(**change)
    assert is_asked_to_sign_in(browser.open(request), again=True)

    browser.leave(id_token_hint=build_id_token(app))
    browser.http.get("/test/appears/alice")

    assert is_asked_to_sign_in(browser.open(request), again=True)


def test_consent_page_that_is_still_shown_is_out_of_date(app, browser, refusals):
    consent = browser.ask_for_code()
    browser.leave(id_token_hint=build_id_token(app))
    browser.sign_in()

    assert_refused(browser.decide(consent), refusals, "decision_foreign", 403)


def test_consent_and_refresh_token_stay(app, browser, redeem, refresh):
    location = browser.decide(browser.ask_for_code()).headers["Location"]
    tokens = redeem(location.partition("code=")[2].partition("&")[0]).json

    browser.leave(id_token_hint=build_id_token(app))

    assert refresh(tokens["refresh_token"]).status_code == 200
    assert browser.sign_in().ask_for_code().status_code == 303
