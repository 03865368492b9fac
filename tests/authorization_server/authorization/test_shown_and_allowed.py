"""A consent covers what the page showed, even if the client changes its registration meanwhile."""

import pytest

from flask_private_key_jwt.authorization_server.state import current_state
from tests.authorization_server.conftest import APP_ID, answer_in, build_request
from tests.conftest import ISSUER
from tests.refusals import causes

OPEN = {"OAUTH2_REGISTRATION": "open", "OAUTH2_REGISTRATION_SCOPES": ["read", "write"]}


@pytest.fixture
def change(app, webapp):
    """Change the registration of the operator's client."""

    def change(**members):
        with app.app_context():
            current_state().clients.update(APP_ID, members)

    return change


@pytest.fixture
def consent(app):
    """What the person has allowed the client so far."""

    def consent():
        store = app.extensions["private_key_jwt"].authorizations
        with app.app_context():
            found = store.find_consent(APP_ID, "alice")
        return found and found.scope

    return consent


def test_scope_that_a_client_gets_by_default_does_not_grow_behind_the_page(browser, change, consent, refusals):
    page = browser.sign_in().open(build_request(scope=None))
    change(default_scope="read write")

    answer = browser.decide(page)

    assert (answer.status_code, "Location" in answer.headers) == (403, False)
    assert causes(refusals) == ["decision_foreign"]
    assert consent() is None


def test_page_that_is_opened_anew_shows_what_has_changed(browser, change, consent):
    request = build_request(scope=None)
    browser.sign_in().open(request)
    change(default_scope="read write")

    page = browser.open(request)
    assert "<span>write</span></li>" in page.text
    assert "code" in answer_in(browser.decide(page))
    assert consent() == {"read", "write"}


def test_change_of_what_was_not_shown_takes_nothing_from_the_decision(browser, change, consent):
    page = browser.sign_in().open(build_request())
    change(default_scope="read write", client_uri="https://app.example/about")

    assert "code" in answer_in(browser.decide(page))
    assert consent() == {"read"}


@pytest.mark.parametrize("settings", [OPEN])
def test_stranger_who_registers_for_more_meanwhile_gets_nothing(app, people, browser, client_key, refusals, settings):
    """The client changes its registration as soon as the page is there."""
    http = app.test_client()
    registered = http.post(
        "/oauth2/register",
        json={
            "jwks": {"keys": [client_key.public_jwk()]},
            "grant_types": ["authorization_code"],
            "redirect_uris": ["https://stranger.example/"],
            "scope": "read",
        },
    ).json
    request = build_request(client_id=registered["client_id"], redirect_uri="https://stranger.example/", scope=None)
    page = browser.sign_in().open(request)
    assert "<span>read</span></li>" in page.text
    http.patch(
        registered["registration_client_uri"].removeprefix(ISSUER),
        json={"scope": "read write"},
        headers={"Authorization": f"Bearer {registered['registration_access_token']}"},
    )

    answer = browser.decide(page)

    assert (answer.status_code, "Location" in answer.headers) == (403, False)
    assert causes(refusals) == ["decision_foreign"]
