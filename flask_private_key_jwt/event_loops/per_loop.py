"""One value for each event loop: connections and tasks of one loop are of no use in another."""

import asyncio
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from ..errors import ConfigurationError

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Makes one value for each event loop that asks; safe for many threads.

    :param make: Makes the value, in the loop that asks for it.
    :param drop: Called with the value of a loop that has been closed.
    """

    def __init__(self, make: Callable[[], T], *, drop: Callable[[T], None] = lambda _value: None) -> None:
        self._make = make
        self._drop = drop
        self._values: dict[asyncio.AbstractEventLoop, T] = {}
        self._lock = Lock()

    def get(self) -> T:
        """The value of the running loop.

        :raises ConfigurationError: No asyncio event loop is running.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ConfigurationError("This runs under asyncio (or uvloop) only, and not under trio.") from None
        value = self._values.get(loop)
        return self._add(loop) if value is None else value

    def _add(self, loop: asyncio.AbstractEventLoop) -> T:
        with self._lock:
            # A value may refer to its loop, so weak references would keep both. There are few new loops.
            closed = [self._values.pop(other) for other in list(self._values) if other.is_closed()]
            value = self._values[loop] = self._make()
        for other_value in closed:
            self._drop(other_value)
        return value
