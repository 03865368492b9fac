"""A database that does not answer is a 503 at every endpoint, within the time that a request gives its stores."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import flask
import pytest
from sqlalchemy import create_engine, text

from flask_private_key_jwt import ResourceProtector, current_token
from tests.conftest import API, ASSERTION_TYPE, CLIENT_ID, close, make_app
from tests.refusals import causes

TIMEOUT_SECONDS = 1
SOON_SECONDS = 5
"""The machine may be busy; the lock is held until the answer is there, however long that takes."""
NO_ANSWER = "database: no answer in time"


class User:
    def get_id(self) -> str:
        return "alice"


@pytest.fixture
def server(postgres_url: str) -> Iterator[Any]:
    """An authorization server with people, and an API in the same app."""
    app, oauth, db = make_app(
        postgres_url,
        OAUTH2_REPLAY_STORE="sql",
        OAUTH2_RESOURCE=API,
        OAUTH2_REGISTRATION="token",
        OAUTH2_STORE_TIMEOUT_SECONDS=TIMEOUT_SECONDS,
    )
    oauth.user(User)
    oauth.sign_in(lambda page: flask.redirect("/"))
    oauth.sign_out(lambda: None)
    require_oauth = ResourceProtector()
    require_oauth.init_app(app)
    app.get("/api")(require_oauth("read")(lambda: {"client": current_token["client_id"]}))
    yield app, oauth, db
    close(app, db)


@pytest.fixture
def lock(postgres_url: str) -> Callable[..., Any]:
    """``with lock("client"):`` nobody's statement on that table is answered before the end of the block."""

    @contextmanager
    def lock(table: str) -> Iterator[None]:
        engine = create_engine(postgres_url)
        with engine.begin() as connection:
            connection.execute(text(f"LOCK TABLE oauth2_{table} IN ACCESS EXCLUSIVE MODE"))
            yield
        engine.dispose()

    return lock


Ask = Callable[[flask.Flask, Callable[..., str], str], Any]


def post(path: str, **form: str) -> Ask:
    def ask(app: flask.Flask, build_assertion: Callable[..., str], _token: str) -> Any:
        fields = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": build_assertion()}
        return app.test_client().post(f"/oauth2/{path}", data={**fields, **form})

    return ask


def get(path: str, **query: str) -> Ask:
    return lambda app, _assertion, _token: app.test_client().get(f"/oauth2/{path}?{urlencode(query)}")


def call_api(app: flask.Flask, _assertion: Callable[..., str], token: str) -> Any:
    return app.test_client().get("/api", headers={"Authorization": f"Bearer {token}"})


def register(app: flask.Flask, _assertion: Callable[..., str], _token: str) -> Any:
    return app.test_client().post("/oauth2/register", json={}, headers={"Authorization": "Bearer x"})


ENDPOINTS: dict[str, tuple[str, Ask]] = {
    "token": ("client", post("token", grant_type="client_credentials")),
    "token, at the replay store": ("replay", post("token", grant_type="client_credentials")),
    "introspection": ("replay", post("introspect", token="x")),
    "revocation": ("refresh_token", post("revoke", token="x")),
    "pushed authorization": ("client", post("par", response_type="code")),
    "authorization": ("client", get("authorize", client_id=CLIENT_ID, response_type="code")),
    "logout": ("client", get("logout", client_id=CLIENT_ID)),
    "registration": ("registration_token", register),
    "API": ("revocation", call_api),
}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_answer_comes_in_time_and_nothing_is_issued(
    endpoint, app, client, lock, ask_token, build_assertion, refusals, issued
):
    token = ask_token().json["access_token"]
    issued.clear()
    table, ask = ENDPOINTS[endpoint]

    with lock(table):
        started = time.monotonic()
        answer = ask(app, build_assertion, token)
        seconds = time.monotonic() - started

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert TIMEOUT_SECONDS <= seconds < SOON_SECONDS
    assert (causes(refusals), issued) == (["database_timeout"], [])


def test_one_that_was_slow_is_no_reason_to_refuse_the_others_for_long(client, lock, ask_token):
    """The database answers a probe at once: only one table of it did not."""
    with lock("client"):
        assert ask_token().status_code == 503

    give_up = time.monotonic() + SOON_SECONDS
    while ask_token().status_code != 200:
        assert time.monotonic() < give_up
        time.sleep(0.02)
