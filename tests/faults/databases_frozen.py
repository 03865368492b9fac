"""A database that is frozen, and one that is stopped and started again, under load and under real workers.

Every answer comes within the time of ``OAUTH2_STORE_TIMEOUT_SECONDS`` and a second, as 503 with ``Retry-After`` while
the database is away; nothing is issued twice; and service comes back by itself within a second of its return.

    python -m tests.faults.databases_frozen [granian] [gunicorn]
"""

import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

from tests.faults.database_servers import DatabaseServer, database_server, find_binary
from tests.faults.report import report
from tests.faults.served import Load, Served, check_never_twice, serving, set_up

KINDS = ("granian", "gunicorn")
DATABASES = ("postgres", "mariadb")
PLACES = ("app", "replay")
"""What is in the database: all that the application has, or a replay store of its own beside SQLite."""
BACK_WITHIN_SECONDS = 1.0
GONE_SECONDS = 0.5
"""Until every thread of a server has heard that it is to stop."""


@dataclass(frozen=True)
class Outcome:
    """What one server went through, for one thing that befell its database."""

    what: str
    answers: int
    unavailable: int
    slowest_seconds: float
    back_seconds: float
    """From the database's return to the first token."""
    replayed: int
    """How many spent assertions were sent once more, all refused."""

    def __str__(self) -> str:
        return (
            f"{self.what}: {self.answers} answers, {self.unavailable} of them 503, "
            f"slowest {self.slowest_seconds:.2f} s, back after {self.back_seconds * 1000:.0f} ms, "
            f"{self.replayed} spent assertions refused"
        )


@dataclass(frozen=True)
class Trial:
    """What is tried, and how long."""

    kind: str = "granian"
    timeout_seconds: int = 5
    away_seconds: float = 30
    back_within_seconds: float = BACK_WITHIN_SECONDS
    late_seconds: float = 1.0
    """How much longer than the timeout an answer may take."""
    threads: int = 8
    """How many callers there are."""
    settle_seconds: float = 1.0
    """How long the load goes on before and after."""
    driver: str | None = None
    """SQLAlchemy's name of another driver than the usual one."""


def build_environment(place: str, url: str, folder: Path, timeout_seconds: int) -> dict[str, str]:
    """The settings of a token server that has its database, or its replay store, at *url*."""
    sqlite = f"sqlite:///{folder}/as.sqlite"
    settings = {"SQLALCHEMY_DATABASE_URI": url if place == "app" else sqlite}
    if place == "replay":
        settings["OAUTH2_REPLAY_STORE"] = url
    settings["OAUTH2_STORE_TIMEOUT_SECONDS"] = str(timeout_seconds)
    return {f"FLASK_{name}": value for name, value in settings.items()}


@dataclass(frozen=True)
class Absence:
    """When a database was away, by ``time.monotonic``."""

    gone_at: float
    returns_at: float
    """When its return began."""
    back_at: float
    """When it answered."""


def freeze(database: DatabaseServer, trial: Trial) -> Absence:
    """Freeze the database for a while."""
    database.freeze()
    gone_at = time.monotonic()
    time.sleep(trial.away_seconds)
    back_at = time.monotonic()
    database.thaw()
    return Absence(gone_at, back_at, back_at)


def stop(database: DatabaseServer, trial: Trial) -> Absence:
    """Stop the database for a while and start it again."""
    database.stop()
    gone_at = time.monotonic()
    time.sleep(trial.away_seconds / 4)
    returns_at = time.monotonic()
    database.start()
    return Absence(gone_at, returns_at, time.monotonic())


WAYS = {"frozen": freeze, "stopped": stop}


def run(database: DatabaseServer, place: str, way: str, trial: Trial) -> Outcome:
    """Let a database be away while a server is under load, and hold the server to what is promised.

    :raises AssertionError: It is not kept.
    """
    url = database.new_database()
    if trial.driver is not None:
        url = f"{trial.driver}:{url.partition(':')[2]}"
    with tempfile.TemporaryDirectory() as folder:
        environment = build_environment(place, url, Path(folder), trial.timeout_seconds)
        caller = set_up(environment)
        with serving(trial.kind, Path(folder), environment) as served:
            with Load(served, caller, threads=trial.threads) as load:
                load.wait_for_token()
                time.sleep(trial.settle_seconds)
                absence = WAYS[way](database, trial)
                first = load.wait_for_token(lambda answer: answer.sent_at >= absence.back_at)
                time.sleep(trial.settle_seconds)
            what = f"{trial.kind}, {database.name} ({place}) {way}"
            return _judge(what, served, load, absence, first.ended_at - absence.back_at, trial)


def _judge(what: str, served: Served, load: Load, absence: Absence, back_seconds: float, trial: Trial) -> Outcome:
    answers = [answer for _, answer in load.answers]
    counts = Counter(answer.status for answer in answers)
    assert set(counts) == {200, 503}, f"{what}: {dict(counts)}"
    unavailable = [answer for answer in answers if answer.status == 503]
    assert all(answer.is_retry for answer in unavailable), unavailable[0]
    meanwhile = [
        answer
        for answer in answers
        if answer.status == 200
        and answer.sent_at > absence.gone_at + GONE_SECONDS
        and answer.ended_at < absence.returns_at
    ]
    assert not meanwhile, f"{what}: {len(meanwhile)} tokens while the database was away"
    slowest = max(answer.seconds for answer in answers)
    assert slowest < trial.timeout_seconds + trial.late_seconds, f"{what}: an answer took {slowest:.2f} s"
    assert back_seconds < trial.back_within_seconds, f"{what}: back after {back_seconds:.2f} s"
    return Outcome(what, len(answers), len(unavailable), slowest, back_seconds, check_never_twice(served, load.answers))


def main(arguments: list[str]) -> int:
    kept = True
    for kind, name in product(arguments or KINDS, DATABASES):
        if find_binary(name) is None:
            print(f"{name}: SKIPPED, it is not installed", flush=True)
            continue
        with database_server(name) as database:
            for place, way in product(PLACES, WAYS):
                trial = partial(run, database, place, way, Trial(kind))
                kept &= report(trial, f"{kind}, {name} ({place}) {way}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
