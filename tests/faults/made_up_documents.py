"""Strangers at many addresses who make up documents by the thousand, on quick servers and on servers that never answer.

A client whose document was here before must not notice. A genuine newcomer is told to come again, and is in within a
minute.

    python -m tests.faults.made_up_documents
"""

import itertools
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from flask_private_key_jwt.jose import jose
from tests.faults.report import report_in_folder
from tests.faults.served import Answer, Caller, Served, call, serving, set_up
from tests.faults.strangers import Strangers, publishing
from tests.servers.https_servers import Authority
from tests.servers.listener import Listener

WORKERS = 2
SECONDS = 20.0
SLOW_ADDRESSES = 12
QUICK_ADDRESSES = 8
WITHIN_SECONDS = 60.0


@dataclass(frozen=True)
class Outcome:
    """What the clients saw while the strangers asked."""

    known: int
    """Token requests of the client that was here before, all answered with a token."""
    slowest_seconds: float
    newcomer_seconds: float
    turned_away: int
    """How often the newcomer was told to come again."""
    strangers: Counter[int]
    """How the strangers were answered, by status."""

    def __str__(self) -> str:
        answers = ", ".join(f"{count} x {status}" for status, count in sorted(self.strangers.items()))
        return (
            f"{self.known} requests of the known client, the slowest in {self.slowest_seconds * 1000:.0f} ms; "
            f"the newcomer was in after {self.newcomer_seconds:.1f} s, {self.turned_away} x 503; strangers: {answers}"
        )


@contextmanager
def silent_server() -> Iterator[int]:
    """A server that accepts connections and says nothing; gives its port."""
    listener = Listener(lambda _connection: listener.ended.wait(30))
    try:
        yield listener.port
    finally:
        listener.close()


def run(folder: Path, *, seconds: float = SECONDS) -> Outcome:
    """Let the strangers ask for *seconds*, and hold the server to what is promised.

    :raises AssertionError: It is not kept.
    """
    authority, key = Authority(folder), jose.generate_private_key("ES256")
    with publishing(authority.server_context("localhost", "127.0.0.1")) as site, silent_server() as silent:
        quick = site.base.replace("localhost", "127.0.0.1")
        known, newcomer = Caller(key, f"{quick}/known.json"), Caller(key, f"{quick}/new.json")
        for caller in (known, newcomer):
            site.documents[caller.client_id.removeprefix(quick)] = _describe(caller.client_id, key)
        environment = {
            "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/as.sqlite",
            "FLASK_OAUTH2_PROFILE": "mcp",
            "FLASK_OAUTH2_CLIENT_ID_HOSTS": "localhost",
            "FLASK_OAUTH2_CLIENT_ID_SCOPES": "read",
            "FLASK_OAUTH2_FETCH_FROM_LOOPBACK": "true",
            "FLASK_OAUTH2_FETCH_CA_BUNDLE": authority.bundle,
        }
        set_up(environment)
        with serving("granian", folder, environment, workers=WORKERS) as served:
            assert _ask(served, known).status == 200
            slow = [
                _Stranger(served, f"127.0.1.{n + 1}", f"https://localhost:{silent}/{n}") for n in range(SLOW_ADDRESSES)
            ]
            fast = [_Stranger(served, f"127.0.2.{n + 1}", f"{quick}/made-up/{n}") for n in range(QUICK_ADDRESSES)]
            with Strangers(*(stranger.ask for stranger in (*slow, *fast)), pause_seconds=0.05) as strangers:
                time.sleep(1)  # until their fetches are under way
                began, turned_away = time.monotonic(), 0
                while (answer := _ask(served, newcomer)).status != 200:
                    assert answer.is_retry, answer.body
                    assert time.monotonic() < began + WITHIN_SECONDS, "a newcomer was held up for a minute"
                    turned_away += 1
                    time.sleep(int(answer.headers["retry-after"]))
                newcomer_seconds = time.monotonic() - began
                answers = []
                while time.monotonic() < began + seconds:
                    answers.append(_ask(served, known))
                    time.sleep(0.05)
    refused = {answer.status for answer in answers} - {200}
    assert not refused, f"the known client was answered {sorted(refused)}"
    outcome = Outcome(
        known=len(answers),
        slowest_seconds=max((answer.seconds for answer in answers), default=0.0),
        newcomer_seconds=newcomer_seconds,
        turned_away=turned_away,
        strangers=Counter(answer.status for answer in strangers.answers),
    )
    assert set(outcome.strangers) <= {400, 503}, f"strangers got {outcome.strangers}"
    assert outcome.strangers[503] > 0, "nobody was turned away: the attack did not take place"
    return outcome


class _Stranger:
    """Makes up one URL after the other, and asks for each twice."""

    def __init__(self, served: Served, address: str, base: str) -> None:
        self._served, self._address = served, address
        self._urls = (url for n in itertools.count() for url in [f"{base}/{n}.json"] * 2)

    def ask(self) -> Answer:
        form = {"grant_type": "authorization_code", "code": "x", "client_id": next(self._urls)}
        return call(self._served.port, "POST", "/oauth2/token", urlencode(form).encode(), source=self._address)


def _ask(served: Served, caller: Caller) -> Answer:
    return call(served.port, "POST", "/oauth2/token", caller.build_form(scope="read"))


def _describe(url: str, key: jose.PrivateKey) -> dict[str, object]:
    return {
        "client_id": url,
        "client_name": "Genuine",
        "redirect_uris": ["http://127.0.0.1/callback"],
        "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": ["client_credentials"],
        "jwks": {"keys": [key.public_jwk()]},
    }


if __name__ == "__main__":
    sys.exit(0 if report_in_folder(run) else 1)
