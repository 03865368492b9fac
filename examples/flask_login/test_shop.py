"""Tests of the site: its people, and what programs may do for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from shop import create_app, db

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


def test_a_program_acts_for_a_person(resource_server: APIClient, attack: Attack) -> None:
    assert resource_server.get("/orders", subject="alice", scope="orders").json == {"of": "alice", "orders": ["tea"]}
    attack.everything()
    attack.without_scope()


def test_a_token_signs_nobody_in(resource_server: APIClient) -> None:
    assert resource_server.get("/", subject="alice", scope="orders").status_code == 302


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example", "https://evil.example/", "/\\evil.example", "\\\\evil.example"]
)
def test_signing_in_leads_nowhere_else(authorization_server: InProcessServer, elsewhere: str) -> None:
    browser = authorization_server.app.test_client()
    form = {"name": "alice", "password": "wonderland"}

    answer = browser.post("/sign-in", query_string={"next": elsewhere}, data=form)

    assert answer.headers["Location"] == "/"
    assert browser.get("/").text == "You are alice."


def test_a_wrong_password_is_refused(authorization_server: InProcessServer) -> None:
    browser = authorization_server.app.test_client()

    assert browser.post("/sign-in", data={"name": "alice", "password": "x"}).status_code == 403
    assert browser.post("/sign-in", data={"name": "nobody", "password": "x"}).status_code == 403
    assert browser.get("/").status_code == 302
