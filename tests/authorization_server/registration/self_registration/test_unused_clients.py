"""Clients that registered themselves and were never used are deleted by ``flask oauth2 purge``; no other client is."""

import pytest
from sqlalchemy import text

from tests.conftest import START

DAY = 86400
TOKEN = {"OAUTH2_REGISTRATION": "token", "OAUTH2_SCOPES": ["read", "write", "admin"]}


@pytest.fixture
def purge(app):
    return lambda: app.test_cli_runner().invoke(args=["oauth2", "purge"]).stdout


@pytest.fixture
def is_there(rows):
    return lambda: [row["client_id"] for row in rows("oauth2_client")]


def test_client_that_was_never_used_is_deleted_with_its_keys(registered, purge, is_there, clock, rows):
    clock.move(90 * DAY)
    purge()
    assert is_there() == [registered["client_id"]]
    clock.move(1)

    assert purge() != "0 expired entries deleted.\n"
    assert (is_there(), rows("oauth2_client_key")) == ([], [])


def test_client_that_has_authenticated_once_stays(registered, ask_token_as, client_key, purge, is_there, clock):
    assert ask_token_as(registered["client_id"], client_key) == 200
    clock.move(400 * DAY)
    purge()

    assert is_there() == [registered["client_id"]]


def test_client_that_was_changed_stays(registered, manage, purge, is_there, clock):
    """A change of its keys forgets when the old ones signed."""
    clock.move(1)
    manage("PATCH", {"client_name": "Other"})
    clock.move(400 * DAY)
    purge()

    assert is_there() == [registered["client_id"]]


def test_operators_client_stays(register, client_key, purge, is_there, clock):
    register(client_id="mine", jwks={"keys": [client_key.public_jwk()]})
    clock.move(400 * DAY)
    purge()

    assert is_there() == ["mine"]


TRACES = {
    "consent": "INSERT INTO oauth2_consent (digest, client_id, subject, scope, resources, given_at)"
    " VALUES (x'00', :client, 'alice', '', '', 0)",
    "refresh token": "INSERT INTO oauth2_refresh_token (digest, grant_id, client_id, subject, scope, resources,"
    " dpop_bound, idle_until, expires_at) VALUES (x'00', 'g', :client, 'alice', '', '', 1, :far, :far)",
    "code": "INSERT INTO oauth2_authorization_code (digest, grant_id, client_id, subject, scope, resources,"
    " redirect_uri, code_challenge, expires_at) VALUES (x'00', 'g', :client, 'alice', '', '', 'https://a', 'c', :far)",
}


@pytest.mark.parametrize("trace", TRACES)
def test_client_that_somebody_has_used_stays(server, registered, purge, is_there, clock, trace):
    """Public clients have no key that signs."""
    app, _, db = server
    values = {"client": registered["client_id"], "far": START + 1000 * DAY}
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(
            text(TRACES[trace]).bindparams(**{k: v for k, v in values.items() if f":{k}" in TRACES[trace]})
        )
    clock.move(400 * DAY)
    purge()

    assert is_there() == [registered["client_id"]]


@pytest.mark.parametrize(
    ("client_metadata", "stays"),
    [
        ('{"grant_types": ["authorization_code"]}', False),
        ('{"grant_types": ["authorization_code", "urn:own"]}', True),
        ("{}", True),
        ('{"grant_types": "authorization_code"}', True),
        ("damaged", True),
    ],
)
def test_client_of_an_applications_own_grant_stays_since_its_use_may_leave_no_trace(
    server, registered, purge, is_there, clock, client_metadata, stays
):
    app, _, db = server
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("UPDATE oauth2_client SET client_metadata = :now").bindparams(now=client_metadata))
    clock.move(400 * DAY)
    purge()

    assert (is_there() == [registered["client_id"]]) is stays


@pytest.mark.parametrize("settings", [{**TOKEN, "OAUTH2_REGISTRATION_UNUSED_SECONDS": 0}])
def test_where_it_is_switched_off_every_client_stays(registered, purge, is_there, clock):
    clock.move(400 * DAY)
    purge()

    assert is_there() == [registered["client_id"]]


def test_it_works_in_batches_and_leaves_the_used_between(
    app, post, create_token, ask_token_as, client_key, is_there, clock
):
    token = create_token(uses=7)
    made = [post(token).json["client_id"] for _ in range(7)]
    assert ask_token_as(made[3], client_key) == 200
    clock.move(91 * DAY)
    with app.app_context():
        assert app.extensions["private_key_jwt"].unused_clients.purge(batch=2) == 6

    assert is_there() == [made[3]]
