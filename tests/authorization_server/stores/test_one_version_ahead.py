"""This code on the database of the next version, as it is during an upgrade: old and new workers side by side.

The database has what a later migration may add. ``test_migrations_that_only_add.py`` holds migrations to that.
"""

import json
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import text

from flask_private_key_jwt import health_blueprint
from flask_private_key_jwt.authorization_server.stores.tables.all_tables import TABLE_NAMES
from flask_private_key_jwt.jose.derived import Secrets
from flask_private_key_jwt.replay.base import ASSERTION, Mark
from tests.authorization_server.conftest import APP_ID
from tests.conftest import CLIENT_ID, ISSUER, close, make_app
from tests.refusals import causes

LATER = "from_a_later_version"


@pytest.fixture
def settings(sql_url: str) -> dict[str, Any]:
    return {
        "SQLALCHEMY_DATABASE_URI": sql_url,
        "OAUTH2_REPLAY_STORE": "sql",
        "OAUTH2_AUDIT": "sql",
        "OAUTH2_REGISTRATION": "open",
        "OAUTH2_REGISTRATION_SCOPES": ["read"],
    }


def run(app: Any, statement: str) -> None:
    with app.app_context(), app.extensions["sqlalchemy"].engine.begin() as connection:
        connection.execute(text(statement))


@pytest.fixture
def ahead(app):
    """The app, while a migration of the next version adds what one may add to every table."""
    added = [f"ADD COLUMN {LATER}_1 INTEGER", f"ADD COLUMN {LATER}_2 INTEGER DEFAULT 7 NOT NULL"]
    together = added if app.config["SQLALCHEMY_DATABASE_URI"].startswith("sqlite") else [", ".join(added)]
    for table in TABLE_NAMES:
        for change in together:
            run(app, f"ALTER TABLE {table} {change}")
    run(app, f"CREATE TABLE oauth2_{LATER} (id INTEGER PRIMARY KEY)")
    app.register_blueprint(health_blueprint())
    return app


def command(app: Any, *words: str, given: str | None = None) -> str:
    done = app.test_cli_runner().invoke(args=["oauth2", *words], input=given)
    assert done.exit_code == 0, done.output
    return done.output


def test_it_is_ready(ahead):
    assert find_unready(ahead) == set()


def find_unready(app: Any) -> set[str]:
    """The checks that fail; a database has a clock of its own, and that of a test stands still."""
    checks = app.test_client().get("/health/ready").json["checks"]
    return {name for name, succeeded in checks.items() if not succeeded} - {"clock"}


def test_a_column_that_is_missing_is_another_matter(app):
    other, _, db = make_app(app.config["SQLALCHEMY_DATABASE_URI"], OAUTH2_REPLAY_STORE="sql")
    run(other, "ALTER TABLE oauth2_refresh_token DROP COLUMN last_used_at")
    other.register_blueprint(health_blueprint())

    assert find_unready(other) == {"migration"}
    close(other, db)


def test_machines_get_tokens_and_each_jti_counts_once(
    ahead, ask_token, build_assertion, build_dpop, introspect, revoke, refusals
):
    assertion, proof = build_assertion(), build_dpop()
    token = ask_token(assertion=assertion, proof=proof).json["access_token"]
    assert introspect(token).json["active"] is True
    assert revoke(token).status_code == 200
    assert introspect(token).json["active"] is False

    assert ask_token(assertion=assertion).json["error"] == "invalid_client"
    assert ask_token(proof=proof).json["error"] == "invalid_dpop_proof"
    assert causes(refusals)[-2:] == ["assertion_replayed", "proof_replayed"]


def test_people_sign_in_and_stay_signed_in(ahead, push, browser, get_code, redeem, refresh, oauth):
    uri = push().json["request_uri"]
    assert browser.sign_in().open({"client_id": APP_ID, "request_uri": uri}).status_code == 200
    tokens = redeem(get_code()).json
    assert refresh(tokens["refresh_token"]).status_code == 200

    with ahead.app_context():
        oauth.revoke(subject="alice")
    assert refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_clients_register_themselves(ahead, client_key):
    http = ahead.test_client()
    wanted = {"jwks": {"keys": [client_key.public_jwk()]}, "redirect_uris": ["https://app.example/callback"]}
    made = http.post("/oauth2/register", json={**wanted, "client_name": "Self"})
    assert made.status_code == 201, made.json

    headers = {"Authorization": f"Bearer {made.json['registration_access_token']}"}
    path = made.json["registration_client_uri"].removeprefix(ISSUER)
    assert http.get(path, headers=headers).json["client_name"] == "Self"
    assert http.delete(path, headers=headers).status_code == 204


def test_operators_do_their_work(ahead, client, keys):
    other = json.dumps({"keys": [keys("ES256", "other").public_jwk()]})
    command(ahead, "client", "add-key", CLIENT_ID, "-", given=other)
    command(ahead, "client", "update", CLIENT_ID, "--scope", "read")
    command(ahead, "client", "list")
    command(ahead, "client", "disable", CLIENT_ID)
    command(ahead, "registration-token", "create")
    command(ahead, "key", "rotate", "--now")
    command(ahead, "key", "list")
    command(ahead, "grants", "list")
    assert "client_changed" in command(ahead, "audit")
    command(ahead, "client", "remove", CLIENT_ID, "--yes")


def test_what_has_ended_is_purged(ahead, ask_token, clock):
    ask_token()
    clock.move(7200)

    assert not command(ahead, "purge").startswith("0 ")


def test_a_member_of_a_client_that_only_later_code_knows_stays(ahead, client, oauth, ask_token):
    with ahead.app_context():
        engine = ahead.extensions["sqlalchemy"].engine
        with engine.begin() as connection:
            stored = json.loads(connection.scalar(text("SELECT client_metadata FROM oauth2_client")))
            changed = json.dumps({**stored, LATER: ["x"]})
            connection.execute(text("UPDATE oauth2_client SET client_metadata = :new, version = 'n'"), {"new": changed})
        assert ask_token().status_code == 200

        oauth.clients.update(CLIENT_ID, {"client_name": "Renamed"})

        with engine.connect() as connection:
            stored = json.loads(connection.scalar(text("SELECT client_metadata FROM oauth2_client")))
    assert (stored["client_name"], stored[LATER]) == ("Renamed", ["x"])


# --- what two versions have to agree on ------------------------------------------------------------------------------
def test_a_mark_and_a_derived_key_are_the_same_in_every_version():
    mark = Mark(ASSERTION, ISSUER, "console", "a jti", 1_800_000_060, 1_800_000_000)
    (key,) = Secrets(("a secret of more than thirty-two characters",)).derive("signing keys")

    # Never change these: workers of the former version would not know what was used, nor read a key.
    assert mark.digest() == sha256(f"{ASSERTION}\0{ISSUER}\0console\0a jti".encode()).digest()
    assert key.hex() == "36e98ae9a02de93946a3feea1c05077081c70f0fb9c5458df791fd10e83d680e"
