"""What came of every request, and whether it may be so."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.faults.served import Answer

KILLED_SECONDS = 10.0
"""How long after the death of a worker its connections may be found broken."""
AFTER_SECONDS = 5.0
"""How long after its return a store may be found away: each worker asks it again in its own time."""
_KEPT_FAULTS = 20


class Interrupted(Exception):
    """No answer, or 503: whoever asked cannot know what was done, and begins anew."""


@dataclass
class Absence:
    """When a store was away, by ``time.monotonic``."""

    what: str
    gone_at: float
    back_at: float = float("inf")

    def covers(self, answer: Answer) -> bool:
        return answer.ended_at >= self.gone_at and answer.sent_at <= self.back_at + AFTER_SECONDS


@dataclass
class Ledger:
    """Counts what many threads ask for, and notes what may not be."""

    counts: Counter[str] = field(default_factory=Counter)
    refused_by_status: Counter[int] = field(default_factory=Counter)
    replays_tried: int = 0
    replays_refused: int = 0
    faults: list[str] = field(default_factory=list)
    """What may not be, the first of it in words."""
    fault_count: int = 0
    replays: dict[str, str] = field(default_factory=dict)
    """The ``Error-Reference`` of each replay, and what was sent again."""
    absences: list[Absence] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)
    _open: list[tuple[str, Answer]] = field(default_factory=list)
    """Lost answers and 503, which are judged at the end."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, what: str, answer: Answer | None = None) -> None:
        """Note what may not be.

        :param answer: What came instead.
        """
        if answer is not None:
            reference = answer.headers.get("error-reference", "none")
            what = f"{what}: {answer.status} {answer.body[:200]!r}, reference {reference}"
        with self._lock:
            self.fault_count += 1
            if len(self.faults) < _KEPT_FAULTS:
                self.faults.append(what)

    def good(self, what: str, answer: Answer, *statuses: int) -> Answer:
        """An answer to a request that is right.

        :param statuses: What it may be answered with; 200 if nothing else is said.
        :raises Interrupted: There is none, or a store is away.
        """
        self._count("good", what, answer)
        if answer.status not in (statuses or (200,)):
            self.fault(what, answer)
            raise Interrupted
        with self._lock:
            self.counts["good answers"] += 1
        return answer

    def refusal(self, what: str, answer: Answer) -> Answer:
        """An answer to a request that has to be refused.

        :raises Interrupted: There is none, or a store is away.
        """
        self._count("hostile", what, answer)
        if not 400 <= answer.status < 500:
            self.fault(f"hostile {what}", answer)
        with self._lock:
            self.refused_by_status[answer.status] += 1
        return answer

    def replay(self, what: str, answer: Answer) -> None:
        """An answer to something that was used before.

        :raises Interrupted: There is none, or a store is away.
        """
        with self._lock:
            self.replays_tried += 1
        try:
            self.refusal(f"replay of {what}", answer)
        except Interrupted:
            with self._lock:
                self.replays_tried -= 1
            raise
        if 400 <= answer.status < 500:
            with self._lock:
                self.replays_refused += 1
                if reference := answer.headers.get("error-reference"):
                    self.replays[reference] = what

    @contextmanager
    def absent(self, what: str) -> Iterator[None]:
        """Something is away until the block ends."""
        absence = Absence(what, time.monotonic())
        with self._lock:
            self.absences.append(absence)
        try:
            yield
        finally:
            absence.back_at = time.monotonic()

    def killed(self) -> None:
        """A worker is killed now."""
        with self._lock:
            self.kills.append(time.monotonic())

    def judge(self) -> None:
        """Hold lost answers and 503 against what befell the server."""
        for what, answer in self._open:
            if answer.status == 0:
                if not any(answer.sent_at - KILLED_SECONDS < kill < answer.ended_at for kill in self.kills):
                    self.fault(f"{what}: the connection broke, and no worker was killed")
            elif not any(absence.covers(answer) for absence in self.absences):
                self.fault(f"{what}: 503 after {answer.seconds:.1f} s, and no store was away")

    def _count(self, kind: str, what: str, answer: Answer) -> None:
        with self._lock:
            self.counts[kind] += 1
            if answer.status == 0 or answer.status >= 500:
                self.counts["lost" if answer.status == 0 else str(answer.status)] += 1
                self._open.append((what, answer))
        if answer.status == 0:
            raise Interrupted
        if answer.status == 503:
            if "retry-after" not in answer.headers:
                self.fault(f"{what}: 503 without Retry-After")
            raise Interrupted
        if answer.status >= 500:
            self.fault(what, answer)
            raise Interrupted
