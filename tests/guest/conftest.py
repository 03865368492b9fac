"""Somebody's app with the extension in it, and what its machines send."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import flask
import pytest
from werkzeug.test import Client, TestResponse

from flask_private_key_jwt.jose import jose
from tests.conftest import API, ASSERTION_TYPE, CLIENT_ID, ISSUER, SECRET, build_claims
from tests.guest import host
from tests.tables import create_tables


@pytest.fixture
def make_host(tmp_path: Any, client_key: jose.PrivateKey) -> Iterator[Callable[..., flask.Flask]]:
    """Makes host apps, each with a database of its own and the usual client in it."""
    made: list[flask.Flask] = []

    def make(database: str = "", **config: Any) -> flask.Flask:
        database = database or secrets.token_hex(4)
        options = {
            "SECRET_KEY": SECRET,
            "SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path}/{database}.sqlite",
            "OAUTH2_ISSUER": ISSUER,
            "OAUTH2_RESOURCES": [API],
            **config,
        }
        app = host.create_app(**options)
        with app.app_context():
            create_tables(host.db.engine, host.db.metadata)
            add_client(client_key)
        made.append(app)
        return app

    yield make
    for app in made:
        with app.app_context():
            host.db.engine.dispose()


def add_client(key: jose.PrivateKey) -> None:
    """Register the usual client in the current app."""
    metadata = {"client_id": CLIENT_ID, "jwks": {"keys": [key.public_jwk()]}, "scope": "read", "default_scope": "read"}
    host.oauth.clients.add(metadata)


@pytest.fixture
def host_app(make_host: Callable[..., flask.Flask]) -> flask.Flask:
    return make_host()


@pytest.fixture
def build_form(clock: Any, client_key: jose.PrivateKey) -> Callable[..., dict[str, str]]:
    """The form of a valid token request; the claims of the assertion may be changed."""

    def build(**claims: Any) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": jose.sign({}, build_claims(clock.now, **claims), client_key),
        }

    return build


@pytest.fixture
def ask(build_form: Callable[..., dict[str, str]]) -> Callable[..., TestResponse]:
    """Send a valid token request to a WSGI app: ``ask(app, path, aud=…)``."""

    def ask(app: Any, path: str = "/oauth2/token", **claims: Any) -> TestResponse:
        return Client(app).post(path, data=build_form(**claims))

    return ask
