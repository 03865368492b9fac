"""The page "your connected applications": for the person who is signed in, and changed by its own form only."""

import html
import re

import flask
import pytest
from flask_wtf import CSRFProtect

from flask_private_key_jwt import signals
from tests.authorization_server.authorization.test_interaction import is_asked_to_consent
from tests.authorization_server.conftest import APP_ID, Browser, build_request

PATH = "/connected-applications"


@pytest.fixture
def mounted(app, oauth, webapp):
    """The usual application, with the page."""
    app.register_blueprint(oauth.connected_applications())
    return app


@pytest.fixture
def connected(mounted, browser):
    """A browser whose person has allowed the usual request."""
    browser.decide(browser.sign_in().open(build_request()))
    return browser


def show(browser):
    return browser.http.get(PATH)


def remove(browser, page, client_id=APP_ID, **changes):
    """Press the button of one application."""
    forms = {
        html.unescape(client): token
        for token, client in re.findall(
            r'name="decision_token" value="([^"]*)">\s*<input[^>]*value="([^"]*)"', page.text
        )
    }
    data = {"decision_token": forms.get(client_id, ""), "client_id": client_id, **changes}
    return browser.http.post(PATH, data=data)


def test_page_says_what_each_may_do_and_since_when(connected, clock):
    page = show(connected)

    assert page.status_code == 200
    assert '<h2 id="application-1"><bdi>The &lt;b&gt;App&lt;/b&gt;</bdi></h2>' in page.text
    assert "<span>read</span></li>" in page.text
    assert "<bdi>https://api.example</bdi>" in page.text
    assert re.search(r'<dt>Allowed since</dt><dd><time datetime="\d{4}-\d\d-\d\d">\d+ \w+ \d{4}</time></dd>', page.text)
    assert "<dt>Last used</dt><dd>never, or long ago</dd>" in page.text


def test_page_says_when_an_application_was_last_used(get_code, redeem, mounted, browser, clock):
    redeem(get_code())
    clock.move(86400)

    assert page_dates(show(browser)) == 2


def page_dates(page):
    return len(re.findall(r"<time datetime=", page.text))


def test_removed_application_is_gone_and_the_person_is_asked_again(connected):
    answer = remove(connected, show(connected))
    assert (answer.status_code, answer.headers["Location"]) == (303, PATH)

    page = show(connected)
    assert "No application may act for you." in page.text
    assert '<p class="oauth-success" role="status">' in page.text
    assert is_asked_to_consent(connected.open(build_request()))


def test_events_say_that_the_person_did_it(connected):
    seen = []

    def note(_sender, **event):
        seen.append(event)

    with signals.grant_revoked.connected_to(note), signals.consent_withdrawn.connected_to(note):
        remove(connected, show(connected))

    assert [event.get("because") or event.get("by") for event in seen] == ["person", "person"]


def test_button_may_be_pressed_twice(connected):
    page = show(connected)

    assert [remove(connected, page).status_code for _ in range(2)] == [303, 303]


def test_notice_is_over_after_a_moment(connected, clock):
    remove(connected, show(connected))
    clock.move(3600)

    assert "oauth-success" not in show(connected).text


def test_link_does_not_make_the_page_say_that_something_was_removed(connected):
    assert "oauth-success" not in connected.http.get(f"{PATH}?removed=1&decision_token=x").text
    assert "The &lt;b&gt;App" in connected.http.get(f"{PATH}?client_id={APP_ID}&decision_token=x").text


@pytest.mark.parametrize("token", ["", "x", "é"])
def test_form_of_another_site_changes_nothing(token, connected):
    answer = remove(connected, show(connected), decision_token=token)

    assert answer.status_code == 403
    assert "Nothing has changed; please try again." in answer.text
    assert "The &lt;b&gt;App" in show(connected).text


def test_form_without_a_token_changes_nothing(connected):
    answer = connected.http.post(PATH, data={"client_id": APP_ID})

    assert answer.status_code == 403
    assert "The &lt;b&gt;App" in show(connected).text


