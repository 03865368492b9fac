"""A few threads for what blocks, so that an event loop never does."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from threading import BoundedSemaphore, Lock
from typing import Any, TypeVar

from ..errors import TemporarilyUnavailable

T = TypeVar("T")

WORKERS = 8
"""Threads of one pool."""
WAITING = 120
"""How much work may wait for a thread. More would wait longer than its callers do."""


class Threads:
    """Runs blocking functions for event loops, a few at a time; safe for forks. The threads start at first use.

    :param name: Begins the names of the threads.
    """

    def __init__(self, name: str, *, workers: int = WORKERS, waiting: int = WAITING) -> None:
        self._name = name
        self._workers = workers
        self._limit = workers + waiting
        self._places = BoundedSemaphore(self._limit)
        self._pool: ThreadPoolExecutor | None = None
        self._process: int | None = None
        self._lock = Lock()

    async def run(self, action: Callable[..., T], *arguments: Any) -> T:
        """The result (or the exception) of ``action(*arguments)``, which runs with this task's context variables.

        If the task is cancelled while the action waits for a thread, it never starts; otherwise it ends in its thread.

        :raises TemporarilyUnavailable: Too much work is waiting already.
        """
        pool = self._open()
        places = self._places
        if not places.acquire(blocking=False):
            raise TemporarilyUnavailable(
                f"{self._limit} calls are waiting in the threads {self._name}", cause="threads_busy"
            )

        def leave(_: "Future[T]") -> None:
            places.release()

        try:
            work = pool.submit(copy_context().run, action, *arguments)
        except BaseException:
            places.release()
            raise
        work.add_done_callback(leave)
        return await asyncio.wrap_future(work)

    def _open(self) -> ThreadPoolExecutor:
        if self._pool is None or self._process != os.getpid():  # no thread crosses a fork
            with self._lock:
                if self._pool is None or self._process != os.getpid():
                    self._places = BoundedSemaphore(self._limit)
                    self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix=self._name)
                    self._process = os.getpid()
        return self._pool
