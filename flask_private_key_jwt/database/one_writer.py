"""Lets the threads of a process write to an SQLite file one after the other."""

import os
from contextlib import AbstractContextManager, nullcontext
from threading import Lock

from sqlalchemy.engine import Engine
from sqlalchemy.pool import QueuePool

from ..errors import StoreUnavailable
from .deadline import seconds_left
from .sqlite import TIMEOUT_SECONDS


def find_writing(engine: Engine) -> AbstractContextManager[None]:
    """The lock to hold while one statement writes to the database of *engine*; all threads share it."""
    is_file = engine.dialect.name == "sqlite" and isinstance(engine.pool, QueuePool)
    return OneWriter() if is_file else nullcontext()


class OneWriter:
    """Lets one thread write at a time, as an SQLite file requires, and wakes the next thread at once.

    SQLite itself sleeps between attempts; with many threads that doubles the time of a request.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._process = os.getpid()

    def __enter__(self) -> None:
        if self._process != os.getpid():
            # A thread that this child does not have may have held the lock of the parent.
            self._lock, self._process = Lock(), os.getpid()
        if self._lock.acquire(blocking=False):
            return
        # The thread that holds the lock may be waiting for a writer in another process.
        left = seconds_left(TIMEOUT_SECONDS)
        if not self._lock.acquire(timeout=left):
            raise StoreUnavailable(f"database: other threads have been writing for {left:.3g} s", cause="database_busy")

    def __exit__(self, *_: object) -> None:
        self._lock.release()
