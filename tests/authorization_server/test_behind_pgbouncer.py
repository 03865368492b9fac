"""The whole server on a database behind PgBouncer, in the modes of ``docs/deployment.md``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from tests.authorization_server.test_restored_backup import kid_of
from tests.conftest import CLIENT_ID
from tests.refusals import causes
from tests.servers.pgbouncer import pgbouncer

REQUESTS = 12
"""More than a driver sends before it prepares a statement on the server."""
AS_DOCUMENTED = {"connect_args": {"prepare_threshold": None}}


@pytest.fixture(params=["session", "transaction"])
def settings(request: pytest.FixtureRequest, postgres_url: str, tmp_path: Path) -> Iterator[dict[str, Any]]:
    with pgbouncer(postgres_url, tmp_path, mode=request.param) as url:
        options = {} if request.param == "session" else AS_DOCUMENTED
        yield {
            "SQLALCHEMY_DATABASE_URI": url,
            "SQLALCHEMY_ENGINE_OPTIONS": options,
            "OAUTH2_REPLAY_STORE": "sql",
            "OAUTH2_AUDIT": "sql",
        }


def test_tokens_are_issued_and_each_jti_counts_once(ask_token, build_assertion, build_dpop, refusals):
    assertions = [build_assertion() for _ in range(REQUESTS)]
    for assertion in assertions:
        assert ask_token(assertion=assertion, proof=build_dpop()).status_code == 200

    for assertion in assertions:
        assert ask_token(assertion=assertion).json["error"] == "invalid_client"
    assert causes(refusals) == ["assertion_replayed"] * REQUESTS


def test_people_sign_in_and_stay_signed_in(get_code, redeem, refresh):
    token = redeem(get_code()).json["refresh_token"]

    for _ in range(REQUESTS):
        assert refresh(token).status_code == 200


def test_an_operator_changes_clients_and_keys(app, ask_token):
    former = kid_of(ask_token().json["access_token"])
    for words in (["client", "update", CLIENT_ID, "--scope", "read"], ["key", "rotate", "--now"], ["purge"], ["audit"]):
        assert app.test_cli_runner().invoke(args=["oauth2", *words]).exit_code == 0

    assert kid_of(ask_token().json["access_token"]) != former


def test_statement_mode_takes_no_transaction_so_no_change_either(postgres_url, tmp_path):
    with pgbouncer(postgres_url, tmp_path, mode="statement") as url:
        engine = create_engine(url)
        with pytest.raises(OperationalError, match="transaction blocks not allowed"), engine.begin() as connection:
            connection.execute(text("SELECT 1"))
        engine.dispose()
