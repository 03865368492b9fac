"""The clients that the database has."""

import json

import pytest
from sqlalchemy import text

from flask_private_key_jwt.client import generate_key
from flask_private_key_jwt.client.keygen import CertificateWish, build_key_files

DAY = 86400
IDS = (
    "client-registrations",
    "client-keys-strong",
    "client-keys-end",
    "client-keys-age",
    "client-secrets",
    "clients-signed",
    "clients-usable",
)
WEAK = {"kty": "RSA", "e": "AQAB", "n": "sA" + "A" * 169 + "Q", "kid": "weak"}
"""A public key of 1024 bits."""


def test_client_is_right(look, client):
    for identifier in IDS:
        assert look(identifier).ok, identifier


def write_keys(server, keys):
    """Write a client's keys as somebody does who knows SQL."""
    app, _, db = server
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("UPDATE oauth2_client SET jwks = :jwks"), {"jwks": json.dumps({"keys": keys})})


def test_weak_key_is_noticed(server, look, client, client_key):
    write_keys(server, [client_key.public_jwk(), WEAK])

    found = look("client-keys-strong")

    assert found.ok is False
    assert "console" in found.why
    assert "not 2048 to 8192 bits" in found.why
    assert "add-key" in found.change


@pytest.mark.parametrize("settings", [{"OAUTH2_ASSERTION_SIGNING_ALGS": ["ES256", "PS256"]}])
def test_key_that_no_accepted_algorithm_can_use_is_noticed(server, look, client):
    write_keys(server, [generate_key("ES384").public_jwk()])

    found = look("client-keys-strong")

    assert found.ok is False
    assert "a key for ES384 only" in found.why
    assert look("clients-usable").ok is False


def test_disabled_client_is_left_alone(server, app, oauth, look, client):
    write_keys(server, [WEAK])
    with app.app_context():
        oauth.clients.disable("console")

    for identifier in IDS:
        assert look(identifier).ok, identifier


@pytest.mark.parametrize(("days", "ok"), [(20, False), (40, True)])
def test_certificate_that_ends_soon_is_noticed(look, register, clock, days, ok):
    files = build_key_files("x", generate_key("ES256"), certificate=CertificateWish("billing", days))
    register(**json.loads(files[-1].content), client_id="billing", scope="read")

    found = look("client-keys-end")

    assert found.ok is ok
    assert ok or "billing (in 1" in found.why or "billing (in 20" in found.why


def test_old_key_is_noticed(look, client, clock):
    clock.move(400 * DAY)
    found = look("client-keys-age")
    assert found.ok
    assert "1 for more than one" in found.why

    clock.move(700 * DAY)

    assert look("client-keys-age").ok is False


def test_client_that_never_signed_is_noticed_once_it_is_old(look, client, ask_token, clock):
    clock.move(31 * DAY)

    found = look("clients-signed")

    assert found.ok is False
    assert "console" in found.why
    assert ask_token(scope="read").status_code == 200
    assert look("clients-signed").ok


@pytest.fixture
def build_assertion(site, client_key, clock):
    from flask_private_key_jwt.client import build_client_assertion

    return lambda: build_client_assertion("console", site.url, key=client_key)


def test_many_are_counted_and_hostile_names_are_harmless(look, register, client_key, clock):
    for number in range(5):
        register(client_id=f"{number}" + "x" * 200, jwks={"keys": [client_key.public_jwk()]}, scope="read")
    clock.move(31 * DAY)

    why = look("clients-signed").why

    assert why.endswith("and 2 more.")
    assert len(why) < 400


def test_client_that_can_do_nothing_is_noticed(look, register, client_key):
    register(client_id="idle", jwks={"keys": [client_key.public_jwk()]})

    found = look("clients-usable")

    assert found.ok is False
    assert "idle (it has no scope, so it gets no token)" in found.why


def test_client_that_the_rules_would_not_take_today_is_noticed(server, look, client):
    app, _, db = server
    with app.app_context(), db.engine.begin() as connection:
        members = json.loads(connection.execute(text("SELECT client_metadata FROM oauth2_client")).scalar_one())
        changed = {**members, "redirect_uris": ["http://app.example/callback"], "grant_types": ["authorization_code"]}
        connection.execute(
            text("UPDATE oauth2_client SET client_metadata = :changed"), {"changed": json.dumps(changed)}
        )

    found = look("client-registrations")

    assert found.ok is False
    assert "console (" in found.why
    assert look("rfc9700-2.1-redirect-uris").ok is False


@pytest.mark.parametrize("settings", [{"OAUTH2_CLIENT_SECRETS_UNTIL": "2099-01-01"}])
def test_shared_secret_is_noticed(look, app, oauth, client):
    assert look("client-secrets").ok

    with app.app_context():
        oauth.clients.secrets.give("console")

    found = look("client-secrets")
    assert found.ok is False
    assert "console" in found.why
    assert look("rfc9700-2.5-client-authentication").ok is False
    assert look("weakness-client-secrets-until").ok is False
