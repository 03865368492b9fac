"""Of the threads that want the same thing at the same time, one gets it for all."""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Generic, TypeVar

from ..database.deadline import outside_budget

T = TypeVar("T")


_FOLLOWED = 3
"""How many threads one may wait for that were turned away for reasons of their own, before it is, too."""


class SingleFlight(Generic[T]):
    """Runs one action for each key at a time.

    :param own: What an action raises for reasons of the thread that runs it: those that wait try for themselves.
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
        """The result of *action*, or of the equal one that another thread is running; its exception too.

        :param waiting: Entered while this thread waits for another one; what it raises ends the wait before it begins.
        """
        followed = 0
        while True:
            flight, leads = self._join(key)
            if leads:
                self._fly(key, flight, action)
                return flight.result()
            followed += 1
            with waiting(), outside_budget():  # what the other thread does has its own
                try:
                    return flight.result()
                except self._own:
                    if followed == _FOLLOWED:
                        raise

    def _join(self, key: str) -> tuple[Future[T], bool]:
        """The flight that is under way, or a new one, and whether this thread leads it."""
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
            flight.set_exception(RuntimeError("the thread that did it was ended"))
            raise
        finally:
            with self._lock:
                del self._under_way[key]
