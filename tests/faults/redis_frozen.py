"""A Redis that is frozen, and one that is killed and started again, as the replay store of a server under load.

Every answer comes within ``OAUTH2_STORE_TIMEOUT_SECONDS`` and a second, as 503 with ``Retry-After`` while Redis is
away; nothing is issued twice; and service comes back by itself within a second of its return. Redis keeps what it
confirms (``appendonly yes``, ``appendfsync always``), so that nothing has to be refused after its restart.

    python -m tests.faults.redis_frozen [granian] [gunicorn]
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

from tests.faults.redis_server import RedisServer, find_redis, redis_server
from tests.faults.report import report
from tests.faults.served import Load, Served, check_never_twice, serving, set_up


@dataclass(frozen=True)
class Trial:
    """What is tried, and how long; times in seconds."""

    kind: str = "granian"
    timeout: int = 5
    away: float = 20
    back_within: float = 1.0
    late: float = 1.0
    """How much longer than the timeout an answer may take."""
    settle: float = 1.0
    """How long the load goes on before and after."""
    threads: int = 8
    """How many callers there are."""


@dataclass(frozen=True)
class Outcome:
    """What one server went through."""

    what: str
    answers: int
    unavailable: int
    slowest_seconds: float
    waiting: int
    """How many answers while Redis was away took longer than a tenth of a second."""
    back_seconds: float
    """From the return of Redis to the first token."""
    replayed: int
    """How many spent assertions were sent once more, all refused."""

    def __str__(self) -> str:
        return (
            f"{self.what}: {self.answers} answers, {self.unavailable} of them 503, "
            f"slowest {self.slowest_seconds:.2f} s, {self.waiting} that waited, "
            f"back after {self.back_seconds * 1000:.0f} ms, {self.replayed} spent assertions refused"
        )


def freeze(server: RedisServer, seconds: float) -> float:
    """Let it answer nothing for a while; until when it cannot have answered."""
    server.freeze()
    time.sleep(seconds)
    returning = time.monotonic()
    server.thaw()
    return returning


def kill(server: RedisServer, seconds: float) -> float:
    """Let it be gone for a while; it comes back with what it had. Until when it cannot have answered."""
    server.kill()
    time.sleep(seconds)
    returning = time.monotonic()
    server.start()
    return returning


WAYS: dict[str, Callable[[RedisServer, float], float]] = {"frozen": freeze, "killed": kill}


def run(way: str, trial: Trial) -> Outcome:
    """Let Redis be away while a server is under load, and hold the server to what is promised.

    :raises AssertionError: It is not kept.
    """
    with tempfile.TemporaryDirectory() as name, redis_server(Path(name)) as redis:
        redis.settle(durable=True)
        environment = {
            "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{name}/as.sqlite",
            "FLASK_OAUTH2_REPLAY_STORE": redis.url,
            "FLASK_OAUTH2_STORE_TIMEOUT_SECONDS": str(trial.timeout),
        }
        caller = set_up(environment)
        with serving(trial.kind, Path(name), environment) as served:
            with Load(served, caller, threads=trial.threads) as load:
                load.wait_for_token()
                time.sleep(trial.settle)
                gone = time.monotonic()
                returning = WAYS[way](redis, trial.away)
                back = time.monotonic()
                first = load.wait_for_token(lambda answer: answer.ended_at >= back).ended_at
                time.sleep(trial.settle)
            return _judge(f"{trial.kind}, Redis {way}", served, load, (gone, returning, back, first), trial)


def _judge(what: str, served: Served, load: Load, times: tuple[float, float, float, float], trial: Trial) -> Outcome:
    gone, returning, back, first = times
    answers = [answer for _, answer in load.answers]
    counts = Counter(answer.status for answer in answers)
    assert set(counts) == {200, 503}, f"{what}: {dict(counts)}"
    unavailable = [answer for answer in answers if answer.status == 503]
    assert all(answer.is_retry for answer in unavailable), unavailable[0]
    meanwhile = [answer for answer in answers if gone + 0.5 < answer.sent_at and answer.ended_at < returning]
    assert meanwhile, f"{what}: no answers while Redis was away"
    assert all(answer.status == 503 for answer in meanwhile), f"{what}: a token while Redis was away"
    slowest = max(answer.seconds for answer in answers)
    assert slowest < trial.timeout + trial.late, f"{what}: an answer took {slowest:.2f} s"
    assert first - back < trial.back_within, f"{what}: back after {first - back:.2f} s"
    waiting = sum(answer.seconds > 0.1 for answer in meanwhile)
    replayed = check_never_twice(served, load.answers)
    return Outcome(what, len(answers), len(unavailable), slowest, waiting, first - back, replayed)


def main(kinds: list[str]) -> int:
    if find_redis() is None:
        print("SKIPPED: Redis is not installed", flush=True)
        return 0
    trials = product(kinds or ["granian", "gunicorn"], WAYS)
    kept = [report(partial(run, way, Trial(kind)), f"{kind}, Redis {way}") for kind, way in trials]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
