"""The fixtures every test shares: a clock to move, keys made once, an app, valid messages to change one thing of."""

import ast
import gc
import os
import secrets
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import flask
import pytest
import pytest_rerunfailures
from flask_sqlalchemy import SQLAlchemy
from werkzeug.test import TestResponse

from flask_private_key_jwt import PrivateKeyJWT
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.testing import TimeMachine
from tests.refusals import Refusal, noting_refusals
from tests.tables import create_tables, make_extension

# Some environments forbid it, and then every worker, and every program that a test starts, compiles all of this anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

if sys.version_info < (3, 12):
    # There, two threads that parse at the same time can break each other (python/cpython#106905). pytest parses for the
    # report of a failure, and any thread for the traceback it logs: the whole worker would end with an internal error.
    _parse, _one_parses = ast.parse, threading.RLock()

    def _parse_alone(*args: Any, **options: Any) -> Any:
        with _one_parses:
            return _parse(*args, **options)

    ast.parse = _parse_alone

pytest_plugins = [
    "pytester",
    "flask_private_key_jwt.testing.plugin",
    "tests.servers.databases",
    "tests.servers.network",
    "tests.servers.node",
    "tests.servers.chromium",
]

ISSUER = "https://as.example"
TOKEN_URL = f"{ISSUER}/oauth2/token"
API = "https://api.example"
CLIENT_ID = "console"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SECRET = "a secret for tests only, long enough"
START = 1_800_000_000

INVALID_CLIENT = {"error": "invalid_client", "error_description": "Client authentication failed."}
INVALID_REQUEST = {"error": "invalid_request", "error_description": "The request is malformed."}
INVALID_PROOF = {"error": "invalid_dpop_proof", "error_description": "The DPoP proof is invalid."}


SLOW_FOLDERS = (
    "soak",
    "faults",
    "documentation",
    "package",
    "examples",
    "deploy",
    "pages",
    "demo",
    "third_party",
    "bench",
)
"""Whose tests start programs, and often wait for them."""


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """A test that is run again is counted where it runs.

    The plugin would ask the first process about every test, over a socket: that takes longer than most tests.
    """
    if config.pluginmanager.hasplugin("rerunfailures") and hasattr(config, "workerinput"):
        config.failures_db.sock.close()
        config.failures_db = pytest_rerunfailures.StatusDB()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long tests begin first, so that no processor waits for one of them at the end."""
    items.sort(key=lambda item: item.path.parent.name not in SLOW_FOLDERS)


def pytest_collection_finish() -> None:
    """What was collected stays to the end: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


def pytest_xdist_auto_num_workers() -> int | None:
    """One worker more than there are processors, for when one waits."""
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None
    return (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1) + 1


@pytest.fixture(autouse=True)
def clock_() -> Iterator[TimeMachine]:
    """Stands in for the wall clock in every test of this process; every test begins in the same second."""
    machine = TimeMachine(START)
    with machine.running():
        yield machine


@pytest.fixture
def time_machine(clock_: TimeMachine) -> TimeMachine:
    """The plugin's, from that second."""
    return clock_


@pytest.fixture(name="clock")
def clock_fixture(clock_: TimeMachine) -> TimeMachine:
    return clock_


