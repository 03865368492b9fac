"""The replay store for one process: a test, a demo, an API with a single worker."""

import heapq
from collections.abc import Sequence
from threading import Lock

from .. import clock
from ..database.batches import BATCH_ROWS, Rest, no_rest
from ..errors import StoreUnavailable
from .base import Mark, Replayed, build_digests

MAX_MARKS = 1_000_000


class MemoryReplayStore:
    """Remembers marks in this process only: a second worker does not know them, and a restart forgets them.

    :param max_marks: Most unexpired marks to keep, about 250 bytes each. A full store refuses requests; it never
        forgets a mark.
    """

    def __init__(self, *, max_marks: int = MAX_MARKS) -> None:
        self._max_marks = max_marks
        self._remembered: set[bytes] = set()
        self._by_expiry: list[tuple[int, bytes]] = []
        self._lock = Lock()

    def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.base.ReplayStore.remember`."""
        digests = build_digests(marks)
        with self._lock:
            self._forget_expired()
            for mark, digest in zip(marks, digests, strict=True):
                if digest in self._remembered:
                    raise Replayed(mark)
            if len(self._remembered) + len(marks) > self._max_marks:
                raise StoreUnavailable(f"memory: {self._max_marks} marks are held already", cause="memory_full")
            for mark, digest in zip(marks, digests, strict=True):
                self._remembered.add(digest)
                heapq.heappush(self._by_expiry, (mark.until, digest))

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """See :meth:`.base.ReplayStore.purge`; every :meth:`remember` does the same."""
        with self._lock:
            return self._forget_expired()

    def _forget_expired(self) -> int:
        now, before = clock.now(), len(self._remembered)
        while self._by_expiry and self._by_expiry[0][0] < now:
            self._remembered.remove(heapq.heappop(self._by_expiry)[1])
        return before - len(self._remembered)
