"""A slow function of the application does not use up the time budget of the stores."""

import time

import pytest

from flask_private_key_jwt.database import deadline
from tests.authorization_server.conftest import APP_ID


@pytest.fixture
def take_long(monkeypatch):
    """Takes longer than a request may wait for its stores."""
    passed = [0.0]
    monkeypatch.setattr(deadline, "monotonic", lambda: time.monotonic() + passed[0])

    def take_long():
        passed[0] += 60

    return take_long


def test_a_slow_token_policy_spends_nothing_of_the_stores_time(oauth, get_code, redeem, take_long):
    oauth.token_policy(lambda client, request, grant: take_long())

    assert redeem(get_code()).status_code == 200


def test_a_slow_user_loader_spends_nothing_of_the_stores_time(people, get_code, redeem, take_long):
    load_user = people._people.load_user
    people.user(lambda: take_long() or load_user())

    assert redeem(get_code()).status_code == 200


def test_a_slow_introspection_policy_spends_nothing_of_the_stores_time(oauth, get_code, redeem, post, take_long):
    token = redeem(get_code()).json["access_token"]

    @oauth.introspection_policy
    def policy(caller, claims):
        take_long()
        return True

    answer = post("/oauth2/introspect", token=token, owner=APP_ID)
    assert answer.json["active"] is True
