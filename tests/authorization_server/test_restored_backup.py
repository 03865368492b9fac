"""A database that is restored from yesterday's backup: what is forgotten, what comes back, and what helps.

``docs/deployment.md`` says all of it under "Backup and restore".
"""

import json
import shutil
import subprocess
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flask
import pytest

from flask_private_key_jwt import PrivateKeyJWT
from tests.authorization_server.conftest import APP_ID
from tests.conftest import ASSERTION_TYPE, CLIENT_ID, close, make_app
from tests.refusals import causes, noting_refusals
from tests.servers.throwaway import miss

NIGHT = 3600


def kid_of(token: str) -> str:
    """Which key signed a token."""
    kid: str = json.loads(urlsafe_b64decode(token.partition(".")[0] + "=="))["kid"]
    return kid


@pytest.fixture
def settings(postgres_url: str) -> dict[str, Any]:
    return {
        "SQLALCHEMY_DATABASE_URI": postgres_url,
        "OAUTH2_REPLAY_STORE": "sql",
        "OAUTH2_AUDIT": "sql",
        "OAUTH2_REFRESH_TOKEN_ROTATION": "all",
    }


@dataclass
class Backup:
    """The commands of the page, on the database of the test."""

    file: Path
    url: str

    def dump(self) -> None:
        self._run("pg_dump", "--format=custom", f"--file={self.file}", self.url)

    def restore(self) -> None:
        self._run(
            "pg_restore",
            "--clean",
            "--if-exists",
            "--exit-on-error",
            "--single-transaction",
            f"--dbname={self.url}",
            str(self.file),
        )

    def _run(self, program: str, *words: str) -> None:
        if shutil.which(program) is None:
            miss(f"no {program} is installed")
        subprocess.run([program, *words], check=True, capture_output=True, text=True)


@pytest.fixture
def backup(postgres_url: str, tmp_path: Path) -> Backup:
    return Backup(tmp_path / "token-server.dump", postgres_url.replace("+psycopg", ""))


@dataclass
class Restarted:
    """The server as it starts on the restored database."""

    app: flask.Flask
    oauth: PrivateKeyJWT
    build_assertion: Any

    def post(self, path: str, *, owner: str = CLIENT_ID, assertion: str | None = None, **form: str) -> Any:
        signed = assertion or self.build_assertion(iss=owner, sub=owner)
        fields = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed, **form}
        return self.app.test_client().post(path, data=fields)

    def ask_token(self, assertion: str | None = None) -> Any:
        return self.post("/oauth2/token", assertion=assertion, grant_type="client_credentials")

    def refresh(self, token: str) -> Any:
        return self.post("/oauth2/token", owner=APP_ID, grant_type="refresh_token", refresh_token=token)

    def is_active(self, token: str) -> bool:
        active: bool = self.post("/oauth2/introspect", token=token).json["active"]
        return active

    def kids(self) -> set[str]:
        return {key["kid"] for key in self.app.test_client().get("/oauth2/jwks").json["keys"]}

    def run(self, *words: str) -> Any:
        return self.app.test_cli_runner().invoke(args=["oauth2", *words])


@pytest.fixture
def restart(settings, build_assertion) -> Iterator[Any]:
    """Starts the server anew: nothing of the former process is left."""
    opened = []

    def restart(**changes: Any) -> Restarted:
        app, oauth, db = make_app(settings["SQLALCHEMY_DATABASE_URI"], **{**settings, **changes})
        opened.append((app, db))
        oauth.user(lambda: None)
        oauth.sign_in(lambda page: page.return_url)
        return Restarted(app, oauth, build_assertion)

    yield restart
    for app, db in opened:
        close(app, db)


# --- what comes back --------------------------------------------------------------------------------------------------
def test_what_was_revoked_since_the_backup_works_again_until_it_is_revoked_again(
    app, oauth, get_code, redeem, refresh, backup, restart, clock
):
    token = redeem(get_code()).json["refresh_token"]
    backup.dump()
    clock.move(NIGHT)
    with app.app_context():
        oauth.revoke(subject="alice")
    assert refresh(token).json["error"] == "invalid_grant"

    backup.restore()

    after = restart()
    assert after.refresh(token).status_code == 200
    assert after.run("revoke", "--subject", "alice", "--yes").exit_code == 0
    assert after.refresh(token).json["error"] == "invalid_grant"


