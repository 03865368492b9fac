"""A Redis master that is lost while a server is under load: a replica takes over, by sentinels or in a cluster.

Every answer comes within ``OAUTH2_STORE_TIMEOUT_SECONDS`` and a second, as a token or as 503 with ``Retry-After``;
nothing is issued twice; and service comes back by itself when the replica has taken over, after the time for which
marks may have been lost (``OAUTH2_CLOCK_SKEW_SECONDS``).

    python -m tests.faults.redis_failover [granian] [gunicorn]
"""

import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

from tests.faults.redis_lost_marks import WAYS
from tests.faults.report import report
from tests.faults.served import Load, Served, ask_token, serving, set_up
from tests.servers.redis_groups import FAST, find_redis, redis_group, settle


@dataclass(frozen=True)
class Trial:
    """What is tried, and how long; times in seconds."""

    kind: str = "granian"
    timeout: int = 5
    skew: int = 10
    back_within: float = 15.0
    """From the replica's rise to the first token that is asked for after it."""
    late: float = 1.0
    """How much longer than the timeout an answer may take."""
    settle: float = 1.0
    """How long the load goes on before and after."""
    threads: int = 8
    """How many callers there are."""
    options: tuple[str, ...] = FAST
    """Of the Redis servers."""


@dataclass(frozen=True)
class Outcome:
    """What one server went through."""

    what: str
    answers: int
    unavailable: int
    slowest_seconds: float
    meanwhile: int
    """How many tokens were issued between the loss and the replica's rise."""
    back_seconds: float
    """From the replica's rise to the first token."""
    replayed: int
    """How many spent assertions were sent once more, all refused."""

    def __str__(self) -> str:
        return (
            f"{self.what}: {self.answers} answers, {self.unavailable} of them 503, "
            f"slowest {self.slowest_seconds:.2f} s, {self.meanwhile} tokens meanwhile, "
            f"back {self.back_seconds:.1f} s after the replica took over, {self.replayed} spent assertions refused"
        )


def run(group_kind: str, way: str, trial: Trial) -> Outcome:
    """Lose the master of a group while a server is under load, and hold the server to what is promised.

    :raises AssertionError: It is not kept.
    """
    what = f"{trial.kind}, {group_kind}, master {way}"
    with tempfile.TemporaryDirectory() as name, redis_group(group_kind, Path(name), trial.options) as group:
        settle(group)
        environment = {
            "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{name}/as.sqlite",
            "FLASK_OAUTH2_REPLAY_STORE": group.url,
            "FLASK_OAUTH2_STORE_TIMEOUT_SECONDS": str(trial.timeout),
            "FLASK_OAUTH2_CLOCK_SKEW_SECONDS": str(trial.skew),
        }
        caller = set_up(environment)
        with serving(trial.kind, Path(name), environment) as served:
            with Load(served, caller, threads=trial.threads) as load:
                load.wait_for_token()
                time.sleep(trial.settle)
                lost = time.monotonic()
                WAYS[way](group, group.masters()[0])
                risen = time.monotonic()
                first = load.wait_for_token(lambda answer: answer.sent_at >= risen).ended_at
                time.sleep(trial.settle)
            return _judge(what, served, load, (lost, risen, first), trial)


def _judge(what: str, served: Served, load: Load, times: tuple[float, float, float], trial: Trial) -> Outcome:
    lost, risen, first = times
    answers = [answer for _, answer in load.answers]
    counts = Counter(answer.status for answer in answers)
    assert set(counts) <= {200, 503}, f"{what}: {dict(counts)}"
    unavailable = [answer for answer in answers if answer.status == 503]
    assert unavailable, f"{what}: nobody noticed"
    assert all(answer.is_retry for answer in unavailable), unavailable[0]
    slowest = max(answer.seconds for answer in answers)
    assert slowest < trial.timeout + trial.late, f"{what}: an answer took {slowest:.2f} s"
    assert first - risen < trial.back_within, f"{what}: back after {first - risen:.2f} s"
    meanwhile = sum(answer.status == 200 and lost + 0.5 < answer.sent_at < risen for answer in answers)
    spent = [form for form, answer in load.answers if answer.status == 200]
    again = Counter(ask_token(served.port, form).status for form in spent)
    # A mark that may have been lost is a 503, which says nothing of the assertion.
    assert set(again) <= {400, 503}, f"{what}: spent assertions brought {dict(again)}"
    return Outcome(what, len(answers), len(unavailable), slowest, meanwhile, first - risen, len(spent))


def main(kinds: list[str]) -> int:
    if find_redis() is None:
        print("SKIPPED: Redis is not installed", flush=True)
        return 0
    trials = product(kinds or ["granian", "gunicorn"], ("sentinel", "cluster"), ("killed", "frozen"))
    kept = [
        report(partial(run, group, way, Trial(kind)), f"{kind}, {group}, master {way}") for kind, group, way in trials
    ]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
