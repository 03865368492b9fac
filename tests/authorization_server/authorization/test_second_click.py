"""A button that is pressed twice: the second answer works too, and only one code is valid."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import select

from flask_private_key_jwt.jose.derived import Secrets
from tests.authorization_server.conftest import APP_ID, BYE, Browser, answer_in, build_request
from tests.authorization_server.sign_out.logout_browser import LogoutBrowser
from tests.refusals import causes


@pytest.fixture
def make_query(push):
    """The query of a request, pushed or plain."""

    def make_query(way, **changes):
        if way == "pushed":
            return {"client_id": APP_ID, "request_uri": push(**changes).json["request_uri"]}
        return build_request(**changes)

    return make_query


@pytest.fixture
def press(browser):
    """Press a button of a page: with the cookies of the first answer, or as they were before it came."""
    before = {}

    def press(page, decision="allow", *, order="after"):
        cookies = browser.http._cookies
        before.setdefault("cookies", dict(cookies))
        if order == "at once":
            cookies.clear()
            cookies.update(before["cookies"])
        return browser.decide(page, decision)

    return press


@pytest.fixture
def live_codes(app):
    """How many codes can be redeemed."""

    def live_codes():
        store = app.extensions["private_key_jwt"].authorizations
        with app.app_context(), store._database.begin() as connection:
            return len(connection.execute(select(store._code).where(store._code.c.used_at.is_(None))).all())

    return live_codes


WAYS = pytest.mark.parametrize("way", ["plain", "pushed"])
ORDERS = pytest.mark.parametrize("order", ["after", "at once"])


@WAYS
@ORDERS
@pytest.mark.parametrize("change", [{}, {"prompt": "login"}, {"response_mode": "query", "max_age": "0"}])
def test_second_click_leads_on_with_the_same_code(change, order, way, browser, make_query, press, live_codes, redeem):
    query = make_query(way, **change)
    browser.open(query)
    page = browser.sign_in().open(query)

    first, second = press(page), press(page, order=order)

    assert answer_in(first) == answer_in(second)
    assert live_codes() == 1
    assert redeem(answer_in(second)["code"]).status_code == 200


@WAYS
@ORDERS
def test_second_click_after_redemption_gets_a_code_of_its_own(
    order, way, browser, make_query, press, live_codes, redeem, refresh
):
    """The client may have redeemed the first for an answer that the browser dropped."""
    page = browser.sign_in().open(make_query(way))
    first = redeem(answer_in(press(page))["code"]).json

    second, third = answer_in(press(page, order=order))["code"], answer_in(press(page, order=order))["code"]

    assert second == third
    assert live_codes() == 1
    assert redeem(second).status_code == 200
    assert refresh(first["refresh_token"]).status_code == 200


@WAYS
def test_codes_of_one_decision_are_few(way, browser, make_query, press, redeem, refusals):
    page = browser.sign_in().open(make_query(way))
    for _ in range(4):
        assert redeem(answer_in(press(page, order="at once"))["code"]).status_code == 200

    assert press(page, order="at once").status_code == 403
    assert causes(refusals) == ["decision_repeated"]


@WAYS
@ORDERS
@pytest.mark.parametrize(("seconds", "status"), [(59, 303), (60, 403)])
def test_second_click_counts_while_the_code_does(seconds, status, order, way, browser, make_query, press, clock):
    page = browser.sign_in().open(make_query(way))
    press(page)
    clock.move(seconds)

    answer = press(page, order=order)

    # What was pushed is used: without the decision it is an old link.
    assert answer.status_code == (400 if (status, order, way) == (403, "after", "pushed") else status)


@WAYS
def test_link_that_was_answered_is_not_opened_by_a_click_of_somebody_else(
    way, browser, other_browser, make_query, press
):
    page = browser.sign_in().open(make_query(way))
    press(page)

    assert other_browser.sign_in().decide(page).status_code == (403 if way == "plain" else 400)
    assert other_browser.sign_in("bob").decide(page).status_code == (403 if way == "plain" else 400)


@WAYS
@ORDERS
def test_second_denial_leads_on(order, way, browser, make_query, press, live_codes):
    page = browser.sign_in().open(make_query(way))

    first, second = press(page, "deny"), press(page, "deny", order=order)

    assert answer_in(first)["error"] == answer_in(second)["error"] == "access_denied"
    assert live_codes() == 0


@WAYS
@ORDERS
def test_denial_after_allowing_takes_the_code_back(
    order, way, browser, make_query, press, live_codes, redeem, refusals
):
    page = browser.sign_in().open(make_query(way))
    code = answer_in(press(page))["code"]

    assert answer_in(press(page, "deny", order=order))["error"] == "access_denied"

    assert live_codes() == 0
    assert redeem(code).json["error"] == "invalid_grant"
    assert "decision_token" in browser.open(build_request()).text  # what was allowed is not remembered


@WAYS
@ORDERS
def test_denial_after_redemption_revokes_the_tokens(order, way, browser, make_query, press, redeem, refresh):
    page = browser.sign_in().open(make_query(way))
    tokens = redeem(answer_in(press(page))["code"]).json

    assert answer_in(press(page, "deny", order=order))["error"] == "access_denied"

    assert refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


@ORDERS
def test_allowing_after_a_denial_counts_for_a_plain_request(order, browser, make_query, press, redeem):
    page = browser.sign_in().open(make_query("plain"))
    press(page, "deny")

    assert redeem(answer_in(press(page, order=order))["code"]).status_code == 200


@ORDERS
def test_pushed_request_that_was_denied_is_over(order, browser, make_query, press, live_codes, refusals):
    page = browser.sign_in().open(make_query("pushed"))
    press(page, "deny")

    assert press(page, order=order).status_code == 400
    assert refusals[-1].cause == "request_uri_used"
    assert live_codes() == 0


def test_request_is_not_open_to_anything_else_once_it_is_answered(browser, make_query, press, refusals):
    query = make_query("pushed")
    press(browser.sign_in().open(query))

    assert browser.open(query).status_code == 400
    assert causes(refusals) == ["request_uri_used"]


def test_same_request_asked_anew_gets_another_code(browser, make_query, press):
    query = make_query("plain", prompt="consent")
    first = answer_in(press(browser.sign_in().open(query)))["code"]

    assert answer_in(press(browser.open(query)))["code"] != first


@WAYS
def test_many_clicks_at_once_give_one_code(way, app, browser, make_query, live_codes):
    page = browser.sign_in().open(make_query(way))
    browsers = [Browser(app) for _ in range(8)]
    for other in browsers:
        other.http._cookies.update(browser.http._cookies)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda other: other.decide(page), browsers))

    assert len({answer_in(answer)["code"] for answer in answers}) == 1
    assert live_codes() == 1


# --- the secret is rotated between two clicks -------------------------------------------------------------------------
@pytest.fixture
def rotate(app):
    """Give the app a newer secret; it keeps its former one unless it is told to drop it."""

    def rotate(*, keep=True):
        state = app.extensions["private_key_jwt"]
        former = state.secrets._values if keep else ()
        secrets = Secrets(("a newer secret for tests only, long too", *former))
        app.extensions["private_key_jwt"] = replace(state, secrets=secrets)
        state.server.authorizer.decided_codes._secrets = secrets

    return rotate


@WAYS
@ORDERS
def test_second_click_after_a_rotation_leads_on_with_the_same_code(
    order, way, browser, make_query, press, live_codes, redeem, rotate
):
    page = browser.sign_in().open(make_query(way))
    first = press(page)
    rotate()

    second = press(page, order=order)

    assert answer_in(first) == answer_in(second)
    assert live_codes() == 1
    assert redeem(answer_in(second)["code"]).status_code == 200


@WAYS
def test_codes_of_one_decision_are_few_with_every_secret(way, browser, make_query, press, redeem, rotate, caplog):
    page = browser.sign_in().open(make_query(way))
    for _ in range(4):
        assert redeem(answer_in(press(page, order="at once"))["code"]).status_code == 200
        rotate()

    assert press(page, order="at once").status_code == 403
    assert "[cause decision_repeated," in caplog.text


@WAYS
@ORDERS
def test_denial_after_allowing_and_a_rotation_takes_everything_back(
    order, way, browser, make_query, press, live_codes, redeem, refresh, rotate, caplog
):
    page = browser.sign_in().open(make_query(way))
    tokens = redeem(answer_in(press(page))["code"]).json
    rotate()
    code = answer_in(press(page, order=order))["code"]
    rotate()

    assert answer_in(press(page, "deny", order=order))["error"] == "access_denied"

    assert live_codes() == 0
    assert redeem(code).json["error"] == "invalid_grant"
    assert "[cause code_used," in caplog.text
    assert refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


@WAYS
def test_click_after_the_secret_was_dropped_is_refused(way, browser, make_query, press, live_codes, rotate, caplog):
    page = browser.sign_in().open(make_query(way))
    press(page)
    rotate(keep=False)

    status, cause = {"plain": (403, "decision_foreign"), "pushed": (400, "request_uri_used")}[way]
    assert press(page).status_code == status
    assert f"[cause {cause}," in caplog.text
    assert live_codes() == 1


# --- signing out -----------------------------------------------------------------------------------------------------
def test_second_click_on_sign_out_leads_on(app, leaver):
    browser = LogoutBrowser(app).sign_in()
    page = browser.leave(client_id=APP_ID, post_logout_redirect_uri=BYE)
    assert browser.decide(page, "sign_out").headers["Location"] == BYE

    assert browser.decide(page, "sign_out").headers["Location"] == BYE


@pytest.mark.parametrize("change", [{"decision_token": "x"}, {"decision_token": ""}])
def test_made_up_second_click_on_sign_out_leads_nowhere(change, app, leaver):
    browser = LogoutBrowser(app).sign_in()
    page = browser.leave(client_id=APP_ID, post_logout_redirect_uri=BYE)
    browser.decide(page, "sign_out")

    assert browser.decide(page, "sign_out", **change).status_code == 200


def test_second_click_on_sign_out_counts_for_a_minute(app, leaver, clock):
    browser = LogoutBrowser(app).sign_in()
    page = browser.leave(client_id=APP_ID, post_logout_redirect_uri=BYE)
    browser.decide(page, "sign_out")
    clock.move(60)

    assert browser.decide(page, "sign_out").status_code == 200
