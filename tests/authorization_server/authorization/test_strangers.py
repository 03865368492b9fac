"""Nobody is redirected to a client that nobody vouches for before they have seen a page (RFC 9700 §4.11.2)."""

from html import unescape
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.authorization_server.conftest import APP_ID, BYE, Browser, answer_in, build_request
from tests.authorization_server.sign_out.logout_browser import LOGOUT, build_id_token
from tests.conftest import ISSUER

PHISH = "https://phish.example/x"
OPEN = {"OAUTH2_REGISTRATION": "open", "OAUTH2_REGISTRATION_SCOPES": ["openid", "read"]}
REFUSED = [{"response_type": "token"}, {"scope": "admin"}, {"prompt": "none"}, {"max_age": "x"}]


@pytest.fixture
def settings():
    return OPEN


@pytest.fixture
def sign_up(app, signs_out, client_key):
    """Register a client as a stranger does, and give its client_id."""

    def sign_up(**changes):
        body = {
            "jwks": {"keys": [client_key.public_jwk()]},
            "grant_types": ["authorization_code"],
            "redirect_uris": [PHISH],
            "post_logout_redirect_uris": [BYE],
            "scope": "openid read",
            **changes,
        }
        answer = app.test_client().post("/oauth2/register", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json["client_id"]

    return sign_up


@pytest.fixture
def stranger(sign_up):
    return sign_up()


@pytest.fixture
def ask(browser, stranger):
    """Open a request of the stranger's, changed."""

    def ask(client_id=stranger, **changes):
        return browser.open(build_request(client_id=client_id, **{"redirect_uri": PHISH, **changes}))

    return ask


def find_link(page):
    """Where the page offers to go on."""
    return unescape(page.text.partition('<a href="')[2].partition('"')[0])


def assert_page(answer, refusals, count=1):
    """A page that names the place, and no redirect."""
    assert (answer.status_code, answer.mimetype) == (400, "text/html"), answer.headers
    assert "Location" not in answer.headers
    assert "<strong><bdi>phish.example</bdi></strong>" in answer.text
    assert answer.headers["Error-Reference"] in answer.text
    assert len(refusals) == count


# --- authorization -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("change", REFUSED)
@pytest.mark.parametrize("name", [None, "alice"])
def test_refused_request_of_a_stranger_is_a_page(name, change, browser, ask, refusals):
    if name:
        browser.sign_in(name)

    assert_page(ask(**change), refusals)


def test_page_offers_the_way_on_with_the_answer(ask):
    link = find_link(ask(response_type="token", state='"><b>'))

    assert link.startswith(f"{PHISH}?")
    answer = dict(parse_qsl(urlsplit(link).query))
    assert (answer["error"], answer["state"], answer["iss"]) == ("unsupported_response_type", '"><b>', ISSUER)


def test_page_offers_a_form_where_the_answer_is_posted(ask, refusals):
    page = ask(response_type="token", response_mode="form_post", state='"><b>')

    assert_page(page, refusals)
    assert f'<form method="post" action="{PHISH}">' in page.text
    assert '<input type="hidden" name="error" value="unsupported_response_type">' in page.text
    assert "<script" not in page.text
    assert "<b>" not in page.text


@pytest.mark.parametrize("change", [*REFUSED, {"redirect_uri": "https://other.example"}])
def test_page_says_no_more_than_the_kind_of_fault(change, ask, refusals):
    page = ask(**change)

    assert refusals[0] not in page.text
    assert not any(value in page.text for value in ("admin", "other.example"))


@pytest.mark.parametrize("change", REFUSED)
def test_refusal_goes_to_a_stranger_whom_the_person_allowed_before(change, browser, ask):
    browser.sign_in()
    browser.decide(ask())

    answer = ask(**change)

    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, PHISH)


def test_consent_of_somebody_else_does_not_count(browser, other_browser, ask, refusals):
    browser.sign_in()
    browser.decide(ask())
    browser.sign_in("bob")

    assert_page(ask(scope="admin"), refusals)


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_whoever_decided_on_our_page_goes_on(decision, browser, ask):
    browser.sign_in()

    answer = browser.decide(ask(), decision)

    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, PHISH)


def test_form_of_another_site_is_no_decision_on_our_page(browser, ask, stranger, refusals):
    query = urlencode(build_request(client_id=stranger, redirect_uri=PHISH, scope="admin"))
    forged = browser.http.post(f"/oauth2/authorize?{query}", data={"decision_token": "x", "decision": "deny"})

    assert_page(forged, refusals)


def test_pushed_request_is_answered_silently(browser, stranger, post):
    request = build_request(client_id=stranger, redirect_uri=PHISH, prompt="none")
    pushed = post("/oauth2/par", owner=stranger, **request).json["request_uri"]

    answer = browser.open({"client_id": stranger, "request_uri": pushed})

    assert answer.status_code == 303
    assert "error=login_required" in answer.headers["Location"]
    assert browser.open({"client_id": stranger, "request_uri": pushed}).status_code == 400  # once


def test_anybody_can_push_for_a_public_client(browser, sign_up, post, refusals):
    public = sign_up(token_endpoint_auth_method="none", jwks=None, redirect_uris=[PHISH])
    request = build_request(client_id=public, redirect_uri=PHISH, prompt="none")
    pushed = post("/oauth2/par", assertion=False, **request).json["request_uri"]

    assert_page(browser.open({"client_id": public, "request_uri": pushed}), refusals)


# --- who vouches ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("change", REFUSED)
def test_operators_own_client_is_answered_by_redirect(change, browser, webapp):
    assert "error" in answer_in(browser.open(build_request(**change)))


@pytest.mark.parametrize("settings", [{**OPEN, "OAUTH2_REGISTRATION_TRUSTED": True}])
@pytest.mark.parametrize("change", REFUSED)
def test_where_registration_is_trusted_strangers_are_answered_by_redirect(change, ask):
    assert ask(**change).status_code == 303


def test_operator_may_vouch_for_a_stranger_and_withdraw_it(app, oauth, ask, stranger):
    with app.app_context():
        oauth.clients.vouch(stranger)
    assert ask(prompt="none").status_code == 303

    with app.app_context():
        oauth.clients.vouch(stranger, vouched=False)
    assert ask(prompt="none").status_code == 400


# --- signing out ---------------------------------------------------------------------------------------------------
def leave(browser, hint):
    return browser.http.get(f"{LOGOUT}?{urlencode({'id_token_hint': hint, 'post_logout_redirect_uri': BYE})}")


def test_hint_of_a_strangers_own_account_leads_nowhere_by_itself(app, stranger):
    answer = leave(Browser(app), build_id_token(app, subject="mallory", client_id=stranger))

    assert (answer.status_code, "Location" in answer.headers) == (200, False)
    assert "You are signed out" in answer.text
    assert find_link(answer) == BYE
    assert "<strong><bdi>app.example</bdi></strong>" in answer.text


def test_person_whom_a_stranger_signs_out_goes_back(app, browser, stranger):
    answer = leave(browser.sign_in(), build_id_token(app, client_id=stranger))

    assert (answer.status_code, answer.headers["Location"]) == (303, BYE)


def test_person_who_agreed_to_be_signed_out_goes_back(app, browser, stranger):
    page = leave(browser.sign_in(), build_id_token(app, subject="mallory", client_id=stranger))

    assert browser.decide(page, "sign_out").headers["Location"] == BYE


def test_with_a_hint_of_the_operators_own_client_the_way_back_is_open(app, leaver):
    assert leave(Browser(app), build_id_token(app, subject="mallory", client_id=APP_ID)).headers["Location"] == BYE
