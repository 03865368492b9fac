"""Clients that registered themselves and publish their keys on servers that answer byte by byte, all asking at once.

An honest client of the operator must not notice, and one that publishes its own keys must get them.

    python -m tests.faults.slow_key_servers
"""

import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask_private_key_jwt.jose import jose
from tests.faults.report import report_in_folder
from tests.faults.served import Answer, Caller, Served, ask_token, serving, set_up
from tests.faults.strangers import Strangers, publishing, sign_up
from tests.servers.listener import Listener

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


@contextmanager
def slow_server() -> Iterator[int]:
    """A server that sends a byte of an answer that never ends now and then; gives its port."""

    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n")
        while not listener.ended.wait(0.3):
            connection.sendall(b" ")

    listener = Listener(trickle)
    try:
        yield listener.port
    finally:
        listener.close()


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
        "FLASK_OAUTH2_JWKS_HOSTS": '["127.0.0.1", "localhost"]',
        "FLASK_OAUTH2_REGISTRATIONS_PER_HOUR": "1000",
    }
    key = jose.generate_private_key("ES256")
    newcomer, stranger = Caller(key, "by-url"), jose.generate_private_key("ES256")
    with slow_server() as slow, publishing() as site:
        site.documents["/jwks"] = {"keys": [key.public_jwk()]}
        caller = set_up(environment, {"client_id": "by-url", "jwks_uri": site.url("/jwks"), "scope": "read"})
        with serving("granian", folder, environment, workers=workers) as served:
            alone = _ask_for(served, caller, seconds / 4)
            urls = [f"http://{HOSTS[n % len(HOSTS)]}:{slow}/{n}" for n in range(STRANGERS)]
            forms = [Caller(stranger, sign_up(served, url)[0]).build_form for url in urls]
            harms = [lambda form=form: ask_token(served.port, form(scope="read")) for form in forms]
            with Strangers(*harms, pause_seconds=0.2) as strangers:
                time.sleep(1)  # until their fetches are under way
                newcomer_seconds = _wait_for_token(served, newcomer)
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


def _wait_for_token(served: Served, client: Caller) -> float:
    """How long it takes until a client has a token, asking again when it is told to."""
    started = time.monotonic()
    while (answer := ask_token(served.port, client.build_form(scope="read"))).status != 200:
        assert answer.status == 503, answer.body
        assert time.monotonic() < started + 60, "a client of the operator was held up for a minute"
        time.sleep(int(answer.headers["retry-after"]))
    return time.monotonic() - started


if __name__ == "__main__":
    sys.exit(0 if report_in_folder(run) else 1)
