"""``prompt=select_account``: the person sees who is signed in, and goes on as that one or as somebody else."""

import re
from dataclasses import replace

import flask
import pytest
from markupsafe import escape

from flask_private_key_jwt.authorization_server.authorization.authorizer import Authorizer
from flask_private_key_jwt.authorization_server.endpoints import browser_session
from tests.authorization_server.authorization.test_interaction import is_asked_to_consent, is_asked_to_sign_in
from tests.authorization_server.conftest import User, answer_in, build_request
from tests.refusals import causes

SELECT = build_request(prompt="select_account")


@pytest.fixture
def consented(browser, webapp):
    """A browser whose person has allowed the usual request."""
    browser.decide(browser.sign_in().open(build_request()))
    return browser


def is_asked_to_choose(answer):
    return answer.status_code == 200 and "<h1>Choose an account</h1>" in answer.text


def test_person_who_goes_on_is_not_asked_again_for_this_request(consented):
    page = consented.open(SELECT)
    assert is_asked_to_choose(page)
    assert '<button name="decision" value="continue">' in page.text

    answer = consented.decide(page, "continue")
    assert answer.status_code == 303
    assert "code" in answer_in(consented.http.get(answer.headers["Location"]))

    assert is_asked_to_choose(consented.open(SELECT))


def test_choice_made_twice_is_one_choice(consented):
    page = consented.open(SELECT)

    first, second = (consented.decide(page, "continue") for _ in range(2))

    assert first.headers["Location"] == second.headers["Location"]
    assert "code" in answer_in(consented.http.get(first.headers["Location"]))


def test_consent_comes_after_the_choice(browser, webapp):
    page = browser.sign_in().open(SELECT)
    assert is_asked_to_choose(page)

    consent = browser.http.get(browser.decide(page, "continue").headers["Location"])

    assert is_asked_to_consent(consent)
    assert "code" in answer_in(browser.decide(consent))


def test_somebody_else_signs_in(consented):
    answer = consented.decide(consented.open(SELECT), "switch_account")
    assert is_asked_to_sign_in(answer, again=True)

    assert is_asked_to_consent(consented.sign_in("bob").open(SELECT))


def test_nobody_has_to_choose_after_they_signed_in_for_the_request(browser, webapp):
    assert is_asked_to_sign_in(browser.open(SELECT))

    assert is_asked_to_consent(browser.sign_in().open(SELECT))


def test_choice_of_one_person_does_not_count_for_another(consented):
    page = consented.open(SELECT)
    consented.decide(page, "continue")
    with consented.http.session_transaction() as session:
        session["user"] = "bob"  # without a note that bob signed in

    assert is_asked_to_choose(consented.open(SELECT))


@pytest.mark.parametrize("decision", ["allow", "deny", "continue", "", "account:bob"])
def test_token_of_the_choice_allows_and_denies_nothing(decision, browser, webapp):
    page = browser.sign_in().open(SELECT)

    answer = browser.decide(page, decision)

    assert "code=" not in answer.headers["Location"]
    assert "error=" not in answer.headers["Location"]
    assert is_asked_to_consent(browser.open(build_request()))  # nothing was remembered


def test_token_of_another_browser_chooses_nothing(browser, other_browser, webapp, refusals):
    page = browser.sign_in().open(SELECT)
    other_browser.sign_in().open(SELECT)

    answer = other_browser.decide(page, "continue")

    assert answer.status_code == 403
    assert causes(refusals) == ["decision_foreign"]


def test_consent_gives_no_code_without_a_choice(browser, webapp, monkeypatch):
    page = browser.sign_in().open(SELECT)
    consent = browser.http.get(browser.decide(page, "continue").headers["Location"])
    monkeypatch.setattr(browser_session.BrowserSession, "has_chosen", lambda *_, **__: False)

    answer = browser.decide(consent)

    assert answer.headers["Location"].startswith("/oauth2/authorize?")


