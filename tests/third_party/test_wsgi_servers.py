"""The token endpoint behind the WSGI servers people use: what they make of odd requests, and several workers at once.

Requests go through a Unix socket, byte by byte as written here: no client library tidies them up.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from flask_private_key_jwt.client import build_client_assertion
from flask_private_key_jwt.dpop.proof import build_proof
from flask_private_key_jwt.jose import jose
from tests.checkout import CHECKOUT
from tests.conftest import ASSERTION_TYPE, INVALID_CLIENT, INVALID_PROOF, INVALID_REQUEST
from tests.third_party.served_app import ISSUER, create_app

FACTORY = "tests.third_party.served_app:create_app"
CLIENT_ID = "console"
WERKZEUG = """
import sys
from werkzeug.serving import run_simple
from tests.third_party.served_app import create_app
run_simple("unix://" + sys.argv[1], 0, create_app(), threaded=True)
"""
COMMANDS: dict[str, Callable[[str], list[str]]] = {
    "werkzeug": lambda path: [sys.executable, "-c", WERKZEUG, path],
    "gunicorn": lambda path: [
        *[sys.executable, "-m", "gunicorn", "--workers", "2", "--no-control-socket"],
        *["--bind", f"unix:{path}", f"{FACTORY}()"],
    ],
    "granian": lambda path: [
        *[sys.executable, "-m", "granian", "--interface", "wsgi", "--workers", "2"],
        *["--uds", path, "--factory", FACTORY],
    ],
}
WORKERS = {"werkzeug": 1, "gunicorn": 2, "granian": 2}
FORM = ("Content-Type", "application/x-www-form-urlencoded")
CHUNKED = ("Transfer-Encoding", "chunked")
Headers = Sequence[tuple[str, str]]
TOO_LARGE = {"error": "invalid_request", "error_description": "The request is too large."}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A running server and a client it knows."""

    name: str
    path: str
    key: jose.PrivateKey

    def build_form(self, **fields: str) -> bytes:
        assertion = build_client_assertion(CLIENT_ID, ISSUER, key=self.key)
        form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
        return urlencode({**form, "client_assertion": assertion, **fields}).encode()

    def build_proof(self) -> str:
        jti = os.urandom(9).hex()
        return build_proof(self.key, jti=jti, method="POST", url=f"{ISSUER}/oauth2/token", now=int(time.time()))

    def send(self, headers: Headers, body: bytes, **options: Any) -> Answer:
        return send(self.path, headers, body, **options)


def send(
    socket_path: str, headers: Headers, body: bytes, *, path: str = "/oauth2/token", length: int | None = None
) -> Answer:
    """Send one request as it is; ``Content-Length`` is right unless given, and left out of a chunked one."""
    lines = [("Host", "evil.example"), ("Connection", "close"), *headers]
    if CHUNKED not in headers:
        lines.append(("Content-Length", str(len(body) if length is None else length)))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(socket_path)
        connection.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return Answer(response.status, response.headers, response.read())


@contextmanager
def running(name: str, folder: Path, database: Path) -> Iterator[str]:
    """Run a server until the block ends; gives the path of its socket, once every worker answers."""
    path = str(folder / name)
    environment = {**os.environ, "DATABASE": str(database), "PYTHONPATH": str(CHECKOUT)}
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(COMMANDS[name](path), cwd=CHECKOUT, env=environment, stdout=log, stderr=log)
    try:
        _wait_for_workers(WORKERS[name], path, process)
        yield path
    finally:
        process.terminate()
        process.wait()


def _wait_for_workers(count: int, path: str, process: subprocess.Popen[bytes]) -> None:
    # All of them: granian never ends when it is told to while one of its workers still starts.
    deadline = time.monotonic() + 60
    workers: set[str] = set()
    while len(workers) < count:
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"the server did not start: {process.args}")
        try:
            workers.add(send(path, [], b"", path="/worker").body.decode())
        except OSError:
            time.sleep(0.02)


@pytest.fixture(scope="module", params=list(COMMANDS))
def served(request: pytest.FixtureRequest, keys: Any) -> Iterator[Served]:
    key = keys("ES256")
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is too long for the path of a socket
        database = Path(folder) / "as.sqlite"
        app = create_app(str(database))
        db, oauth = app.extensions["tests"]
        with app.app_context():
            db.create_all()
            jwks = {"keys": [key.public_jwk()]}
            oauth.clients.add({"client_id": CLIENT_ID, "jwks": jwks, "scope": "read", "default_scope": "read"})
            db.engine.dispose()
        with running(request.param, Path(folder), database) as path:
            yield Served(request.param, path, key)


