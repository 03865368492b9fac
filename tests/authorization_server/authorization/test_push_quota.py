"""How many pushed requests may wait: a client's own, a public client's by address (RFC 9126 §2.3)."""

import pytest

from flask_private_key_jwt.authorization_server.authorization.push_quota import ADDRESS_FACTOR, TOTAL_FACTOR
from tests.authorization_server.conftest import APP_ID, build_request
from tests.conftest import ASSERTION_TYPE, START
from tests.refusals import causes

TEN = {
    "OAUTH2_PUSHED_REQUESTS_PER_CLIENT": 10,
    "OAUTH2_REGISTRATION": "open",
    "OAUTH2_REGISTRATION_SCOPES": ["read"],
}
SLOW_DOWN = {"error": "temporarily_unavailable", "error_description": "Too many requests; try again later."}
WHO = "clients that registered themselves or are public"
NATIVE = {"client_id": "native", "redirect_uri": "http://127.0.0.1/callback"}


@pytest.fixture
def settings():
    return TEN


@pytest.fixture
def push_native(app, native):
    """The status of a public client's push from an address."""

    def push_native(address):
        form = build_request(**NATIVE)
        return app.test_client().post("/oauth2/par", data=form, environ_overrides={"REMOTE_ADDR": address}).status_code

    return push_native


def use_up_total(app):
    """All that strangers may push but one."""
    window = START // 90
    with app.app_context():
        for _ in range(10 * TOTAL_FACTOR - 1):
            app.extensions["private_key_jwt"].counters.take(f"pushed\x00{window}", most=2000, until=START + 90)


def test_client_with_enough_open_requests_is_refused_until_they_expire(push, clock, refusals):
    assert [push().status_code for _ in range(10)] == [201] * 10

    answer = push()

    assert (answer.status_code, answer.json, answer.headers["Retry-After"]) == (429, SLOW_DOWN, "90")
    assert refusals == [f"10 pushed requests of client {APP_ID!r} are open (OAUTH2_PUSHED_REQUESTS_PER_CLIENT)"]
    assert causes(refusals) == ["pushed_requests_open"]
    clock.move(90)
    assert push().status_code == 201


def test_request_that_was_used_is_open_no_longer(push, browser):
    pushed = [push().json["request_uri"] for _ in range(10)]
    assert push().status_code == 429
    browser.decide(browser.sign_in().open({"client_id": APP_ID, "request_uri": pushed[0]}))

    assert push().status_code == 201
    assert push().status_code == 429


def test_clients_do_not_use_up_each_others(push, post, register, client_key, webapp):
    register(
        client_id="other",
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code"],
        redirect_uris=["https://other.example/"],
        scope="read",
    )
    assert [push().status_code for _ in range(11)][-1] == 429

    form = build_request(client_id="other", redirect_uri="https://other.example/")
    assert post("/oauth2/par", owner="other", **form).status_code == 201


def test_public_clients_requests_are_counted_by_address(push_native, refusals):
    assert [push_native("192.0.2.1") for _ in range(11)] == [201] * 10 + [429]
    assert refusals[-1].startswith("10 pushed requests of address '192.0.2.1' are open")
    assert refusals[-1].cause == "pushed_requests_open"
    assert push_native("192.0.2.2") == 201
    assert [push_native(f"2001:db8::{number}") for number in range(1, 12)] == [201] * 10 + [429]


def test_strangers_do_not_use_up_what_a_client_has(push_native, push):
    assert [push_native("127.0.0.1") for _ in range(11)][-1] == 429

    assert push().status_code == 201


def test_pushing_and_using_up_in_turn_does_not_hold_the_brake_for_others(app, push_native, push, browser, refusals):
    """One stranger at one address: as many requests as they like are used, and none is open."""
    for _ in range(10 * ADDRESS_FACTOR):
        form = build_request(**NATIVE, prompt="none")
        pushed = app.test_client().post("/oauth2/par", data=form, environ_overrides={"REMOTE_ADDR": "192.0.2.1"})
        assert pushed.status_code == 201
        browser.open({"client_id": "native", "request_uri": pushed.json["request_uri"]})

    assert push_native("192.0.2.1") == 429
    assert refusals[-1] == f"{WHO} at '192.0.2.1' have pushed 100 requests in a while"
    assert refusals[-1].cause == "pushed_requests_address"
    assert push_native("192.0.2.2") == 201
    assert push().status_code == 201


def test_own_clients_of_a_stranger_share_what_their_address_has(app, webapp, client_key, build_assertion, refusals):
    statuses = []
    for number in range(ADDRESS_FACTOR + 1):
        body = {
            "jwks": {"keys": [client_key.public_jwk()]},
            "grant_types": ["authorization_code"],
            "redirect_uris": ["https://other.example/"],
            "scope": "read",
        }
        client_id = app.test_client().post("/oauth2/register", json=body).json["client_id"]
        for _ in range(10):
            form = build_request(client_id=client_id, redirect_uri="https://other.example/")
            assertion = build_assertion(iss=client_id, sub=client_id)
            form |= {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
            statuses.append(app.test_client().post("/oauth2/par", data=form).status_code)
        assert statuses[-1] == (201 if number < ADDRESS_FACTOR else 429)

    assert refusals[-1] == f"{WHO} at '127.0.0.1' have pushed 100 requests in a while"
    assert refusals[-1].cause == "pushed_requests_address"


def test_all_strangers_together_have_a_last_brake(app, push_native, push, refusals, caplog):
    use_up_total(app)

    assert push_native("192.0.2.1") == 201
    assert push_native("192.0.2.2") == 429
    assert refusals == [f"{WHO} have pushed 1000 requests in a while"]
    assert causes(refusals) == ["pushed_requests_total"]
    assert f"{WHO} have pushed 1000 requests within 90 s" in caplog.text
    assert push().status_code == 201  # the operator's client goes on


def test_request_that_is_refused_uses_up_nothing(push):
    assert [push(max_age="x").status_code for _ in range(12)] == [400] * 12
    assert push().status_code == 201
