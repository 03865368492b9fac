"""Tests of the app: both of its roles, in the process of the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from app import create_app, db
from flask import Flask

from flask_private_key_jwt.testing import APIClient, Attack, InProcessServer, TimeMachine


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(
        SECRET_KEY="for tests only, and long enough for them",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/test.sqlite",
        OAUTH2_ISSUER="https://notes.example",
        OAUTH2_RESOURCE="https://notes.example",
        OAUTH2_REFUSALS_KEPT_SECONDS=0,
    )
    yield app
    with app.app_context():
        db.engine.dispose()


def test_notes_withstand_every_attack(resource_server: APIClient, attack: Attack) -> None:
    answer = resource_server.get("/notes", client_id="reader", scope="notes")

    assert answer.json == {"notes": ["buy tea"], "for": "reader"}
    attack.everything()
    attack.without_scope()


def test_an_assertion_gets_one_token(authorization_server: InProcessServer) -> None:
    authorization_server.register("reader", scope="notes")
    assert authorization_server.request_token("reader").status_code == 200

    assert authorization_server.last_request is not None
    assert authorization_server.send(authorization_server.last_request).status_code == 400
    assert authorization_server.refusals[-1].cause == "assertion_replayed"


def test_a_token_ends(
    authorization_server: InProcessServer, resource_server: APIClient, time_machine: TimeMachine
) -> None:
    token = authorization_server.token(scope="notes")
    time_machine.move(minutes=11)

    assert resource_server.get("/notes", token=token).status_code == 401