# --- several accounts ---------------------------------------------------------------------------------------------
@pytest.fixture
def known(oauth, people):
    """The application knows alice, bob and carol at this browser."""

    @oauth.accounts
    def accounts():
        return [User(name) for name in ("alice", "bob", "<i>carol")]

    seen = []

    @oauth.sign_in
    def sign_in(page):
        seen.append(page)
        return flask.redirect("/sign-in", 303)

    return seen


def test_accounts_of_the_application_are_listed_once_each(known, browser, webapp):
    page = browser.sign_in().open(SELECT)

    values = re.findall(r'<button name="decision" value="([^"]+)"', page.text)
    assert values == ["continue", "account:bob", "account:&lt;i&gt;carol", "switch_account"]
    assert "<bdi>&lt;i&gt;carol</bdi>" in page.text


def test_account_that_is_gone_is_left_out(oauth, browser, webapp):
    oauth.accounts(lambda: [None])

    page = browser.sign_in().open(build_request(prompt="select_account"))

    assert page.status_code == 200
    assert page.text.count('name="decision" value="') == 2


def test_chosen_account_is_told_to_the_sign_in_page(known, browser, webapp):
    browser.decide(browser.sign_in().open(SELECT), "account:bob")

    assert (known[0].account.name, known[0].reauthenticate) == ("bob", True)


@pytest.mark.parametrize("decision", ["account:mallory", "account:", "account:alice", "account:bob\0"])
def test_account_that_the_application_does_not_name_cannot_be_chosen(decision, known, browser, webapp):
    answer = browser.decide(browser.sign_in().open(SELECT), decision)

    assert answer.headers["Location"].startswith("/oauth2/authorize?")
    assert known == []


# --- somebody else, on the consent page ---------------------------------------------------------------------------
def test_consent_page_has_a_way_to_be_somebody_else(browser, webapp):
    page = browser.sign_in().open(build_request())
    assert 'name="decision" value="switch_account"' in page.text

    assert is_asked_to_sign_in(browser.decide(page, "switch_account"), again=True)

    assert "<bdi>bob</bdi>" in browser.sign_in("bob").open(build_request()).text


def test_switch_is_no_denial(browser, webapp, refusals):
    page = browser.sign_in().open(build_request())
    browser.decide(page, "switch_account")

    assert "code" in answer_in(browser.decide(page))
    assert refusals == []


def test_person_whom_the_client_names_is_not_offered_to_be_somebody_else(browser, webapp, monkeypatch):
    check = Authorizer.check
    monkeypatch.setattr(Authorizer, "check", lambda *given: replace(check(*given), hinted_subject="alice"))

    page = browser.sign_in().open(build_request())

    assert is_asked_to_consent(page)
    assert "switch_account" not in page.text
    assert answer_in(browser.decide(page, "switch_account"))["error"] == "access_denied"


# --- who passes for somebody else ---------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["\u202egpj.exe", "a" * 300, "<script>alert(1)</script>", "Bob\u2066"])
def test_name_of_an_account_changes_nothing_around_it(name, oauth, browser, webapp):
    oauth.accounts(lambda: [User("bob"), type("Odd", (), {"name": name, "get_id": lambda self: "odd"})()])

    page = browser.sign_in().open(SELECT)

    assert f"<span><bdi>{escape(name)}</bdi></span></button>" in page.text
    assert "<script" not in page.text


def test_note_of_an_older_release_still_counts():
    """A worker of the former release wrote three members; it can read what is written without a language, too."""
    assert browser_session._pack(browser_session.RequestNote("a", 1, "b")) == ["a", 1, "b"]
    assert browser_session._pack(browser_session.RequestNote("a", 1, "b", "de")) == ["a", 1, "b", "de"]
    full = browser_session.RequestNote("a", 1, "b", "", "c")
    assert browser_session.RequestNote(*browser_session._pack(full)) == full
