"""If several tasks need the same result at the same time, one of them gets it for all; on asyncio and on trio."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.lowlevel import EventLoopToken, current_token


@dataclass(slots=True)
class _Flight:
    """An action that a task is running."""

    ended: anyio.Event = field(default_factory=anyio.Event)
    outcome: Callable[[], Any] | None = None
    """Returns the result, or raises the exception; ``None``: its task was cancelled."""


class AsyncSingleFlight:
    """Runs one action for each key at a time, in each event loop.

    No task is made for the action: it belongs to the task that came first, with its cancellation and its context. If
    that one is cancelled, one of the waiting tasks runs the action anew.
    """

    def __init__(self) -> None:
        # By event loop, because no task can wait for one of another loop.
        self._under_way: dict[tuple[EventLoopToken, str], _Flight] = {}

    async def run(self, key: str, action: Callable[[], Awaitable[Any]]) -> Any:
        """The result (or the exception) of *action*, or of the same action that another task is running for *key*."""
        place = (current_token(), key)
        while (flight := self._under_way.get(place)) is not None:
            await flight.ended.wait()
            if flight.outcome is not None:
                return flight.outcome()
        flight = self._under_way[place] = _Flight()
        try:
            result = await action()
            flight.outcome = lambda: result
        except Exception as error:
            flight.outcome = _raiser(error)
            raise
        finally:
            del self._under_way[place]
            flight.ended.set()
        return result


def _raiser(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail
