"""An authorization server that takes registrations, a token for one, and a client that manages itself."""

from collections.abc import Callable
from typing import Any

import flask
import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from flask_private_key_jwt.authorization_server.state import current_state
from flask_private_key_jwt.jose import jose
from tests.authorization_server.registration.self_registration.answers import REGISTER
from tests.conftest import ASSERTION_TYPE, ISSUER


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"OAUTH2_REGISTRATION": "token", "OAUTH2_SCOPES": ["read", "write", "admin"]}


@pytest.fixture
def create_token(app: flask.Flask) -> Callable[..., str]:
    """Make a registration token: ``create_token(uses=2, may_choose_client_id=True)``."""

    def create_token(*, uses: int = 1, lifetime: int = 3600, **options: Any) -> str:
        with app.app_context():
            return current_state().registration_tokens.create(uses=uses, lifetime=lifetime, **options)[0]

    return create_token


@pytest.fixture
def metadata(client_key: jose.PrivateKey) -> dict[str, Any]:
    """A registration that is accepted; a test changes one thing of it."""
    return {"jwks": {"keys": [client_key.public_jwk()]}, "scope": "read write", "client_name": "Console"}


@pytest.fixture
def post(app: flask.Flask, metadata: dict[str, Any]) -> Callable[..., TestResponse]:
    """Send a registration, changed: ``post(token, scope=5)``; ``None`` leaves a member out."""

    def post(token: str | None = None, *, path: str = REGISTER, headers: Any = None, **changes: Any) -> TestResponse:
        body = {name: value for name, value in {**metadata, **changes}.items() if value is not None}
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        return app.test_client().post(path, json=body, headers={**sent, **(headers or {})})

    return post


@pytest.fixture
def post_raw(app: flask.Flask, create_token: Callable[..., str]) -> Callable[..., TestResponse]:
    """Send any body with a good token."""

    def post_raw(body: bytes, content_type: str = "application/json") -> TestResponse:
        headers = {"Authorization": f"Bearer {create_token()}", "Content-Type": content_type}
        return app.test_client().post(REGISTER, data=body, headers=headers)

    return post_raw


@pytest.fixture
def registered(post: Callable[..., TestResponse], create_token: Callable[..., str]) -> dict[str, Any]:
    """The answer to a registration: a client with the scopes read and write."""
    answer = post(create_token())
    assert answer.status_code == 201
    assert answer.json is not None
    return dict(answer.json)


@pytest.fixture
def manage(app: flask.Flask, registered: dict[str, Any]) -> Callable[..., TestResponse]:
    """Send a request to the client configuration endpoint: ``manage("PATCH", {"scope": "read"})``."""

    def manage(
        method: str,
        body: Any = None,
        *,
        token: str | None = registered["registration_access_token"],
        uri: str = registered["registration_client_uri"],
        **options: Any,
    ) -> TestResponse:
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        headers = {**sent, **options.pop("headers", {})}
        if body is not None:
            options["json"] = body
        return app.test_client().open(uri.removeprefix(ISSUER), method=method, headers=headers, **options)

    return manage


@pytest.fixture
def ask_token_as(app: flask.Flask, build_assertion: Callable[..., str]) -> Callable[..., int]:
    """The status of a token request of any client, with any key."""

    def ask_token_as(client_id: str, key: jose.PrivateKey, scope: str = "read") -> int:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": build_assertion(key=key, iss=client_id, sub=client_id),
            "scope": scope,
        }
        return app.test_client().post("/oauth2/token", data=form).status_code

    return ask_token_as


@pytest.fixture
def rows(server: Any) -> Callable[[str], list[dict[str, Any]]]:
    """The rows of a table, as they are in the database."""
    app, _, db = server

    def rows(table: str) -> list[dict[str, Any]]:
        with app.app_context(), db.engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(text(f"SELECT * FROM {table}"))]

    return rows
