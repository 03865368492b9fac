"""If several threads need the same result at the same time, one of them gets it for all."""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Generic, TypeVar

from ..database.deadline import outside_budget

T = TypeVar("T")

_FOLLOWED = 3
"""How many other threads a thread waits for that fail with an *own* error, before it raises that error too."""


class LeaderEnded(RuntimeError):
    """The thread that ran the action for all was ended, by Ctrl-C for example."""


class SingleFlight(Generic[T]):
    """Runs one action for each key at a time.

    :param own: Errors that concern only the thread that runs the action: the waiting threads then try again.
    """

    def __init__(self, *, own: tuple[type[Exception], ...] = ()) -> None:
        self._own = own
        self._under_way: dict[str, Future[T]] = {}
        self._lock = Lock()

    def is_under_way(self, key: str) -> bool:
        """Whether a thread is running an action for *key* right now."""
        return key in self._under_way

    def run(
        self, key: str, action: Callable[[], T], *, waiting: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> T:
        """The result (or the exception) of *action*, or of the same action that another thread is running for *key*.

        :param waiting: A context manager, entered while this thread waits for another. If entering it raises, this
            thread does not wait.
        """
        followed = 0
        while True:
            flight, leads = self._join(key)
            if leads:
                self._fly(key, flight, action)
                return flight.result()
            followed += 1
            with waiting(), outside_budget():  # the other thread has its own budget
                try:
                    return flight.result()
                except self._own:
                    if followed == _FOLLOWED:
                        raise

    def _join(self, key: str) -> tuple[Future[T], bool]:
        """The action that is running for *key*, or a new one; and whether this thread must run it."""
        with self._lock:
            flight = self._under_way.get(key)
            if flight is not None:
                return flight, False
            flight = self._under_way[key] = Future()
            return flight, True

    def _fly(self, key: str, flight: Future[T], action: Callable[[], T]) -> None:
        try:
            flight.set_result(action())
        except Exception as error:
            flight.set_exception(error)
        except BaseException:
            flight.set_exception(LeaderEnded("the thread that did it was ended"))
            raise
        finally:
            with self._lock:
                del self._under_way[key]
