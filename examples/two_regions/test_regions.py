"""Tests of two regions with one database."""

from collections.abc import Iterator
from typing import Any

import api
import pytest
from flask import Flask
from region import create_app, db

from flask_private_key_jwt.testing import APIClient, Attack, InProcessServer


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What both regions have."""
    return {
        "SECRET_KEY": "for tests only, and long enough for them",
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path_factory.mktemp('regions')}/test.sqlite",
        "OAUTH2_REFUSALS_KEPT_SECONDS": 0,
    }


def make_region(settings: dict[str, Any]) -> Iterator[Flask]:
    app = create_app(**settings)
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(params=["west", "east"])
def oauth_app(request: pytest.FixtureRequest, west: Flask, east: Flask) -> Flask:
    """The region that gives the tokens: each in turn."""
    return west if request.param == "west" else east


@pytest.fixture
def west(settings: dict[str, Any]) -> Iterator[Flask]:
    yield from make_region(settings)


@pytest.fixture
def east(settings: dict[str, Any]) -> Iterator[Flask]:
    yield from make_region(settings)


@pytest.fixture
def oauth_api() -> Flask:
    return api.create_app()


def test_the_api_trusts_both(resource_server: APIClient, attack: Attack) -> None:
    assert resource_server.get("/values", scope="values").status_code == 200
    attack.everything()


def test_once_means_once_in_the_world(authorization_server: InProcessServer, west: Flask, east: Flask) -> None:
    assert authorization_server.request_token("traveller", scope="values").status_code == 200
    sent = authorization_server.last_request
    assert sent is not None

    for region in (west, east):
        again = region.test_client().post("/oauth2/token", data=sent.form, headers=sent.headers)
        assert again.status_code == 400
        assert again.json == {"error": "invalid_client", "error_description": "Client authentication failed."}
