"""The circuit breaker of an event loop: a task, not a thread, asks whether the store answers again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context

from ..errors import StoreUnavailable
from .breaker import PAUSE_SECONDS

log = logging.getLogger("flask_private_key_jwt")


class LoopBreaker:
    """Refuses work of one event loop while one store does not answer it.

    :param probe: Asks the store whether it works, and raises while it does not answer; it must end in a short time.
    :param store: The store's name in the log.
    """

    def __init__(self, probe: Callable[[], Awaitable[None]], *, store: str) -> None:
        self._probe = probe
        self._store = store
        self._asking: asyncio.Task[None] | None = None

    def check(self) -> None:
        """Check that the store is not known to be unavailable.

        :raises StoreUnavailable: It did not answer an earlier request, and has not answered a probe since.
        """
        if self._asking is not None and not self._asking.done():
            raise StoreUnavailable(
                f"{self._store}: it has not answered since an earlier request waited in vain", cause="store_paused"
            )

    def trip(self) -> None:
        """Refuse all work from now on, until the store answers a probe."""
        if self._asking is not None and not self._asking.done():
            return
        log.error("the %s does not answer: requests that need it are refused until it does", self._store)
        # In a context of its own: the budget of the request that failed is used up.
        self._asking = asyncio.get_running_loop().create_task(self._ask(), context=Context())

    def stop(self) -> None:
        """Stop asking."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> None:
        while not await self._has_answer():
            await asyncio.sleep(PAUSE_SECONDS)
        log.warning("the %s answers again", self._store)

    async def _has_answer(self) -> bool:
        try:
            await self._probe()
        except Exception as error:
            log.debug("the %s does not answer: %s", self._store, type(error).__name__)
            return False
        return True
