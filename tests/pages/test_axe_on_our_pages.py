"""axe-core finds nothing on any page of the package."""

import json

import flask
import pytest

from tests.pages.axe import find_faults
from tests.pages.pages_site import PUBLIC_CALLBACK
from tests.pages.test_pages_in_a_browser import ALLOW, browser, open_consent, page, sign_in, site, wait_for_answer
from tests.servers.node import Node
from tests.tables import make_extension
from tests.third_party.conftest import serving

__all__ = ["browser", "page", "site"]


@pytest.fixture(autouse=True)
def clock_():
    """The wall clock goes on: browsers look at it."""


@pytest.fixture
def axe(_node_installed, tmp_path):
    return Node(*_node_installed, tmp_path).find("axe-core/axe.min.js")


@pytest.fixture
def check(page, axe):
    """Fails if axe-core finds anything on the page that the browser shows, light or dark."""

    def check():
        for dark in (False, True):
            page.show_as(width=1000, dark=dark)
            assert find_faults(page, axe) == [], page.evaluate("location.href")

    page.let_scripts_run(True)
    return check


def test_consent(page, site, check):
    open_consent(page, site, redirect_uri=PUBLIC_CALLBACK)
    check()


@pytest.mark.parametrize("language", ["de", "es", "fr"])
def test_consent_in_other_languages_for_a_stranger(language, page, site, check):
    open_consent(page, site, client_id="stranger", scope="photos", ui_locales=language)
    check()


def test_sign_in_and_what_went_wrong_there(page, site, check):
    page.open(f"{site.url}/sign-in")
    check()
    sign_in(page, "nobody")
    page.wait_for("document.querySelector('[role=alert]') !== null")
    check()


def test_accounts(page, site, check):
    page.open(f"{site.url}/sign-in")
    sign_in(page, "bob")
    page.wait_for("location.pathname === '/'")
    open_consent(page, site)
    page.open(site.authorize(prompt="select_account"))
    page.wait_for_text("h1", "Choose an account")
    check()


def test_connected_applications(page, site, check):
    open_consent(page, site)
    page.click(ALLOW)
    wait_for_answer(page, site)
    page.open(f"{site.url}/connected-applications")
    page.wait_for_text("h2", "Lovely Prints")
    page.click("summary")
    check()
    page.click(".oauth-danger")
    page.wait_for_text("main", "No application may act for you.")
    check()


def test_sign_out(page, site, check):
    open_consent(page, site)
    page.open(f"{site.url}/oauth2/logout?client_id=prints")
    check()
    page.click("button[value=stay]")
    page.wait_for_text("h1", "You are still signed in")
    check()
    page.open(f"{site.url}/oauth2/logout?client_id=prints")
    page.click("button[value=sign_out]")
    page.wait_for_text("h1", "You are signed out")
    check()


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "nobody"},
        {"redirect_uri": "https://elsewhere.example/"},
        {"request_uri": "urn:ietf:params:oauth:request_uri:x"},
        {"request": "x"},
        {"response_mode": "odd"},
        {"client_id": "stranger", "scope": "photos", "response_type": "token"},
        {"client_id": "stranger", "scope": "photos", "response_type": "token", "response_mode": "form_post"},
    ],
)
def test_refusals(change, page, site, check):
    page.open(site.authorize(**change))
    page.wait_for("document.querySelector('.oauth-fault') !== null")
    check()


def test_page_that_is_not_offered(page, check):
    """A page with status 404."""
    db, oauth = make_extension()

    def make_app(url):
        app = flask.Flask("nobody")
        app.config.from_mapping(
            SECRET_KEY="a secret for tests only, nobody's",
            SQLALCHEMY_DATABASE_URI="sqlite://",
            OAUTH2_ISSUER=url,
            OAUTH2_REPLAY_STORE="memory",
        )
        db.init_app(app)
        oauth.init_app(app)
        return app

    with serving(make_app) as (url, _):
        page.open(f"{url}/oauth2/authorize")
        page.wait_for_text("h1", "There is no such page here")
        check()


def test_page_that_posts_the_answer_where_scripts_do_not_run(page, site, check):
    open_consent(page, site, response_mode="form_post")
    page.let_scripts_run(False)
    page.click(ALLOW)
    page.wait_for_text("h1", "Continue")
    page.let_scripts_run(True)
    check()


def test_page_that_leads_in(page, site, check, axe):
    """It loads the next one at once; so its document is looked at in a page that stays."""
    site.app.config["SESSION_COOKIE_SAMESITE"] = "Strict"
    try:
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
        answer = site.app.test_client().get(site.authorize().removeprefix(site.url), headers=headers)
    finally:
        site.app.config["SESSION_COOKIE_SAMESITE"] = None
    assert "http-equiv" in answer.text
    page.open(f"{site.url}/sign-in")
    page.wait_for("document.readyState === 'complete'")
    stays = json.dumps(answer.text.replace("http-equiv", "data-was"))
    page.evaluate(f"document.open(); document.write({stays}); document.close(); 1")
    check()
