"""Sign-in and consent: they belong to one session and one request; when a person is asked again."""

import pytest
from flask_login import UserMixin

from flask_private_key_jwt.authorization_server.authorization.interaction import find_subject
from tests.authorization_server.conftest import APP_ID, REDIRECT_URI, Browser, answer_in, build_request
from tests.conftest import ISSUER
from tests.refusals import causes


def is_asked_to_sign_in(answer, *, again=False):
    return answer.status_code == 302 and answer.headers["Location"].endswith(f"again={again}")


def is_asked_to_consent(answer):
    return answer.status_code == 200 and "decision_token" in answer.text


@pytest.fixture
def consented(browser, webapp):
    """A browser whose person has allowed the usual request."""
    browser.decide(browser.sign_in().open(build_request()))
    return browser


# --- consent --------------------------------------------------------------------------------------------------
def test_person_is_asked_once(consented):
    assert "code" in answer_in(consented.open(build_request()))


@pytest.mark.parametrize("change", [{"scope": "read write"}, {"prompt": "consent"}])
def test_person_is_asked_again_for_more_or_when_the_client_wants_it(change, consented):
    assert is_asked_to_consent(consented.open(build_request(**change)))


def test_other_person_is_asked_for_themselves(consented):
    assert is_asked_to_consent(consented.sign_in("bob").open(build_request()))


def test_denial_is_told_and_not_remembered(browser, webapp, refusals):
    page = browser.sign_in().open(build_request())

    answer = answer_in(browser.decide(page, "deny"))

    assert (answer["error"], answer["iss"], answer["state"]) == ("access_denied", ISSUER, build_request()["state"])
    assert causes(refusals) == ["person_refused"]
    assert is_asked_to_consent(browser.open(build_request()))


def test_public_client_on_a_device_is_asked_about_every_time(browser, native):
    request = build_request(client_id="native", redirect_uri="http://127.0.0.1/callback")
    browser.decide(browser.sign_in().open(request))

    assert is_asked_to_consent(browser.open(request))


def test_forgotten_consent_is_asked_for_again(app, oauth, consented):
    with app.app_context():
        assert oauth.revoke(subject="alice", client_id=APP_ID) == 1

    assert is_asked_to_consent(consented.open(build_request()))


# --- whose decision ---------------------------------------------------------------------------------------------
def assert_refused(answer, refusals):
    assert (answer.status_code, answer.mimetype) == (403, "text/html")
    assert causes(refusals) == ["decision_foreign"]


def test_decision_of_another_session_is_refused(browser, other_browser, webapp, refusals):
    page = browser.sign_in().open(build_request())
    other_browser.sign_in().open(build_request())

    assert_refused(other_browser.decide(page), refusals)


def test_decision_of_another_person_is_refused(browser, webapp, refusals):
    page = browser.sign_in().open(build_request())
    browser.sign_in("bob")

    assert_refused(browser.decide(page), refusals)


def test_decision_about_another_request_is_refused(browser, webapp, refusals):
    page = browser.sign_in().open(build_request())
    other = browser.open(build_request(scope="read write"))
    token = page.text.partition('name="decision_token" value="')[2].partition('"')[0]

    assert_refused(browser.decide(other, decision_token=token), refusals)


@pytest.mark.parametrize("token", ["", "x", "é", "\ud800".encode("utf-8", "surrogatepass")])
def test_made_up_decision_is_refused(token, browser, webapp, refusals):
    page = browser.sign_in().open(build_request())

    assert_refused(browser.decide(page, decision_token=token), refusals)


def test_decision_comes_too_late(browser, webapp, refusals, clock):
    page = browser.sign_in().open(build_request())
    clock.move(1800)

    assert_refused(browser.decide(page), refusals)


def test_whoever_is_not_signed_in_decides_nothing(app, browser, webapp, refusals):
    page = browser.sign_in().open(build_request())
    stranger = Browser(app)

    assert_refused(stranger.decide(page), refusals)


# --- prompt and max_age -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "error"), [(None, "login_required"), ("alice", "consent_required")])
def test_prompt_none_asks_nobody(name, error, browser, webapp):
    if name:
        browser.sign_in(name)

    assert answer_in(browser.open(build_request(prompt="none")))["error"] == error


def test_prompt_none_is_answered_when_nothing_is_to_ask(consented):
    assert "code" in answer_in(consented.open(build_request(prompt="none")))


@pytest.mark.parametrize("change", [{"prompt": "login"}, {"prompt": "login select_account"}, {"max_age": "0"}])
def test_person_has_to_sign_in_again_once(change, consented):
    request = build_request(**change)
    assert is_asked_to_sign_in(consented.open(request), again=True)
    assert is_asked_to_sign_in(consented.open(request), again=True)

    assert "code" in answer_in(consented.sign_in().open(request))
    assert is_asked_to_sign_in(consented.open(request), again=True)


def test_person_who_signs_in_for_the_request_has_done_so(browser, webapp):
    request = build_request(prompt="login consent")
    assert is_asked_to_sign_in(browser.open(request))

    assert is_asked_to_consent(browser.sign_in().open(request))


@pytest.mark.parametrize(("seconds", "asked"), [(60, False), (61, True)])
def test_max_age_is_counted_from_signing_in(seconds, asked, consented, clock):
    clock.move(seconds)

    answer = consented.open(build_request(max_age="60"))

    assert is_asked_to_sign_in(answer, again=True) == asked