def test_a_client_that_was_disabled_since_is_let_in_again(app, oauth, ask_token, backup, restart):
    backup.dump()
    with app.app_context():
        oauth.clients.disable(CLIENT_ID)
    assert ask_token().json["error"] == "invalid_client"

    backup.restore()

    after = restart()
    assert after.ask_token().status_code == 200
    assert after.run("client", "disable", CLIENT_ID).exit_code == 0
    assert after.ask_token().json["error"] == "invalid_client"


def test_a_signing_key_that_was_retired_since_is_published_again(app, ask_token, backup, restart):
    stolen = kid_of(ask_token().json["access_token"])
    backup.dump()
    assert app.test_cli_runner().invoke(args=["oauth2", "key", "retire", stolen, "--yes"]).exit_code == 0

    backup.restore()

    after = restart()
    assert stolen in after.kids()
    assert after.run("key", "retire", stolen, "--yes").exit_code == 0
    assert stolen not in after.kids()


# --- what is forgotten ------------------------------------------------------------------------------------------------
def test_what_was_used_since_can_be_used_again_until_it_has_expired(ask_token, build_assertion, backup, restart, clock):
    assertions = [build_assertion(exp=clock.now + 300) for _ in range(2)]
    ask_token()
    backup.dump()
    assert {ask_token(assertion=assertion).status_code for assertion in assertions} == {200}

    backup.restore()

    after = restart()
    assert after.ask_token(assertions[0]).status_code == 200  # so nobody may ask before it has expired
    clock.move(300 + 10)
    with noting_refusals(after.app) as refusals:
        assert after.ask_token(assertions[1]).json["error"] == "invalid_client"
    assert causes(refusals) == ["assertion_expired"]


def test_a_replay_store_of_its_own_forgets_nothing(
    ask_token, build_assertion, backup, restart, settings, redis_url, clock
):
    settings["OAUTH2_REPLAY_STORE"] = redis_url
    before = restart()
    assertion = build_assertion(exp=clock.now + 300)
    backup.dump()
    assert before.ask_token(assertion).status_code == 200

    backup.restore()

    after = restart()
    with noting_refusals(after.app) as refusals:
        assert after.ask_token(assertion).json["error"] == "invalid_client"
    assert causes(refusals) == ["assertion_replayed"]


def test_what_was_given_out_since_is_unknown(app, oauth, get_code, redeem, client, backup, restart):
    backup.dump()
    token = redeem(get_code()).json["refresh_token"]
    with app.app_context():
        oauth.clients.add({**oauth.clients.describe(CLIENT_ID), "client_id": "newcomer"})

    backup.restore()

    after = restart()
    assert after.refresh(token).json["error"] == "invalid_grant"
    assert (
        after.post("/oauth2/token", owner="newcomer", grant_type="client_credentials").json["error"] == "invalid_client"
    )


def test_of_a_refresh_token_that_was_replaced_since_the_former_works_again(
    get_code, redeem, refresh, backup, restart, settings
):
    former = redeem(get_code()).json["refresh_token"]
    backup.dump()
    newer = refresh(former).json["refresh_token"]
    assert newer != former

    backup.restore()

    after = restart()
    assert after.refresh(newer).json["error"] == "invalid_grant"
    assert after.refresh(former).status_code == 200


def test_tokens_of_a_key_that_is_younger_than_the_backup_are_not_active(app, ask_token, backup, restart, clock):
    older = ask_token().json["access_token"]
    backup.dump()
    assert app.test_cli_runner().invoke(args=["oauth2", "key", "rotate", "--now"]).exit_code == 0
    younger = ask_token().json["access_token"]

    backup.restore()

    after = restart()
    assert after.is_active(older)
    assert not after.is_active(younger)
    assert kid_of(younger) not in after.kids()


def test_the_audit_trail_says_what_it_has_lost_to_whoever_kept_its_end(app, oauth, client, backup, restart):
    backup.dump()
    known = restart()
    with app.app_context():
        oauth.clients.disable(CLIENT_ID)
    end = known.run("audit", "--head").output.strip()

    backup.restore()

    after = restart()
    assert after.run("audit").exit_code == 0
    assert after.run("audit", "--against", end).exit_code == 1


# --- the secret that is not in the backup ------------------------------------------------------------------------
def test_without_the_secret_nothing_is_issued_and_no_key_takes_the_place_of_the_old(ask_token, backup, restart):
    kid = kid_of(ask_token().json["access_token"])
    backup.dump()
    backup.restore()

    stranger = restart(SECRET_KEY="another secret than that of the backup, long enough")
    assert stranger.ask_token().status_code == 503

    after = restart()
    assert after.ask_token().status_code == 200
    assert kid in after.kids()
