"""Four workers on PostgreSQL and Redis under good and hostile requests, while things break and change.

    make soak                        ten minutes
    make soak ARGS="--seconds 120"   shorter

It prints what was asked and answered, and ends with 1 if anything happened that may not: a right request refused, a
wrong one accepted, a replay that succeeds, a 5xx other than a 503 while a store is away, a worker that grows.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.faults import served
from tests.faults.database_servers import database_server, find_binary
from tests.faults.redis_server import find_redis, redis_server
from tests.soak.callers import (
    ALGORITHMS,
    Client,
    World,
    come_and_go,
    read_documents,
    use_at_once,
    use_machine,
    use_person,
)
from tests.soak.commands import run_command
from tests.soak.hostile import attack
from tests.soak.ledger import Interrupted
from tests.soak.server import FACTORY, THREADS, build_environment, create_app, create_app_in_a_year
from tests.soak.troubles import TROUBLES, WORKERS, Place, count_connections, count_rows, memory_of

SECONDS = 600
CLIENTS = 40
MAX_GROWTH_BYTES = 40_000_000
"""By how much a worker may be larger at the end than one was after the first requests."""
MAX_CONNECTIONS = WORKERS * (THREADS + 3)
"""One for each thread of a worker, and some for whoever asks whether the database is back and for keeping refusals."""
REPLAY_CAUSES = {
    "assertion": {"assertion_replayed"},
    "assertion at once": {"assertion_replayed"},
    "proof": {"proof_replayed"},
    "proof at the API": {"proof_replayed"},
    "code": {"code_used"},
    "request_uri": {"request_uri_used"},
}
"""What was sent again -> why that has to be refused."""
_WARM_UP_SECONDS = 10
_STAYS = {
    *{"oauth2_client", "oauth2_client_key", "oauth2_consent"},
    *{"oauth2_server_key", "oauth2_audit", "oauth2_audit_head"},
}
"""What has no end: clients and when their keys were used, consents, keys, the audit trail."""


@dataclass(frozen=True)
class Trial:
    """How long, and how hard."""

    seconds: float = SECONDS
    """At least; everything befalls the server once in any case."""
    pause_seconds: float = 0.15
    """How long each of the callers rests between two things that it does."""
    timeout_seconds: int = 5
    """``OAUTH2_STORE_TIMEOUT_SECONDS``."""
    rest_seconds: float = 8
    """Between two troubles."""
    troubles: tuple[Callable[[Place], None], ...] = TROUBLES
    """What befalls it, in turn."""


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    seconds: float
    counts: dict[str, int]
    replays_tried: int
    replays_refused: int
    statuses: dict[int, int]
    """Refusals by status."""
    causes: dict[str, int]
    troubles: dict[str, int]
    memory: tuple[int, int]
    """Of a worker, on average, after the first requests and at the end; in bytes."""
    connections: tuple[int, int]
    """At the end, to PostgreSQL and to Redis."""
    rows_before: dict[str, int]
    rows_after: dict[str, int]
    """After a purge in a process that lives a year later."""
    tracebacks: int
    faults: list[str]

    def __str__(self) -> str:
        counts = self.counts
        lines = [
            f"{self.seconds:.0f} s: {counts['good'] + counts['hostile']} requests, {counts['good answers']} of "
            f"{counts['good']} right ones answered, {counts['hostile']} others",
            f"503 while a store was away: {counts.get('503', 0)}; lost with a worker: {counts.get('lost', 0)}",
            f"replays: {self.replays_tried} tried, {self.replays_refused} refused",
            "refusals by status: " + _list(self.statuses),
            "refusals by cause: " + _list(self.causes),
            "what befell it: " + _list(self.troubles),
            f"memory of a worker: {self.memory[0] / 1e6:.0f} MB at the start, {self.memory[1] / 1e6:.0f} MB at the end",
            f"connections at the end: {self.connections[0]} to PostgreSQL, {self.connections[1]} to Redis",
            "rows before the purge: " + _list(self.rows_before),
            "rows after the purge of a year later: " + _list(self.rows_after),
            f"tracebacks in the log: {self.tracebacks}",
        ]
        return "\n".join([*lines, *(f"FAULT: {fault}" for fault in self.faults)])


def _list(counts: "dict[str, int] | dict[int, int]") -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return ", ".join(f"{name} {count}" for name, count in ordered) or "none"


def run(trial: Trial) -> Outcome:
    """Soak a server, and hold it to what is promised.

    :raises AssertionError: It is not kept; the message is the outcome.
    """
    with tempfile.TemporaryDirectory() as name, database_server("postgres") as database:
        folder = Path(name)
        (folder / "redis").mkdir()
        with redis_server(folder / "redis") as store:
            store.settle(durable=True)
            url = database.new_database()
            waits = f"{store.url}?socket_timeout={trial.timeout_seconds}"
            environment = build_environment(url, waits, trial.timeout_seconds)
            clients = [
                Client(f"client-{number}", ALGORITHMS[number % len(ALGORITHMS)], is_bound=number % 3 == 0)
                for number in range(CLIENTS)
            ]
            changing = Client("changing")
            quiet = {**environment, "FLASK_OAUTH2_LOG_FORMAT": "text"}
            served.register(create_app, quiet, [client.registration() for client in (*clients, changing)])
            with served.serving("granian", folder, environment, workers=WORKERS, factory=FACTORY) as server:
                world = World(server.port, clients)
                frozen = trial.timeout_seconds + 2
                place = Place(world, server, quiet, url, database, store, changing, frozen)
                outcome = _soak(place, trial)
    assert not outcome.faults, f"{outcome}"
    return outcome


def _soak(place: Place, trial: Trial) -> Outcome:
    ledger, started = place.world.ledger, time.monotonic()
    troubles: Counter[str] = Counter()
    with _calling(place.world, trial):
        time.sleep(_WARM_UP_SECONDS)
        before = _memory(place)
        while time.monotonic() - started < trial.seconds or troubles.total() < len(trial.troubles):
            trouble = trial.troubles[troubles.total() % len(trial.troubles)]
            trouble(place)
            troubles[trouble.__name__] += 1
            time.sleep(trial.rest_seconds)
        after = _memory(place)
    seconds = time.monotonic() - started
    connections = _count_connections(place)
    rows_before = count_rows(place)
    run_command(place.environment, ["purge"], factory=create_app_in_a_year)
    rows_after = count_rows(place)
    run_command(place.environment, ["audit"])  # fails if the trail is not whole
    ledger.judge()
    causes, reasons, tracebacks = _read_log(place)
    for reference, what in ledger.replays.items():
        cause = reasons.get(reference, "").partition(":")[0]
        if cause not in REPLAY_CAUSES[what]:
            ledger.fault(f"a replay of {what} was refused for another reason, reference {reference}")
    if after > before + MAX_GROWTH_BYTES:
        ledger.fault(f"a worker has grown from {before} to {after} bytes")
    if connections[0] > MAX_CONNECTIONS:
        ledger.fault(f"{connections[0]} connections to PostgreSQL are open")
    if ledger.replays_tried != ledger.replays_refused:
        ledger.fault(f"{ledger.replays_tried} replays were tried, and {ledger.replays_refused} refused")
    if left := set(rows_after) - _STAYS:
        ledger.fault(f"a purge of a year later leaves rows in {sorted(left)}")
    return Outcome(
        seconds,
        dict(ledger.counts),
        ledger.replays_tried,
        ledger.replays_refused,
        dict(ledger.refused_by_status),
        causes,
        dict(troubles),
        (before, after),
        connections,
        rows_before,
        rows_after,
        tracebacks,
        [_explain(fault, reasons) for fault in ledger.faults],
    )


@contextmanager
def _calling(world: World, trial: Trial) -> Iterator[None]:
    """Callers of every kind, until the block ends."""
    stop = threading.Event()
    works: list[Callable[[World, random.Random], None]] = [
        *[use_machine] * 4,
        *[use_person] * 3,
        use_at_once,
        come_and_go,
        read_documents,
        *[attack] * 3,
        *[_replay] * 2,
    ]

    def call(number: int, work: Callable[[World, random.Random], None]) -> None:
        chance = random.Random(number)
        while not stop.is_set():
            try:
                work(world, chance)
            except Interrupted:
                pass
            except Exception as error:  # a caller that dies would go unnoticed
                world.ledger.fault(f"{work.__name__}: {error!r}")
            stop.wait(trial.pause_seconds * (0.5 + chance.random()))

    threads = [threading.Thread(target=call, args=item, daemon=True) for item in enumerate(works)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(served.PATIENCE_SECONDS)


def _replay(world: World, chance: random.Random) -> None:
    world.replay_one(chance)


def _memory(place: Place) -> int:
    workers = place.find_workers()
    return sum(memory_of(worker) for worker in workers) // len(workers)


def _count_connections(place: Place) -> tuple[int, int]:
    with redis.Redis.from_url(place.redis.url) as client:
        to_redis = len(client.client_list()) - 1
    deadline = time.monotonic() + 30
    while (count := count_connections(place)) > MAX_CONNECTIONS and time.monotonic() < deadline:
        time.sleep(0.5)
    return count, to_redis


def _explain(fault: str, reasons: dict[str, str]) -> str:
    """A fault with what the server's log says of it."""
    return f"{fault}: {reasons.get(fault.rpartition(' ')[2], 'the log does not say why')}"


def _read_log(place: Place) -> tuple[dict[str, int], dict[str, str], int]:
    """The causes of the refusals; their reasons by reference; how many tracebacks there are."""
    causes: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    tracebacks = 0
    for line in place.served.log.read_text(errors="replace").splitlines():
        tracebacks += "Traceback (most recent call last)" in line
        if line.startswith("{") and '"request_refused"' in line:
            refusal = json.loads(line)
            causes[refusal["cause"]] += 1
            reasons[refusal["reference"]] = f"{refusal['cause']}: {refusal['reason']}"
    return dict(causes), reasons, tracebacks


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make soak", description="Soak a token server.")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--pause", type=float, default=Trial.pause_seconds, help="seconds between what a caller does")
    chosen = parser.parse_args(arguments)
    if find_binary("postgres") is None or find_redis() is None:
        print("PostgreSQL and Redis have to be installed: nothing was soaked", flush=True)
        return 2
    try:
        print(run(Trial(chosen.seconds, chosen.pause)), flush=True)
    except AssertionError as error:
        print(f"FAILED: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