def test_prompt_none_and_an_old_sign_in_do_not_go_together(consented, clock):
    clock.move(61)

    assert answer_in(consented.open(build_request(prompt="none", max_age="60")))["error"] == "login_required"


@pytest.mark.parametrize(("change", "age"), [({"prompt": "login"}, 0), ({"max_age": "60"}, 61)])
@pytest.mark.parametrize(("seconds", "asked"), [(1799, False), (1800, True)])
def test_sign_in_counts_for_an_abandoned_request_while_it_is_open(change, age, seconds, asked, browser, webapp, clock):
    browser.sign_in()
    clock.move(age)
    assert is_asked_to_sign_in(browser.open(build_request(**change)), again=True)
    browser.sign_in()
    clock.move(seconds)

    answer = browser.open(build_request(**change))

    assert is_asked_to_sign_in(answer, again=True) == asked
    assert is_asked_to_consent(answer) != asked


def test_request_that_was_abandoned_is_opened_anew(browser, webapp, clock):
    request = build_request(prompt="login")
    browser.sign_in().open(request)
    browser.sign_in()
    clock.move(1800)
    browser.open(request)

    assert "code" in answer_in(browser.decide(browser.sign_in().open(request)))


@pytest.mark.parametrize(("seconds", "asked"), [(60, False), (61, True)])
def test_max_age_is_counted_until_the_decision(seconds, asked, browser, webapp, clock):
    page = browser.sign_in().open(build_request(max_age="60"))
    clock.move(seconds)

    answer = browser.decide(page)

    assert is_asked_to_sign_in(answer, again=True) == asked
    if asked:
        page = browser.sign_in().open(build_request(max_age="60"))
        assert is_asked_to_consent(page)  # the late decision was not remembered
        answer = browser.decide(page)
    assert "code" in answer_in(answer)


# --- what the application says ------------------------------------------------------------------------------------
def test_sign_in_learns_the_way_back_and_the_hint(app, oauth, browser, webapp):
    seen = []

    @oauth.sign_in
    def sign_in(page):
        seen.append(page)
        return "sign in here"

    assert browser.open(build_request(login_hint="alice@example")).text == "sign in here"
    assert (seen[0].login_hint, seen[0].client.client_id, seen[0].reauthenticate) == ("alice@example", APP_ID, False)
    assert browser.sign_in().http.get(seen[0].return_url).status_code == 200


def test_application_may_show_a_page_of_its_own(oauth, browser, webapp):
    @oauth.consent
    def consent(page):
        return f"{page.user.name} {page.client.client_id} {page.scopes} {page.resources} {page.redirect_uri}"

    page = browser.sign_in().open(build_request())

    assert page.text == f"alice {APP_ID} ('read',) ('https://api.example',) {REDIRECT_URI}"


def test_user_without_an_id_is_the_applications_fault(oauth, browser, webapp, refusals):
    oauth.user(lambda: object())

    answer = browser.open(build_request())

    assert answer.status_code == 503
    assert refusals == ["set up wrongly: object has neither get_user_id() nor get_id(): a token needs its sub."]
    assert causes(refusals) == ["setup_wrong"]


NO_ID = (
    "set up wrongly: {} gives no id: a token needs its sub. Return a string of 1 to 255 characters that is never "
    "given to another person; for somebody who is not signed in, return no user."
)


class Unsaved(UserMixin):
    """Flask-Login's, of a user whose row is not written yet: ``get_id()`` gives the string "None"."""

    id = None


@pytest.mark.parametrize(
    ("user", "what"),
    [
        (type("User", (), {"get_id": lambda self: None})(), "get_id() of User"),
        (type("User", (), {"get_id": lambda self: ""})(), "get_id() of User"),
        (type("User", (), {"get_user_id": lambda self: None, "get_id": lambda self: "7"})(), "get_user_id() of User"),
        (Unsaved(), "get_id() of Unsaved"),
    ],
)
def test_user_whose_id_is_nothing_gets_no_token(user, what, oauth, browser, webapp, refusals, caplog):
    oauth.user(lambda: user)

    assert browser.open(build_request()).status_code == 503
    assert "[cause setup_wrong," in caplog.text
    assert refusals == [NO_ID.format(what)]


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        (type("User", (), {"get_id": lambda self: 0})(), "0"),
        (type("User", (), {"get_id": lambda self: "None"})(), "None"),  # somebody may have chosen that name
        (type("User", (UserMixin,), {"id": "None"})(), "None"),
        (type("User", (), {"get_id": lambda self: "x" * 255})(), "x" * 255),
    ],
)
def test_every_id_that_is_something_is_the_sub(user, subject):
    assert find_subject(user) == subject


def test_id_that_is_too_long_gets_no_token(oauth, browser, webapp, refusals):
    oauth.user(lambda: type("User", (), {"get_id": lambda self: "x" * 256})())

    assert browser.open(build_request()).status_code == 503
    assert refusals == ["set up wrongly: get_id() of User gives a string of 256 characters, not 1 to 255."]


def test_person_with_the_id_of_a_client_gets_no_token(browser, webapp, refusals):
    page = browser.sign_in(APP_ID).open(build_request())

    assert browser.decide(page).status_code == 503
    assert refusals == ["set up wrongly: The id of a user, 'webapp', is also a client_id: one of them must go."]
    assert causes(refusals) == ["setup_wrong"]
