"""Clients that registered themselves and publish their keys on servers that answer byte by byte, all asking at once.

An honest client of the operator must not notice, and one that publishes its own keys must get them.

    python -m tests.faults.slow_key_servers
"""

import json
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

from flask_private_key_jwt.client import build_client_assertion
from flask_private_key_jwt.client.assertion import ASSERTION_TYPE
from flask_private_key_jwt.jose import jose
from tests.faults.served import ISSUER, Answer, Caller, Served, ask_token, call, serving, set_up

WORKERS = 4
STRANGERS = 24
SECONDS = 20.0
ANSWERED_WITHIN_SECONDS = 0.1
AT_ONCE_SECONDS = 1.0
"""What is answered sooner has waited for nobody's server."""
HOSTS = ("127.0.0.1", "localhost")
"""Of one host one document is fetched at a time; an attacker has several."""


@dataclass(frozen=True)
class Outcome:
    """What was seen while the strangers asked."""

    alone_seconds: float
    """The slowest answer to a known client before the strangers came: what this machine takes anyway."""
    honest: int
    """Token requests of that client while they asked, all answered with a token."""
    usual_seconds: float
    """What 99 of 100 of them took at most: the processors may be busy with something else for a moment."""
    slowest_seconds: float
    strangers: Counter[int]
    """How the strangers were answered, by status."""
    waited: int
    """How many of those answers took longer than it takes to be turned away."""
    newcomer_seconds: float
    """After what time a client of the operator with keys at a URL of its own was in."""

    def __str__(self) -> str:
        answers = ", ".join(f"{count} x {status}" for status, count in sorted(self.strangers.items()))
        return (
            f"{self.honest} honest token requests, 99 of 100 in {self.usual_seconds * 1000:.0f} ms, the slowest "
            f"{self.slowest_seconds * 1000:.0f} ms (before: {self.alone_seconds * 1000:.0f} ms); strangers got "
            f"{answers}, {self.waited} after a wait; keys at a URL were fetched in {self.newcomer_seconds:.2f} s"
        )


class SlowServer:
    """Takes every connection, and sends a byte of an answer that never ends now and then; for a ``with`` block."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> "SlowServer":
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._trickle, args=[connection]))
            self._threads[-1].start()

    def _trickle(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n")
            while not self._ended.wait(0.3):
                connection.sendall(b" ")


@contextmanager
def publishing(document: object) -> Iterator[int]:
    """A quick server that answers every GET with *document*; gives its port."""
    body = json.dumps(document).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def build_form(client_id: str, key: jose.PrivateKey) -> bytes:
    assertion = build_client_assertion(client_id, ISSUER, key=key)
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
    return urlencode({**form, "client_assertion": assertion, "scope": "read"}).encode()


def sign_up(served: Served, jwks_uri: str) -> str:
    """Register as a stranger; gives the client_id."""
    body = json.dumps({"jwks_uri": jwks_uri, "scope": "read"}).encode()
    answer = call(served.port, "POST", "/oauth2/register", body, content_type="application/json")
    assert answer.status == 201, answer.body
    client_id: str = answer.json["client_id"]
    return client_id


class Strangers:
    """Clients with slow servers, each asking for tokens one after the other, for the length of a ``with`` block."""

    def __init__(self, served: Served, client_ids: list[str]) -> None:
        self._served = served
        self._key = jose.generate_private_key("ES256")
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=[name], daemon=True) for name in client_ids]
        self.answers: list[Answer] = []

    def __enter__(self) -> "Strangers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, client_id: str) -> None:
        while not self._stop.is_set():
            self.answers.append(ask_token(self._served.port, build_form(client_id, self._key)))
            self._stop.wait(0.2)


def run(
    folder: Path, *, seconds: float = SECONDS, workers: int = WORKERS, within_seconds: float = ANSWERED_WITHIN_SECONDS
) -> Outcome:
    """Let strangers with slow servers ask for *seconds*, and hold the server to what is promised.

    :raises AssertionError: It is not kept.
    """
    environment = {
        "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/as.sqlite",
        "FLASK_OAUTH2_REGISTRATION": "open",
        "FLASK_OAUTH2_REGISTRATION_SCOPES": "read",
        "FLASK_OAUTH2_FETCH_FROM_LOOPBACK": "true",
        "FLASK_OAUTH2_REGISTRATIONS_PER_HOUR": "1000",
    }
    key = jose.generate_private_key("ES256")
    with SlowServer() as slow, publishing({"keys": [key.public_jwk()]}) as port:
        caller = set_up(
            environment, {"client_id": "by-url", "jwks_uri": f"http://127.0.0.1:{port}/jwks", "scope": "read"}
        )
        with serving("granian", folder, environment, workers=workers) as served:
            alone = _ask_for(served, caller, seconds / 4)
            urls = [f"http://{HOSTS[n % len(HOSTS)]}:{slow.port}/{n}" for n in range(STRANGERS)]
            with Strangers(served, [sign_up(served, url) for url in urls]) as strangers:
                time.sleep(1)  # until their fetches are under way
                newcomer_seconds = _wait_for_token(served, "by-url", key)
                honest = _ask_for(served, caller, seconds)
    outcome = Outcome(
        alone_seconds=max(answer.seconds for answer in alone),
        honest=len(honest),
        usual_seconds=sorted(answer.seconds for answer in honest)[len(honest) * 99 // 100 - 1],
        slowest_seconds=max(answer.seconds for answer in honest),
        strangers=Counter(answer.status for answer in strangers.answers),
        waited=sum(answer.seconds > AT_ONCE_SECONDS for answer in strangers.answers),
        newcomer_seconds=newcomer_seconds,
    )
    _check(outcome, strangers.answers, within_seconds)
    return outcome


def _ask_for(served: Served, caller: Caller, seconds: float) -> list[Answer]:
    """Token requests of the known client, one after the other."""
    answers, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        answers.append(ask_token(served.port, caller.build_form()))
        time.sleep(0.02)
    refused = {answer.status for answer in answers} - {200}
    assert not refused, f"the honest client was answered {sorted(refused)}"
    return answers


def _check(outcome: Outcome, answers: list[Answer], within_seconds: float) -> None:
    # Where other programs use the processors, no answer is as quick as is promised.
    limit = max(within_seconds, 3 * outcome.alone_seconds)
    assert outcome.usual_seconds < limit, f"honest answers took {outcome.usual_seconds:.2f} s: {outcome}"
    slowest = max(limit, AT_ONCE_SECONDS)
    assert outcome.slowest_seconds < slowest, f"an honest answer took {outcome.slowest_seconds:.2f} s: {outcome}"
    assert set(outcome.strangers) <= {400, 503}, f"strangers got {outcome.strangers}"
    assert outcome.strangers[503] > 0, "nobody was turned away"
    assert outcome.waited > 0, "nobody's slow server was waited for: the attack did not take place"
    assert all("retry-after" in answer.headers for answer in answers if answer.status == 503), "no Retry-After"


def _wait_for_token(served: Served, client_id: str, key: jose.PrivateKey) -> float:
    """How long it takes until a client has a token, asking again when it is told to."""
    started = time.monotonic()
    while (answer := ask_token(served.port, build_form(client_id, key))).status != 200:
        assert answer.status == 503, answer.body
        assert time.monotonic() < started + 60, "a client of the operator was held up for a minute"
        time.sleep(int(answer.headers["retry-after"]))
    return time.monotonic() - started


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        try:
            print(run(Path(folder)), flush=True)
        except AssertionError as error:
            print(f"FAILED: {error}", flush=True)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
