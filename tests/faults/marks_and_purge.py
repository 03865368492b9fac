"""As many used marks a second as PostgreSQL takes, through the replay store, beside a purge that deletes as many.

Each call has one mark or two, as requests have; one in a hundred comes a second time, with another expiry, and has to
be refused. A purge may delete the marks after half a minute, not after an hour as in life: else a run of ten minutes
would delete none.

    python -m tests.faults.marks_and_purge [SECONDS] [MARKS A SECOND]
"""

import multiprocessing
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import psycopg

from flask_private_key_jwt.database.batches import KEEP_ENDED_SECONDS
from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.replay.base import ASSERTION, PROOF, Mark, Replayed
from flask_private_key_jwt.replay.sql import SQLAlchemyReplayStore
from tests.faults.database_servers import DatabaseServer, _family, database_server, find_binary
from tests.faults.report import report

PURGE_BATCH = 5000
_PROCESSES, _THREADS = 2, 4
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["flask_private_key_jwt.replay.sql"])


@dataclass(frozen=True)
class Trial:
    """How long, and how hard."""

    seconds: float = 60.0
    marks_a_second: int = 10_000
    """At most."""
    kept_seconds: int = 30
    """After how long a purge may delete a mark."""
    pause_seconds: float = 5.0
    """Between two purges."""


@dataclass(frozen=True)
class Written:
    """What one process wrote."""

    marks: int = 0
    refused: int = 0
    """Second uses that were refused."""
    accepted_twice: int = 0
    unavailable: int = 0
    slowest_seconds: float = 0.0
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What one run came to."""

    seconds: float
    written: Written
    purged: int
    left: int
    """Rows after a last purge, when all but those of the second uses had ended."""
    live: int
    """How many of these rows there must be."""
    sizes: tuple[int, int]
    """The table with its index after half of the time and at the end, in bytes."""
    database_cpu_seconds: float
    load: float
    """Of the machine, at the end."""

    def __str__(self) -> str:
        written = self.written
        micro = 1e6 / max(1, written.marks)
        return (
            f"{self.seconds:.0f} s: {written.marks} marks ({written.marks / self.seconds:.0f} a second), "
            f"{self.purged} purged, {written.refused} second uses refused, {written.accepted_twice} accepted, "
            f"{written.unavailable} without an answer, slowest {written.slowest_seconds * 1000:.0f} ms; table and "
            f"index {self.sizes[0] / 1e6:.0f} MB, at the end {self.sizes[1] / 1e6:.0f} MB; CPU of a mark: database "
            f"{self.database_cpu_seconds * micro:.0f} µs, writer {written.cpu_seconds * micro:.0f} µs; "
            f"{self.left} rows left; load {self.load:.1f}"
        )


def run(trial: Trial) -> Outcome:
    """Write marks and purge them.

    :raises AssertionError: A mark counted twice, a call was not answered, or a purge left what had ended.
    """
    with database_server("postgres") as database:
        url = database.new_database()
        store = SQLAlchemyReplayStore.from_url(url)
        store.purge()  # makes the table
        started, cpu = time.monotonic(), _cpu_of(database)
        stop = threading.Event()
        with ThreadPoolExecutor(_PROCESSES + 2) as pool:
            purging = pool.submit(_purge, store, trial, stop)
            sizing = pool.submit(_size_at, url, started + trial.seconds / 2)
            writing = [pool.submit(_write_elsewhere, url, trial) for _ in range(_PROCESSES)]
            try:
                written = [future.result() for future in writing]
                took = time.monotonic() - started
            finally:
                stop.set()
            purged, half = purging.result(), sizing.result()
        used = _cpu_of(database) - cpu
        full = _size(url)
        _end_all(url)
        purged += store.purge(batch=PURGE_BATCH)
        left = _count(url)
        store.close()
    total = Written(
        sum(one.marks for one in written),
        sum(one.refused for one in written),
        sum(one.accepted_twice for one in written),
        sum(one.unavailable for one in written),
        max(one.slowest_seconds for one in written),
        sum(one.cpu_seconds for one in written),
    )
    outcome = Outcome(took, total, purged, left, total.refused, (half, full), used, os.getloadavg()[0])
    assert not total.accepted_twice, f"a mark counted twice: {outcome}"
    assert not total.unavailable, f"a call was not answered: {outcome}"
    assert outcome.left == outcome.live, f"a purge left what had ended, or took what counts: {outcome}"
    return outcome


def _write_elsewhere(url: str, trial: Trial) -> Written:
    """Write from a process of its own."""
    ours, theirs = _FORKS.Pipe()
    process = _FORKS.Process(target=_write, args=(theirs, url, trial))
    process.start()
    theirs.close()
    written: Written = ours.recv()
    process.join()
    return written


def _write(answer: Connection, url: str, trial: Trial) -> None:
    store = SQLAlchemyReplayStore.from_url(url)
    cpu = time.process_time()
    with ThreadPoolExecutor(_THREADS) as pool:
        parts = list(pool.map(lambda _: _write_in_turn(store, trial), range(_THREADS)))
    store.close()
    answer.send(
        Written(
            sum(part.marks for part in parts),
            sum(part.refused for part in parts),
            sum(part.accepted_twice for part in parts),
            sum(part.unavailable for part in parts),
            max(part.slowest_seconds for part in parts),
            time.process_time() - cpu,
        )
    )


def _write_in_turn(store: SQLAlchemyReplayStore, trial: Trial) -> Written:
    """One thread's part: calls with one mark and with two in turn, no faster than it has to be."""
    owner, started = secrets.token_hex(8), time.monotonic()
    done, number = Written(), 0
    share = trial.marks_a_second / _PROCESSES / _THREADS
    while (at := time.monotonic() - started) < trial.seconds:
        if (ahead := done.marks / share - at) > 0:
            time.sleep(min(ahead, 0.05))
            continue
        number += 1
        is_shown_again = number % 100 == 0
        now = int(time.time())
        until = now + 3600 if is_shown_again else now - KEEP_ENDED_SECONDS + trial.kept_seconds
        kinds = (ASSERTION, PROOF)[: 1 + number % 2] if not is_shown_again else (ASSERTION,)
        marks = [Mark(kind, "https://as.example", owner, str(number), until, now) for kind in kinds]
        done = _use(store, marks, done)
        if is_shown_again:
            again = [marks[0]._replace(until=until + 60)]
            done = _use(store, again, done, is_second=True)
    return done


