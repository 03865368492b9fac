"""What the programs of this folder share: a token server with real workers, a client, and a load of requests."""

import http.client
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_private_key_jwt import PrivateKeyJWT
from flask_private_key_jwt.client import build_client_assertion
from flask_private_key_jwt.client.assertion import ASSERTION_TYPE
from flask_private_key_jwt.jose import jose
from tests.checkout import CHECKOUT
from tests.servers.ports import free_port

FACTORY = "tests.faults.served:create_app"
ISSUER = "https://as.example"
CLIENT_ID = "console"
# Forked from a process that has imported everything: starting Python takes longer than what is done there.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.faults.served"])
START_SECONDS = 60
PATIENCE_SECONDS = 60
"""How long a caller waits for an answer: longer than any answer may take, so that a slow one is seen as slow."""


def create_app() -> Flask:
    """The token server; ``FLASK_…`` in the environment sets it up, as in any app."""
    app = Flask(__name__)
    app.config.from_mapping(SECRET_KEY="a secret for tests only, served for real", OAUTH2_ISSUER=ISSUER)
    app.config.from_prefixed_env()
    db = SQLAlchemy()
    oauth = PrivateKeyJWT(db)
    db.init_app(app)
    oauth.init_app(app)
    app.extensions["tests"] = (db, oauth)
    app.add_url_rule("/worker", view_func=lambda: str(os.getpid()))
    return app


def create_used_app() -> Flask:
    """The same, after it has asked its database: what a server forks then has connections already."""
    app = create_app()
    db, oauth = app.extensions["tests"]
    with app.app_context():
        connections = [db.engine.connect() for _ in range(2)]
        for connection in connections:
            connection.exec_driver_sql("SELECT 1")
            connection.close()
        assert oauth.clients.get(CLIENT_ID).client_id == CLIENT_ID
    return app


@dataclass(frozen=True)
class Caller:
    """A client, if no other the usual one: it signs each request anew."""

    key: jose.PrivateKey = field(default_factory=lambda: jose.generate_private_key("ES256"))
    client_id: str = CLIENT_ID

    def build_form(self, **fields: str) -> bytes:
        assertion = build_client_assertion(self.client_id, ISSUER, key=self.key)
        form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
        return urlencode({**form, "client_assertion": assertion, **fields}).encode()


def set_up(environment: Mapping[str, str], *others: Mapping[str, object]) -> Caller:
    """Make the tables and register the client.

    :param others: The metadata of further clients.
    """
    caller = Caller()
    jwks = {"keys": [caller.key.public_jwk()]}
    registration = {"client_id": CLIENT_ID, "jwks": jwks, "scope": "read", "default_scope": "read"}
    register(create_app, environment, [registration, *others])
    return caller


def register(
    factory: Callable[[], Flask], environment: Mapping[str, str], clients: Sequence[Mapping[str, object]]
) -> None:
    """Make the tables and register clients, in a process of its own: nothing of it is left in this one."""
    run_in_fork(_register, factory, environment_of(environment), clients)