def test_form_of_another_browser_changes_nothing(connected, other_browser):
    page = show(other_browser.sign_in())

    assert remove(connected, page).status_code == 403
    assert "The &lt;b&gt;App" in show(connected).text


def test_form_of_another_person_changes_nothing(connected):
    page = show(connected)
    connected.sign_in("bob")

    assert remove(connected, page).status_code == 403
    assert "The &lt;b&gt;App" in show(connected.sign_in()).text


def test_token_of_one_application_does_not_remove_another(connected, register, client_key):
    register(client_id="other", jwks={"keys": [client_key.public_jwk()]}, scope="read")
    token = re.search(r'name="decision_token" value="([^"]*)"', show(connected).text)[1]

    assert remove(connected, show(connected), "other", decision_token=token).status_code == 403


def test_token_of_a_consent_page_removes_nothing(connected):
    page = connected.open(build_request(scope="read write"))
    token = re.search(r'name="decision_token" value="([^"]*)"', page.text)[1]

    assert remove(connected, show(connected), decision_token=token).status_code == 403


def test_form_that_was_open_for_too_long_changes_nothing(connected, clock):
    page = show(connected)
    clock.move(1800)

    assert remove(connected, page).status_code == 403
    assert "The &lt;b&gt;App" in show(connected).text


def test_nobody_sees_what_another_person_allows(connected):
    page = show(connected.sign_in("bob"))

    assert "No application may act for you." in page.text
    assert "App" not in page.text


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_whoever_is_not_signed_in_is_sent_to_sign_in_and_back(method, mounted, people):
    answer = Browser(mounted).http.open(PATH, method=method, data={"client_id": APP_ID} if method == "POST" else None)

    assert (answer.status_code, answer.headers["Location"]) == (
        302,
        "/test/login?next=%2Fconnected-applications&again=False",
    )


def test_stranger_is_shown_as_one(mounted, register, browser):
    client = register(
        token_endpoint_auth_method="none",
        grant_types=["authorization_code"],
        redirect_uris=["https://app.example/cb"],
        client_name="Your <Bank>",
        scope="read",
    )
    with mounted.app_context():
        mounted.extensions["private_key_jwt"].clients.vouch(client.client_id, vouched=False)
    browser.sign_in()
    page = browser.open(build_request(client_id=client.client_id, redirect_uri="https://app.example/cb"))
    browser.decide(page)

    text = show(browser).text

    assert '<h2 id="application-1"><bdi>An application that registered itself</bdi></h2>' in text
    assert "It calls itself <q><bdi>Your &lt;Bank&gt;</bdi></q>." in text
    assert f"Its identifier is <bdi>{client.client_id}</bdi>." in text


def test_csrf_protection_of_the_application_leaves_the_form_alone(mounted, browser):
    CSRFProtect(mounted)
    browser.decide(browser.sign_in().open(build_request()))

    assert remove(browser, show(browser)).status_code == 303


def test_answers_cannot_be_framed_or_kept(connected):
    page = show(connected)

    assert page.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"{}", "application/json", 400),
        (b"a=b&" * 500, "application/x-www-form-urlencoded", 400),
        (b"x" * 70000, "application/x-www-form-urlencoded", 413),
        (b"client_id=%ff%00&decision_token=%ff", "application/x-www-form-urlencoded", 403),
        (b"client_id=a&client_id=b&decision_token=", "application/x-www-form-urlencoded", 403),
    ],
)
def test_hostile_forms_are_refused(data, content_type, status, connected):
    assert connected.http.post(PATH, data=data, content_type=content_type).status_code == status


def test_page_may_be_at_another_path(app, oauth, browser, webapp):
    app.register_blueprint(oauth.connected_applications(url_prefix="/account/apps"))
    browser.sign_in()

    with app.test_request_context():
        assert flask.url_for("private_key_jwt_connected.applications") == "/account/apps"
    assert browser.http.get("/account/apps").status_code == 200


def test_app_without_people_has_no_such_page(app, oauth, refusals):
    app.register_blueprint(oauth.connected_applications())

    assert app.test_client().get(PATH).status_code == 404
