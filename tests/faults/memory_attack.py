"""Anonymous registrations, as large as they may be, and an unsigned assertion for each: no worker may grow by much.

Half of them hold 59 KB inside a key, of which nothing may be kept; the others fill what may be kept to the last byte.

    python -m tests.faults.memory_attack
"""

import json
import secrets
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from flask_private_key_jwt.authorization_server.keys.client_keys import MAX_KEYS
from flask_private_key_jwt.jose import jose
from tests.faults.report import report_in_folder
from tests.faults.served import Caller, Served, ask_token, call, serving, set_up

CLIENTS = 1200
WARM_UP = 100
SENT_BYTES = 59_000
KEPT_BYTES = 16_384
GROWTH_MEGABYTES = 20.0
THREADS = 4
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Outcome:
    """What the attack did to the workers."""

    registered: int
    before: dict[int, float]
    """Worker -> resident memory before it, in megabytes."""
    after: dict[int, float]

    def __str__(self) -> str:
        workers = ", ".join(f"{self.before[pid]:.0f} to {self.after[pid]:.0f} MB" for pid in sorted(self.before))
        return f"{self.registered} registrations and an assertion for each to every worker: {workers}"

    def grown(self) -> float:
        """By how much the worker grew that grew most, in megabytes."""
        return max(self.after[pid] - self.before[pid] for pid in self.before)


class Attacker:
    """Registers clients and claims to be them."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._keys = [jose.generate_private_key("ES256").public_jwk() for _ in range(MAX_KEYS)]
        self._wrong_key = jose.generate_private_key("ES256")
        self._numbers = count()
        self._lock = threading.Lock()

    def attack(self, clients: int) -> None:
        """Register so many clients, and send assertions of each that nobody of theirs has signed."""
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda _: self._attack_once(), range(clients)))

    def _attack_once(self) -> None:
        with self._lock:
            number = next(self._numbers)
        body = json.dumps(self._padded_key() if number % 2 else self._as_much_as_is_kept()).encode()
        answer = call(self._served.port, "POST", "/oauth2/register", body, content_type="application/json")
        assert answer.status == 201, answer.body
        client_id = answer.json["client_id"]
        for _ in range(3):  # each goes to either worker
            refused = ask_token(self._served.port, Caller(self._wrong_key, client_id).build_form())
            assert refused.status == 400, refused

    def _padded_key(self) -> dict[str, object]:
        """Empty lists: three bytes each on the way, sixty in memory."""
        return {"jwks": {"keys": [{**self._keys[0], "padding": [[]] * (SENT_BYTES // 4)}]}}

    def _as_much_as_is_kept(self) -> dict[str, object]:
        keys = [{**jwk, "kid": secrets.token_hex(30)} for jwk in self._keys]
        left = KEPT_BYTES - 1000 - len(json.dumps(keys))
        return {"jwks": {"keys": keys}, "contacts": [secrets.token_hex(490) for _ in range(left // 1000)]}


def read_megabytes(pid: int) -> float:
    """The resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / MEGABYTE
    raise AssertionError(f"process {pid} has no memory")


def run(folder: Path, *, clients: int = CLIENTS) -> Outcome:
    """Attack two workers, and hold them to their memory.

    :raises AssertionError: One grew by :data:`GROWTH_MEGABYTES` or more.
    """
    environment = {
        "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/as.sqlite",
        "FLASK_OAUTH2_REGISTRATION": "open",
        "FLASK_OAUTH2_REGISTRATION_SCOPES": "read",
        "FLASK_OAUTH2_REGISTRATIONS_PER_HOUR": "100000",  # what is asked here is what they cost, not how many there are
    }
    set_up(environment)
    with serving("granian", folder, environment) as served:
        attacker = Attacker(served)
        attacker.attack(min(WARM_UP, clients // 3))
        before = {pid: read_megabytes(pid) for pid in served.workers()}
        attacker.attack(clients)
        after = {pid: read_megabytes(pid) for pid in before}
        assert served.workers() == set(before), "a worker was replaced"
    outcome = Outcome(clients, before, after)
    assert len(before) == 2, f"{len(before)} workers answered, not 2"
    assert outcome.grown() < GROWTH_MEGABYTES, f"a worker grew by {outcome.grown():.0f} MB: {outcome}"
    return outcome


if __name__ == "__main__":
    sys.exit(0 if report_in_folder(run) else 1)