def run_in_fork(work: Callable[..., None], *arguments: object) -> None:
    """Call a function of a module in a process of its own: nothing of it is left in this one."""
    process = _FORKS.Process(target=work, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == 0


def _register(
    factory: Callable[[], Flask], environment: Mapping[str, str], clients: Sequence[Mapping[str, object]]
) -> None:
    os.environ.update(environment)
    app = factory()
    db, oauth = app.extensions["tests"]
    with app.app_context():
        db.create_all()
        for metadata in clients:
            oauth.clients.add(metadata)


def granian(port: int, workers: int, factory: str) -> list[str]:
    """The command that the README recommends."""
    options = ["--interface", "wsgi", "--factory", factory, "--workers", str(workers), "--blocking-threads", "4"]
    respawn = ["--respawn-failed-workers"]
    return [sys.executable, "-m", "granian", *options, *respawn, "--host", "127.0.0.1", "--port", str(port)]


def gunicorn(port: int, workers: int, factory: str) -> list[str]:
    options = ["--workers", str(workers), "--no-control-socket", "--bind", f"127.0.0.1:{port}"]
    return [sys.executable, "-m", "gunicorn", *options, f"{factory}()"]


def gunicorn_preloaded(port: int, workers: int, factory: str) -> list[str]:
    """One app for all workers, made before they are forked."""
    return [*gunicorn(port, workers, factory), "--preload"]


COMMANDS: dict[str, Callable[[int, int, str], list[str]]] = {
    "granian": granian,
    "gunicorn": gunicorn,
    "gunicorn --preload": gunicorn_preloaded,
}


@dataclass(frozen=True)
class Served:
    """A running server."""

    port: int
    process: "subprocess.Popen[bytes]"
    log: Path

    def workers(self) -> set[int]:
        """The process ids of the workers that answer, found by asking."""
        return {int(call(self.port, "GET", "/worker").body) for _ in range(40)}


@contextmanager
def serving(
    kind: str, folder: Path, environment: Mapping[str, str], *, workers: int = 2, factory: str = FACTORY
) -> Iterator[Served]:
    """Run a token server until the block ends; it starts once all its workers answer."""
    port = free_port()
    path = folder / f"{kind}-{port}.log"
    with path.open("wb") as log:
        process = subprocess.Popen(
            COMMANDS[kind](port, workers, factory),
            cwd=CHECKOUT,
            env=environment_of(environment),
            stdout=log,
            stderr=log,
            start_new_session=True,  # a group of its own, to end every worker with it
        )
    served = Served(port, process, path)
    try:
        _wait_for(served, workers)
        yield served
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(3)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # whoever hangs
        process.wait()


def _wait_for(served: Served, workers: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    found: set[int] = set()
    while len(found) < workers:
        if served.process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the server did not start:\n{served.log.read_text()[-4000:]}")
        try:
            found |= served.workers()
        except OSError:
            time.sleep(0.02)


def environment_of(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a server: this process's, and what sets the server up."""
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), **environment}


@dataclass(frozen=True)
class Answer:
    """What came back, and how long it took."""

    status: int
    """0 where the connection broke."""
    body: bytes
    headers: Mapping[str, str]
    """By name in lower case, as granian sends them."""
    seconds: float
    sent_at: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def ended_at(self) -> float:
        return self.sent_at + self.seconds

    @property
    def is_retry(self) -> bool:
        """Whether it says that the server is away for a moment, and when to come again."""
        return self.status == 503 and self.json["error"] == "temporarily_unavailable" and "retry-after" in self.headers


def call(
    port: int,
    method: str,
    path: str,
    body: bytes | None = None,
    *,
    content_type: str = "application/x-www-form-urlencoded",
    headers: Mapping[str, str] | None = None,
    source: str = "127.0.0.1",
) -> Answer:
    """One request on a connection of its own.

    :param source: The address that it comes from, in 127.0.0.0/8.
    :raises OSError: The connection was refused or broke.
    """
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS, source_address=(source, 0))
    try:
        kind = {"Content-Type": content_type} if body is not None else {}
        connection.request(method, path, body, {**kind, **(headers or {})})
        response = connection.getresponse()
        answer = response.read()
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from None
    finally:
        connection.close()
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, answer, headers, time.monotonic() - started, started)


def ask_token(port: int, form: bytes) -> Answer:
    """One token request; a broken connection is an answer too, with status 0."""
    started = time.monotonic()
    try:
        return call(port, "POST", "/oauth2/token", form)
    except OSError:
        return Answer(0, b"", {}, time.monotonic() - started, started)


class Load:
    """Token requests from several threads, one after the other in each, for the length of a ``with`` block."""

    def __init__(self, served: Served, caller: Caller, *, threads: int = 8, pause_seconds: float = 0.02) -> None:
        self._served = served
        self._caller = caller
        self._pause = pause_seconds
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        self.answers: list[tuple[bytes, Answer]] = []
        """Each form and its answer, in the order in which the answers came."""

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def wait_for_token(self, is_new: Callable[[Answer], bool] = lambda _: True) -> Answer:
        """The first answer with a token that is new."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for _, answer in tuple(self.answers):
                if answer.status == 200 and is_new(answer):
                    return answer
            time.sleep(0.01)
        raise AssertionError(f"no token for 30 s, but {[answer.status for _, answer in self.answers[-8:]]}")

    def _run(self) -> None:
        while not self._stop.is_set():
            form = self._caller.build_form()
            self.answers.append((form, ask_token(self._served.port, form)))
            self._stop.wait(self._pause)


def check_never_twice(served: Served, answers: list[tuple[bytes, Answer]]) -> int:
    """Send every form that brought a token once more: none may bring another; how many were tried."""
    spent = [form for form, answer in answers if answer.status == 200]
    again = [ask_token(served.port, form) for form in spent]
    assert all(answer.status == 400 for answer in again), sorted({answer.status for answer in again})
    return len(spent)
