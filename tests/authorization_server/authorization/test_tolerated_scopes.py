"""Scopes of authorization requests: ``offline_access`` that is not allowed, needless spaces, and no scope at all."""

import pytest

from tests.authorization_server.conftest import APP_ID, answer_in, build_request
from tests.refusals import causes

OFFLINE = "read offline_access"


@pytest.fixture
def granted(browser, redeem):
    """The scope of the token that a request comes to, and whether a refresh token came along."""

    def granted(query):
        browser.sign_in()
        page = browser.open(query)
        response = page if page.status_code == 303 else browser.decide(page)
        token = redeem(answer_in(response)["code"]).json
        return token["scope"], token.get("refresh_token")

    return granted


def pushed(answer):
    assert answer.status_code == 201, answer.json
    return {"client_id": APP_ID, "request_uri": answer.json["request_uri"]}


@pytest.mark.parametrize("scope", [OFFLINE, "offline_access  read", "openid read offline_access"])
def test_offline_access_that_is_not_allowed_is_ignored_in_every_kind_of_request(
    scope, webapp, app, oauth, push, push_object, build_object, granted
):
    with app.app_context():
        oauth.clients.update(APP_ID, {"scope": "read openid"})
    wanted = "openid read" if "openid" in scope else "read"
    queries = [
        build_request(scope=scope),
        pushed(push(scope=scope)),
        pushed(push_object(scope=scope)),
        {"client_id": APP_ID, "request": build_object(scope=scope)},
    ]

    assert [granted(query)[0] for query in queries] == [wanted] * 4


def test_consent_page_shows_no_offline_access_that_is_not_allowed(browser, webapp):
    page = browser.sign_in().open(build_request(scope=OFFLINE))

    assert "<span>read</span></li>" in page.text
    assert "while you are away" not in page.text


def test_offline_access_that_is_allowed_counts(browser, webapp, app, oauth, granted):
    with app.app_context():
        oauth.clients.update(APP_ID, {"scope": "read offline_access"})

    assert "while you are away" in browser.sign_in().open(build_request(scope=OFFLINE)).text
    scope, refresh_token = granted(build_request(scope=OFFLINE))
    assert scope == OFFLINE
    assert refresh_token


def test_another_scope_that_is_not_allowed_refuses_the_request_all_the_same(browser, webapp, refusals):
    answer = browser.open(build_request(scope="read offline_access admin"))

    assert answer_in(answer)["error"] == "invalid_scope"
    assert refusals == ["scope 'admin' is not registered for the client"]
    assert causes(refusals) == ["scope_not_registered"]


@pytest.mark.parametrize("scope", [" read", "read ", "  read   write "])
def test_needless_spaces_are_no_scopes(scope, webapp, push, build_object, granted):
    wanted = " ".join(scope.split())
    queries = [
        build_request(scope=scope),
        pushed(push(scope=scope)),
        {"client_id": APP_ID, "request": build_object(scope=scope)},
    ]

    assert [granted(query)[0] for query in queries] == [wanted] * 3


@pytest.mark.parametrize("prompt", [" consent", "consent ", "login  consent"])
def test_needless_spaces_in_prompt_are_no_prompts(prompt, browser, webapp):
    assert browser.open(build_request(prompt=prompt)).status_code == 302


@pytest.mark.parametrize("scope", [None, "", " "])
def test_request_without_a_scope_gets_the_default_or_what_is_registered(scope, webapp, app, oauth, push, granted):
    assert granted(build_request(scope=scope))[0] == "read"
    with app.app_context():
        oauth.clients.update(APP_ID, {"default_scope": None})

    assert granted(build_request(scope=scope))[0] == "read write"
    assert granted(pushed(push(scope=scope)))[0] == "read write"


# --- afterwards ---------------------------------------------------------------------------------------------
def test_offline_access_that_was_ignored_is_ignored_when_refreshing(webapp, granted, refresh, refusals):
    _, refresh_token = granted(build_request(scope=OFFLINE))

    assert refresh(refresh_token, scope=OFFLINE).json["scope"] == "read"
    assert refresh(refresh_token, scope=" read  ").json["scope"] == "read"
    assert refresh(refresh_token, scope="offline_access").json["scope"] == "read"
    assert refresh(refresh_token, scope="read write").json["error"] == "invalid_scope"
    assert refusals == ["scope 'write' was not granted"]
    assert causes(refusals) == ["scope_not_granted"]


def test_offline_access_that_was_taken_away_costs_only_itself(webapp, app, oauth, granted, refresh):
    with app.app_context():
        oauth.clients.update(APP_ID, {"scope": "read write offline_access"})
    _, refresh_token = granted(build_request(scope=OFFLINE))
    with app.app_context():
        oauth.clients.update(APP_ID, {"scope": "read write"})

    assert refresh(refresh_token).json["scope"] == "read"


def test_grant_of_which_nothing_is_left_never_becomes_the_default(webapp, app, oauth, granted, refresh, refusals):
    with app.app_context():
        oauth.clients.update(APP_ID, {"scope": "read write offline_access"})
    _, refresh_token = granted(build_request(scope="offline_access"))
    with app.app_context():
        oauth.clients.update(APP_ID, {"scope": "read write"})

    assert refresh(refresh_token).json["error"] == "invalid_scope"
    assert causes(refusals) == ["scope_empty"]
