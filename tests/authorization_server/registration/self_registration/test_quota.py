"""How many clients may register openly: limits by address, for all workers together, that strangers cannot use up."""

import pytest

from flask_private_key_jwt.authorization_server.registration.quota import SITE_FACTOR, TOTAL_FACTOR
from tests.authorization_server.registration.self_registration.answers import REGISTER
from tests.refusals import causes

OPEN = {"OAUTH2_REGISTRATION": "open", "OAUTH2_SCOPES": ["read", "write"], "OAUTH2_REGISTRATIONS_PER_HOUR": 2}
SLOW_DOWN = {"error": "temporarily_unavailable", "error_description": "Too many requests; try again later."}


@pytest.fixture
def settings():
    return OPEN


@pytest.fixture
def register_from(app, metadata):
    """The status of an open registration from an address."""

    def register_from(address, **changes):
        client = app.test_client()
        answer = client.post(REGISTER, json={**metadata, **changes}, environ_overrides={"REMOTE_ADDR": address})
        return answer.status_code

    return register_from


def test_address_that_has_registered_enough_is_refused_until_the_hour_is_over(post, clock, refusals):
    clock.move(600)
    assert [post().status_code, post().status_code] == [201, 201]

    answer = post()

    assert (answer.status_code, answer.json, answer.headers["Retry-After"]) == (429, SLOW_DOWN, "3000")
    assert refusals[-1].startswith("2 clients have registered from '127.0.0.1' in this hour")
    assert refusals[-1].cause == "registrations_address"
    clock.move(2999)
    assert post().status_code == 429
    clock.move(1)
    assert post().status_code == 201


def test_others_register_meanwhile(register_from):
    assert [register_from("192.0.2.1") for _ in range(3)] == [201, 201, 429]
    assert register_from("192.0.2.2") == 201


def test_network_of_ipv6_addresses_counts_as_one(register_from):
    assert [register_from(f"2001:db8::{number}") for number in range(1, 4)] == [201, 201, 429]
    assert register_from("2001:db8:0:1::1") == 201


def test_one_site_with_many_networks_does_not_use_up_what_all_have(register_from, refusals):
    statuses = [register_from(f"2001:db8:1:{number:x}::1") for number in range(2 * SITE_FACTOR + 1)]

    assert statuses == [201] * 2 * SITE_FACTOR + [429]
    assert refusals == ["20 clients have registered from '2001:db8:1::/48' in this hour"]
    assert causes(refusals) == ["registrations_site"]
    assert register_from("2001:db8:2::1") == 201
    assert register_from("192.0.2.1") == 201


def test_what_is_refused_uses_up_nothing(register_from):
    assert [register_from("192.0.2.1", scope=5) for _ in range(5)] == [400] * 5
    assert [register_from("192.0.2.1") for _ in range(3)] == [201, 201, 429]


def test_registration_token_has_a_count_of_its_own(post, create_token):
    token = create_token(uses=5)

    assert [post(token).status_code for _ in range(5)] == [201] * 5
    assert [post().status_code for _ in range(3)] == [201, 201, 429]


def test_client_that_is_deleted_does_not_give_its_place_back(post, manage):
    assert manage("DELETE").status_code == 204
    assert post().status_code == 201
    assert post().status_code == 429


@pytest.fixture
def registered(post):
    """The first one is registered openly here."""
    return dict(post().json)


def test_all_addresses_together_have_a_last_brake(register_from, app, caplog, refusals):
    counters = app.extensions["private_key_jwt"].counters
    hour = 1_800_000_000 // 3600
    with app.app_context():
        for _ in range(2 * TOTAL_FACTOR - 1):
            assert counters.take(f"registrations\x00{hour}", most=2 * TOTAL_FACTOR, until=(hour + 1) * 3600)

    assert register_from("192.0.2.1") == 201
    assert register_from("192.0.2.2") == 429
    assert refusals == ["200 clients have registered in this hour"]
    assert causes(refusals) == ["registrations_total"]
    assert "200 clients have registered openly in this hour" in caplog.text


def test_app_behind_a_proxy_counts_whom_proxyfix_names(app, metadata):
    from werkzeug.middleware.proxy_fix import ProxyFix

    app.wsgi_app = ProxyFix(app.wsgi_app)

    def register_for(address):
        return app.test_client().post(REGISTER, json=metadata, headers={"X-Forwarded-For": address}).status_code

    assert [register_for("192.0.2.1") for _ in range(3)] == [201, 201, 429]
    assert register_for("192.0.2.2") == 201


def test_without_proxyfix_a_header_makes_nobody_another(app, post):
    statuses = [post(headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code for number in range(3)]

    assert statuses == [201, 201, 429]
