"""Refusal pages: the kind of fault for the person who reads, the reason for the log, nothing for an attacker."""

import pytest

from flask_private_key_jwt.authorization_server.endpoints.faults import FAULTS
from flask_private_key_jwt.errors import StoreUnavailable
from tests.authorization_server.conftest import APP_ID, REDIRECT_URI, build_request
from tests.authorization_server.sign_out.logout_browser import LOGOUT

UNKNOWN_URI = "urn:ietf:params:oauth:request_uri:" + "x" * 43
TITLES = {fault.kind: fault.title for _, fault in FAULTS} | {"faulty_request": "The request is not in order"}


def assert_kind(answer, kind, refusals, status=400):
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert f"<h1>{TITLES[kind]}</h1>" in answer.text
    assert answer.headers["Error-Reference"] in answer.text
    assert len(refusals) == 1
    assert refusals[0] not in answer.text


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"client_id": None}, "unknown_application"),
        ({"client_id": "nobody"}, "unknown_application"),
        ({"redirect_uri": None}, "wrong_return_address"),
        ({"redirect_uri": REDIRECT_URI + "&x=1"}, "wrong_return_address"),
        ({"request_uri": UNKNOWN_URI}, "expired_link"),
        ({"request_uri": "https://app.example/r"}, "expired_link"),
        ({"request": "e.y.j"}, "unverified_request"),
        ({"response_mode": "fragment"}, "faulty_request"),
        ({"state": ["a", "b"]}, "faulty_request"),
    ],
)
def test_page_says_what_kind_of_fault_it_is(change, kind, browser, webapp, refusals):
    assert_kind(browser.open(build_request(**change)), kind, refusals)


def test_disabled_client_looks_like_one_that_is_not_there(app, oauth, browser, webapp, refusals):
    with app.app_context():
        oauth.clients.disable(APP_ID)

    assert_kind(browser.open(build_request()), "unknown_application", refusals)


@pytest.mark.parametrize("why", ["used", "expired", "another's"])
def test_links_that_count_no_longer_look_the_same(why, browser, push, register, client_key, clock, refusals):
    query = {"client_id": APP_ID, "request_uri": push().json["request_uri"]}
    if why == "used":
        browser.decide(browser.sign_in().open(query))
    elif why == "expired":
        clock.move(1000)
    else:
        register(client_id="other", jwks={"keys": [client_key.public_jwk()]}, scope="read")
        query["client_id"] = "other"

    assert_kind(browser.open(query), "expired_link", refusals)


@pytest.mark.parametrize("member", ["require_signed_request_object", "require_pushed_authorization_requests"])
def test_request_that_had_to_be_protected_is_unverified(member, app, oauth, browser, webapp, refusals):
    with app.app_context():
        oauth.clients.update(APP_ID, {member: True})

    assert_kind(browser.open(build_request()), "unverified_request", refusals)


def test_decision_that_does_not_count_names_the_page(browser, other_browser, webapp, refusals):
    page = browser.sign_in().open(build_request())

    assert_kind(other_browser.sign_in("bob").decide(page), "page_out_of_date", refusals, 403)


@pytest.mark.parametrize("fault", [StoreUnavailable("database: secret"), "no id"])
def test_what_is_our_own_fault_passes(fault, app, oauth, browser, webapp, refusals, monkeypatch):
    if fault == "no id":
        oauth.user(object)
    else:

        def fail(*_, **_named):
            raise fault

        monkeypatch.setattr(app.extensions["private_key_jwt"].server.authorizer._store, "find_consent", fail)
        browser.sign_in()

    assert_kind(browser.open(build_request()), "unavailable", refusals, 503)


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("client_id=nobody", "unknown_application"),
        ("client_id=webapp&post_logout_redirect_uri=https://other.example", "wrong_return_address"),
        ("post_logout_redirect_uri=https://other.example", "wrong_return_address"),
        ("id_token_hint=x", "faulty_request"),
    ],
)
def test_sign_out_says_what_kind_of_fault_it_is(query, kind, browser, leaver, refusals):
    assert_kind(browser.http.get(f"{LOGOUT}?{query}"), kind, refusals)


def test_page_that_is_not_offered_says_so(app, refusals):
    assert_kind(app.test_client().get("/oauth2/authorize"), "not_offered", refusals, 404)


def test_template_of_the_app_learns_the_kind(app, browser, webapp, tmp_path):
    folder = tmp_path / "private_key_jwt"
    folder.mkdir()
    (folder / "refusal.html").write_text("{{ fault.kind }} {{ error }} {{ description }} {{ onward }}")
    app.template_folder = str(tmp_path)

    page = browser.open(build_request(client_id="nobody"))

    assert page.text == "unknown_application invalid_request The request is malformed. None"
