"""If several tasks of an event loop need the same result at the same time, one of them gets it for all."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from ..event_loops.per_loop import PerLoop

T = TypeVar("T")


class LoopFlights:
    """Runs one action for each key at a time, in each event loop; :class:`.SingleFlight` does so for threads."""

    def __init__(self) -> None:
        self._under_way: PerLoop[dict[str, asyncio.Future[Any]]] = PerLoop(dict)

    def is_under_way(self, key: str) -> bool:
        """Whether an action for *key* is running in this loop."""
        return key in self._under_way.get()

    async def run(self, key: str, action: Callable[[], Awaitable[T]]) -> T:
        """The result (or the exception) of *action*, or of the same action that another task is waiting for.

        It goes on if a task that waits is cancelled, because others may be waiting too.
        """
        flights = self._under_way.get()
        flight: asyncio.Future[T] | None = flights.get(key)
        if flight is None:

            def land(landed: "asyncio.Future[T]") -> None:
                del flights[key]
                if not landed.cancelled():
                    landed.exception()  # else asyncio complains if everybody who waited has been cancelled

            flight = flights[key] = asyncio.ensure_future(action())
            flight.add_done_callback(land)
        return await asyncio.shield(flight)