def chunked(body: bytes, size: int = 1000) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))


def assert_refused(answer: Answer, status: int, document: dict[str, str]) -> None:
    assert (answer.status, answer.json) == (status, document)
    assert answer.headers.get_all("Cache-Control") == ["no-store"]
    assert answer.headers.get_all("Content-Type") == ["application/json"]


# --- repeated headers: the server joins them, drops one, or refuses; none may smuggle a second value past us ------
def test_one_proof_is_accepted(served):
    answer = served.send([FORM, ("dpop", served.build_proof())], served.build_form())

    assert answer.status == 200
    assert answer.json["token_type"] == "DPoP"


@pytest.mark.parametrize("name", ["DPoP", "dpop"])
def test_two_proofs_are_refused(name, served):
    answer = served.send([FORM, ("DPoP", served.build_proof()), (name, served.build_proof())], served.build_form())

    assert_refused(answer, 400, INVALID_PROOF)


@pytest.mark.parametrize("empty_first", [True, False])
def test_proof_beside_an_empty_one_is_refused(empty_first, served):
    proofs = ["", served.build_proof()] if empty_first else [served.build_proof(), ""]

    assert_refused(served.send([FORM, *(("DPoP", proof) for proof in proofs)], served.build_form()), 400, INVALID_PROOF)


@pytest.mark.parametrize("values", [["Basic eDp5"], ["Basic eDp5", "Bearer x"], [""]])
def test_authorization_beside_an_assertion_is_refused(values, served):
    answer = served.send([FORM, *(("Authorization", value) for value in values)], served.build_form())

    assert_refused(answer, 400, INVALID_REQUEST)


@pytest.mark.parametrize("form_first", [True, False])
def test_two_content_types_are_one_of_them_or_refused(form_first, served):
    types = [FORM, ("Content-Type", "application/json")]

    answer = served.send(types if form_first else types[::-1], served.build_form())

    assert answer.status in (200, 400)  # gunicorn refuses itself; werkzeug takes the last, granian the first


# --- bodies ---------------------------------------------------------------------------------------------------
def test_chunked_body_is_read(served):
    assert served.send([FORM, CHUNKED], chunked(served.build_form())).status == 200


def test_chunked_body_is_bounded(served):
    assert_refused(served.send([FORM, CHUNKED], chunked(served.build_form(more="x" * 100_000))), 413, TOO_LARGE)


def test_body_with_a_length_is_bounded(served):
    assert_refused(served.send([FORM], served.build_form(more="x" * 100_000)), 413, TOO_LARGE)


def test_malformed_chunk_is_refused(served):
    answer = served.send([FORM, CHUNKED], b"zz\r\n" + served.build_form())

    # granian ends the body there without a word; an empty form holds no assertion.
    assert_refused(answer, 400, INVALID_CLIENT if served.name == "granian" else INVALID_REQUEST)


def test_body_without_a_length_is_not_read(served):
    assert_refused(served.send([FORM], served.build_form(), length=0), 400, INVALID_CLIENT)


# --- the request line and Host ----------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["http://evil.example/oauth2/token", "/%6fauth2/token", "/oauth2/token?grant_type=x"])
def test_spelling_of_the_url_changes_nothing(path, served):
    answer = served.send([FORM, ("DPoP", served.build_proof())], served.build_form(), path=path)

    assert answer.status == 200


@pytest.mark.parametrize("path", ["/oauth2//token", "/oauth2/token/", "/x/../oauth2/token", "/oauth2/token%00"])
def test_other_path_is_not_found_and_never_redirected(path, served):
    answer = served.send([FORM], served.build_form(), path=path)

    assert answer.status == 404
    assert "Location" not in answer.headers


# --- several workers ----------------------------------------------------------------------------------------------
def test_of_twenty_parallel_sends_of_one_assertion_exactly_one_succeeds(served):
    body = served.build_form()

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: served.send([FORM], body), range(20)))

    assert sorted(answer.status for answer in answers) == [200, *[400] * 19]
    assert all(answer.json == INVALID_CLIENT for answer in answers if answer.status == 400)


def test_of_twenty_parallel_sends_of_one_proof_exactly_one_succeeds(served):
    proof = served.build_proof()
    bodies = [served.build_form() for _ in range(20)]

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda body: served.send([FORM, ("DPoP", proof)], body), bodies))

    assert sorted(answer.status for answer in answers) == [200, *[400] * 19]
    assert all(answer.json == INVALID_PROOF for answer in answers if answer.status == 400)
