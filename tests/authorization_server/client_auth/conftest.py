"""Clients that have shared secrets."""

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

import flask
import pytest
from werkzeug.test import TestResponse

from flask_private_key_jwt import PrivateKeyJWT
from tests.conftest import CLIENT_ID

PASSWORD = "a shared secret, 100% long enough + more"
"""It is something else once it is form-urlencoded."""
UNTIL = "2027-02-01"
SECONDS_UNTIL = 16 * 86400 + 16 * 3600
"""From the start of a test to :data:`UNTIL`."""


def basic(client_id: str, password: str) -> dict[str, str]:
    """The header of RFC 6749 §2.3.1."""
    joined = f"{quote_plus(client_id)}:{quote_plus(password)}"
    return {"Authorization": f"Basic {base64.b64encode(joined.encode()).decode()}"}


@pytest.fixture
def give(app: flask.Flask, oauth: PrivateKeyJWT) -> Callable[..., str]:
    """Give a client a secret: ``give(method="client_secret_post", secret=…)``; the answer is its name."""

    def give(client_id: str = CLIENT_ID, *, secret: Any = PASSWORD, **options: Any) -> str:
        with app.app_context():
            return oauth.clients.secrets.give(client_id, secret=secret, **options).described.name

    return give


@pytest.fixture
def secrets_of(app: flask.Flask, oauth: PrivateKeyJWT) -> Callable[..., Any]:
    """What is known of the secrets of a client."""

    def secrets_of(client_id: str = CLIENT_ID) -> Any:
        with app.app_context():
            return oauth.clients.secrets.all(client_id)

    return secrets_of


@pytest.fixture
def keyless(register: Callable[..., Any]) -> Any:
    """A client that has no keys yet."""
    return register(
        client_id=CLIENT_ID,
        token_endpoint_auth_method="client_secret_basic",
        scope="read write",
        default_scope="read",
    )


@pytest.fixture
def post_form(app: flask.Flask) -> Callable[..., TestResponse]:
    """Post a token request, or another form: ``post_form(headers=…, client_secret=…)``."""

    def post_form(path: str = "token", *, headers: Any = None, **form: Any) -> TestResponse:
        fields = {"grant_type": "client_credentials", **form} if path == "token" else form
        data = {name: value for name, value in fields.items() if value is not None}
        return app.test_client().post(f"/oauth2/{path}", data=data, headers=headers or {})

    return post_form


@pytest.fixture
def show_basic(post_form: Callable[..., TestResponse]) -> Callable[..., TestResponse]:
    """Show a secret by HTTP Basic."""

    def show_basic(
        password: str = PASSWORD, client_id: str = CLIENT_ID, path: str = "token", headers: Any = None, **form: Any
    ) -> TestResponse:
        return post_form(path, headers={**basic(client_id, password), **(headers or {})}, **form)

    return show_basic


@pytest.fixture
def show_post(post_form: Callable[..., TestResponse]) -> Callable[..., TestResponse]:
    """Show a secret in the form."""

    def show_post(
        password: str = PASSWORD, client_id: str = CLIENT_ID, path: str = "token", **form: Any
    ) -> TestResponse:
        return post_form(path, **{"client_id": client_id, "client_secret": password, **form})

    return show_post