def _use(store: SQLAlchemyReplayStore, marks: list[Mark], done: Written, *, is_second: bool = False) -> Written:
    started = time.perf_counter()
    try:
        store.remember(marks)
    except Replayed:
        done = replace(done, refused=done.refused + 1)
    except StoreUnavailable:
        done = replace(done, unavailable=done.unavailable + 1)
    else:
        done = replace(done, marks=done.marks + len(marks), accepted_twice=done.accepted_twice + is_second)
    return replace(done, slowest_seconds=max(done.slowest_seconds, time.perf_counter() - started))


def _purge(store: SQLAlchemyReplayStore, trial: Trial, stop: threading.Event) -> int:
    """Purge again and again, with the rests of ``flask oauth2 purge``."""
    removed = 0
    while not stop.wait(trial.pause_seconds):
        removed += store.purge(batch=PURGE_BATCH, rest=lambda seconds: time.sleep(4 * seconds))
    return removed


def _ask(url: str, statement: str) -> int:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute(statement).fetchone()
    return int(row[0]) if row else 0


_size: Callable[[str], int] = partial(_ask, statement="SELECT pg_total_relation_size('oauth2_replay')")
_count: Callable[[str], int] = partial(_ask, statement="SELECT count(*) FROM oauth2_replay")


def _size_at(url: str, moment: float) -> int:
    time.sleep(max(0.0, moment - time.monotonic()))
    return _size(url)


def _end_all(url: str) -> None:
    """Let every mark end that nobody showed again, as half a minute would."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute(
            "UPDATE oauth2_replay SET expires_at = 1 WHERE expires_at < extract(epoch FROM now())::bigint"
        )


def _cpu_of(database: DatabaseServer) -> float:
    """The CPU time of a server, its ended processes included, in seconds."""
    ticks = 0
    for process in _family(database.process.pid):
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def main(arguments: list[str]) -> int:
    if find_binary("postgres") is None:
        print("SKIPPED: PostgreSQL is not installed", flush=True)
        return 0
    trial = Trial()
    if arguments:
        trial = replace(trial, seconds=float(arguments[0]))
    if arguments[1:]:
        trial = replace(trial, marks_a_second=int(arguments[1]))
    return 0 if report(lambda: run(trial)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
