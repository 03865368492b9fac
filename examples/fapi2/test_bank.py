"""Tests of the bank: what FAPI 2.0 demands of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bank import create_app, db
from flask import Flask

from flask_private_key_jwt.errors import OAuthError
from flask_private_key_jwt.testing import APIClient, Attack, InProcessServer


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(
        SECRET_KEY="for tests only, and long enough for them",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/test.sqlite",
        OAUTH2_REFUSALS_KEPT_SECONDS=0,
    )
    yield app
    with app.app_context():
        db.engine.dispose()


def test_accounts_withstand_every_attack(resource_server: APIClient, attack: Attack) -> None:
    answer = resource_server.get("/accounts", subject="alice", scope="accounts")

    assert answer.json == {"accounts": [{"of": "alice", "balance": "42.00"}]}
    assert "as_bearer" in attack.everything()
    attack.without_scope()


def test_the_bank_gives_no_bearer_token(authorization_server: InProcessServer) -> None:
    with pytest.raises(OAuthError):
        authorization_server.token(subject="alice", scope="accounts", dpop=False)


def test_a_request_that_was_not_pushed_is_refused(authorization_server: InProcessServer) -> None:
    authorization_server.register(
        "third-party",
        scope="accounts",
        grant_types=["authorization_code"],
        redirect_uris=["https://third-party.example/callback"],
    )
    query = {"client_id": "third-party", "response_type": "code", "scope": "accounts"}

    answer = authorization_server.app.test_client().get("/oauth2/authorize", query_string=query)

    assert answer.status_code == 400
    assert authorization_server.refusals[-1].cause == "request_not_pushed"
