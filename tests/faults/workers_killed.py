"""``kill -9`` of two workers of four at a time, under load: what is lost, for how long, whether anything counts twice.

Granian ends when one of its workers dies within 5.5 seconds of its start, which a supervisor has to answer; so the two
oldest are killed, and never one that has just come.

    python -m tests.faults.workers_killed
"""

import os
import signal
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.faults.report import report_in_folder
from tests.faults.served import Load, Served, ask_token, check_never_twice, serving, set_up

ROUNDS = 20
WORKERS = 4
KILLED_AT_ONCE = 2
SERVED_WITHIN_SECONDS = 1.0


@dataclass(frozen=True)
class Outcome:
    """What one server went through."""

    kind: str
    answers: int
    lost: int
    """Requests whose connection broke: those that the dead worker held."""
    slowest_seconds: float
    """The longest that a new connection waited for its answer."""
    replayed: int
    """How many spent assertions were sent once more, all refused."""

    def __str__(self) -> str:
        return (
            f"{self.kind}: {self.answers} answers, {self.lost} lost with their workers, slowest "
            f"{self.slowest_seconds * 1000:.0f} ms, {self.replayed} spent assertions refused"
        )


def run(kind: str, folder: Path, *, rounds: int = ROUNDS, within_seconds: float = SERVED_WITHIN_SECONDS) -> Outcome:
    """Kill workers of a server under load *rounds* times, and hold it to what is promised.

    :raises AssertionError: It is not kept.
    """
    environment = {"FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/as.sqlite"}
    caller = set_up(environment)
    with serving(kind, folder, environment, workers=WORKERS) as served:
        with Load(served, caller, threads=4) as load:
            workers = _wait_for_workers(served, gone=set())
            for _ in range(rounds):
                victims = set(workers[:KILLED_AT_ONCE])
                for victim in victims:
                    os.kill(victim, signal.SIGKILL)
                found = _wait_for_workers(served, gone=victims)
                workers = [old for old in workers if old in found] + [new for new in found if new not in workers]
        answers = [answer for _, answer in load.answers]
        lost = [answer for answer in answers if answer.status == 0]
        refused = {answer.status for answer in answers} - {0, 200}
        assert not refused, f"{kind} answered {sorted(refused)}"
        # Each thread has one request under way: no more than those can be with the worker that dies.
        assert len(lost) <= 4 * rounds, f"{kind} lost {len(lost)} requests in {rounds} rounds"
        slowest = max(answer.seconds for answer in answers if answer.status == 200)
        assert slowest < within_seconds, f"{kind}: an answer took {slowest:.2f} s"
        replayed = check_never_twice(served, load.answers)
        lost_forms = [form for form, answer in load.answers if answer.status == 0]
        _check_lost(served, lost_forms)
    return Outcome(kind, len(answers), len(lost), slowest, replayed)


def _wait_for_workers(served: Served, *, gone: set[int]) -> list[int]:
    """The workers that answer, once there are all of them and none of *gone*."""
    deadline = time.monotonic() + 30
    while True:
        try:
            found = served.workers()
        except OSError:  # the connection was with a worker that died
            found = set()
        if len(found) == WORKERS and not found & gone:
            return sorted(found)
        assert served.process.poll() is None, f"the server ended:\n{served.log.read_text()[-2000:]}"
        assert time.monotonic() < deadline, "no workers took the place of those that were killed"
        time.sleep(0.05)


def _check_lost(served: Served, forms: list[bytes]) -> None:
    """A request that was lost may or may not have been spent; sent twice more, it brings one token at most."""
    for form in forms:
        statuses = sorted(ask_token(served.port, form).status for _ in range(2))
        assert statuses in ([200, 400], [400, 400]), statuses


def main() -> int:
    kept = [report_in_folder(partial(run, kind), kind) for kind in ("granian", "gunicorn")]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
