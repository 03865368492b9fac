"""Uses a replay store for event loops from threads, so that one suite tests both kinds."""

import asyncio
import inspect
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import Any, cast

from ..database.batches import BATCH_ROWS, Rest, no_rest
from ..replay.base import AsyncReplayStore, Mark, ReplayStore


@contextmanager
def in_threads(store: ReplayStore | AsyncReplayStore) -> Iterator[ReplayStore]:
    """*store* during the block. One whose ``remember`` is ``async def`` is called in one event loop."""
    if not inspect.iscoroutinefunction(store.remember):
        yield cast(ReplayStore, store)
        return
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="replay-store-under-test", daemon=True)
    thread.start()
    try:
        yield _OnLoop(cast(AsyncReplayStore, store), loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _OnLoop:
    """A store for threads that passes every call to an event loop, and waits for its answer."""

    def __init__(self, store: AsyncReplayStore, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._loop = loop

    def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.ReplayStore.remember`; what the store returns is returned, because it has to be nothing."""
        returned: None = self._run(self._store.remember(marks))
        return returned

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """See :meth:`.ReplayStore.purge`."""
        removed: int = self._run(self._store.purge())
        return removed

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