class Keys:
    """Private keys by algorithm, made when first asked for; ``name`` tells several of one algorithm apart."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], jose.PrivateKey] = {}

    def __call__(self, alg: str = "ES256", name: str = "", rsa_bits: int = 2048) -> jose.PrivateKey:
        known = self._made.get((alg, name))
        if known is None:
            known = self._made[alg, name] = jose.generate_private_key(alg, rsa_bits=rsa_bits)
        return known


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys()


@pytest.fixture(scope="session")
def client_key(keys: Keys) -> jose.PrivateKey:
    return keys("ES256", "client")


@pytest.fixture(scope="session")
def proof_key(keys: Keys) -> jose.PrivateKey:
    return keys("ES256", "proof")


@pytest.fixture
def settings() -> dict[str, Any]:
    """Settings of the app under test; a test overrides the fixture by parametrizing ``settings``."""
    return {}


def make_app(database: str, **config: Any) -> tuple[flask.Flask, PrivateKeyJWT, SQLAlchemy]:
    """An authorization server with its tables, ready for requests."""
    app = flask.Flask("authorization_server")
    app.config.from_mapping(
        SECRET_KEY=SECRET,
        SQLALCHEMY_DATABASE_URI=database,
        OAUTH2_ISSUER=ISSUER,
        OAUTH2_RESOURCES=[API],
        OAUTH2_REPLAY_STORE="memory",
        OAUTH2_REFUSALS_KEPT_SECONDS=0,  # a test that wants them writes them itself
    )
    app.config.from_mapping(config)
    db, oauth = make_extension()
    db.init_app(app)
    oauth.init_app(app)
    with app.app_context():
        create_tables(db.engine)
    return app, oauth, db


def close(app: flask.Flask, db: SQLAlchemy) -> None:
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def server(tmp_path: Any, settings: dict[str, Any]) -> Iterator[tuple[flask.Flask, PrivateKeyJWT, SQLAlchemy]]:
    app, oauth, db = make_app(f"sqlite:///{tmp_path}/as.sqlite", **settings)
    yield app, oauth, db
    close(app, db)


@pytest.fixture
def app(server: tuple[flask.Flask, PrivateKeyJWT, SQLAlchemy]) -> flask.Flask:
    return server[0]


@pytest.fixture
def oauth(server: tuple[flask.Flask, PrivateKeyJWT, SQLAlchemy]) -> PrivateKeyJWT:
    return server[1]


@pytest.fixture
def register(app: flask.Flask, oauth: PrivateKeyJWT) -> Callable[..., Any]:
    """Register a client: ``register(client_id="x", scope="a b", …)``."""

    def register(**metadata: Any) -> Any:
        with app.app_context():
            return oauth.clients.add(metadata)

    return register


@pytest.fixture
def client(register: Callable[..., Any], client_key: jose.PrivateKey) -> Any:
    """The usual client: one ES256 key, scopes ``read`` and ``write``, default ``read``."""
    return register(
        client_id=CLIENT_ID,
        jwks={"keys": [client_key.public_jwk()]},
        scope="read write",
        default_scope="read",
    )


def build_claims(now: int, **changes: Any) -> dict[str, Any]:
    """The claims of a valid assertion, changed; ``None`` leaves a claim out."""
    claims = {
        "iss": CLIENT_ID,
        "sub": CLIENT_ID,
        "aud": ISSUER,
        "iat": now,
        "exp": now + 60,
        "jti": secrets.token_urlsafe(12),
    }
    claims.update(changes)
    return {name: value for name, value in claims.items() if value is not None}


@pytest.fixture
def build_assertion(clock: TimeMachine, client_key: jose.PrivateKey) -> Callable[..., str]:
    """``build_assertion(aud=…, exp=None, header={…}, key=…)``: valid but for what is given."""

    def build(*, key: jose.PrivateKey | None = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        key = key or client_key
        full = {"kid": key.public.thumbprint, **(header or {})}
        chosen = {name: value for name, value in full.items() if value is not None}
        return jose.sign(chosen, build_claims(clock.now, **claims), key)

    return build


@pytest.fixture
def build_dpop(clock: TimeMachine, proof_key: jose.PrivateKey) -> Callable[..., str]:
    """A valid proof for the token endpoint; claims and header parameters may be changed, ``None`` removes one."""

    def build(*, key: jose.PrivateKey | None = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
        key = key or proof_key
        claims = {"jti": secrets.token_urlsafe(12), "htm": "POST", "htu": TOKEN_URL, "iat": clock.now, **changes}
        full = {"typ": "dpop+jwt", "jwk": key.public.jwk, **(header or {})}
        return jose.sign(
            {name: value for name, value in full.items() if value is not None},
            {name: value for name, value in claims.items() if value is not None},
            key,
        )

    return build


@pytest.fixture
def ask_token(app: flask.Flask, client: Any, build_assertion: Callable[..., str]) -> Callable[..., TestResponse]:
    """Send a valid token request, changed: ``ask_token(scope="read", proof=…, form={…}, headers={…})``."""

    def ask(
        *,
        assertion: str | None = None,
        proof: str | None = None,
        headers: dict[str, str] | None = None,
        path: str = "/oauth2/token",
        **form: Any,
    ) -> TestResponse:
        fields = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": build_assertion() if assertion is None else assertion,
            **form,
        }
        sent = dict(headers or {})
        if proof is not None:
            sent["DPoP"] = proof
        data = {name: value for name, value in fields.items() if value is not None}
        return app.test_client().post(path, data=data, headers=sent)

    return ask


@pytest.fixture
def post_as(app: flask.Flask, build_assertion: Callable[..., str]) -> Callable[..., TestResponse]:
    """Post a form as a client: ``post_as("console", "/oauth2/revoke", token="…")``; ``headers`` are added."""

    def post(
        client_id: str,
        path: str,
        /,
        assertion: str | None = None,
        headers: dict[str, str] | None = None,
        **form: Any,
    ) -> TestResponse:
        fields = {
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion or build_assertion(iss=client_id, sub=client_id),
            **form,
        }
        data = {name: value for name, value in fields.items() if value is not None}
        return app.test_client().post(path, data=data, headers=headers or {})

    return post


@pytest.fixture
def introspect(post_as: Callable[..., TestResponse]) -> Callable[..., TestResponse]:
    """Introspect a token as the usual client or ``by`` another, with one thing changed."""

    def introspect(token: str | None, by: str = CLIENT_ID, **changes: Any) -> TestResponse:
        return post_as(by, "/oauth2/introspect", token=token, **changes)

    return introspect


@pytest.fixture
def revoke(post_as: Callable[..., TestResponse]) -> Callable[..., TestResponse]:
    """Revoke a token as the usual client or ``by`` another, with one thing changed."""

    def revoke(token: str | None, by: str = CLIENT_ID, **changes: Any) -> TestResponse:
        return post_as(by, "/oauth2/revoke", token=token, **changes)

    return revoke


@pytest.fixture
def refusals(app: flask.Flask) -> Iterator[list[Refusal]]:
    """The private reasons of what the app refused, in order, each with its cause."""
    with noting_refusals(app) as noted:
        yield noted
