"""Make the store that ``OAUTH2_REPLAY_STORE`` names, for an event loop.

Redis, and databases with an async driver, are really asynchronous. Any other store blocks, so it runs in a few threads.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar, cast

from ..database.deadline import seconds_left
from ..errors import ConfigurationError, StoreUnavailable
from ..event_loops.threads import Threads
from . import ASYNC_REPLAY_STORES
from .base import AsyncReplayStore, Mark, ReplayStore, check_returned, remember_once
from .loading import check_replicas, find_object, is_import_path, kind_of, load_replay_store, make_own_store
from .memory import MemoryReplayStore

T = TypeVar("T")

STORE_SECONDS = 30
"""Longest wait for a store outside a request."""


def load_async_replay_store(setting: object, *, redis_replicas: int = 0) -> AsyncReplayStore:
    """Make the replay store that ``OAUTH2_REPLAY_STORE`` names, or check the store that it holds.

    :param setting: As for :func:`.load_replay_store`. The ``remember()`` of an application's own store may be async.
    :param redis_replicas: ``OAUTH2_REPLAY_REDIS_REPLICAS``.
    :raises ConfigurationError: The store cannot be made; the message never quotes a URL.
    """
    check_replicas(setting, redis_replicas)
    if not isinstance(setting, str) or is_import_path(setting):
        return _adapt(make_own_store(setting))
    path = ASYNC_REPLAY_STORES.get(kind_of(setting))
    given = {"replicas": redis_replicas} if redis_replicas else {}
    store: Any = load_replay_store(setting) if path is None else find_object(path)(setting, **given)
    return cast(AsyncReplayStore, store) if _is_async(store) else _adapt(store)


def _is_async(store: object) -> bool:
    return inspect.iscoroutinefunction(getattr(store, "remember", None))


def _adapt(store: Any) -> AsyncReplayStore:
    """Make an application's own store, or one that blocks, fit for an event loop."""
    if not _is_async(store):
        checked = load_replay_store(store)
        return Immediate(checked) if isinstance(checked, MemoryReplayStore) else InThreads(checked)
    for name, arguments in (("remember", ([],)), ("purge", ())):
        method = getattr(store, name, None)
        if not inspect.iscoroutinefunction(method):
            raise ConfigurationError(
                f"OAUTH2_REPLAY_STORE: {type(store).__name__} has an async remember(): it needs an async {name}() too."
            )
        try:
            inspect.signature(method).bind(*arguments)
        except TypeError as error:
            raise ConfigurationError(
                f"OAUTH2_REPLAY_STORE: {name}() of {type(store).__name__} cannot be called as AsyncReplayStore says: "
                f"{error}."
            ) from None
    return InTime(store)


class InTime:
    """A store of the application's own, which may have no time limit, held to the time of a request."""

    def __init__(self, store: AsyncReplayStore) -> None:
        self.store = store

    async def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.base.AsyncReplayStore.remember`."""
        check_returned(self.store, await _within_budget(cast(Any, self.store).remember(marks)))

    async def purge(self) -> int:
        """See :meth:`.base.AsyncReplayStore.purge`."""
        return await self.store.purge()


async def _within_budget(waiting: Awaitable[T]) -> T:
    seconds = seconds_left(STORE_SECONDS)
    try:
        async with asyncio.timeout(seconds):
            return await waiting
    except TimeoutError:
        reason = f"the replay store did not answer within {seconds:g} s"
        raise StoreUnavailable(reason, cause="store_timeout") from None


class Immediate:
    """A store that never waits, in an event loop."""

    def __init__(self, store: ReplayStore) -> None:
        self.store = store

    async def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.base.AsyncReplayStore.remember`."""
        remember_once(self.store, marks)

    async def purge(self) -> int:
        """See :meth:`.base.AsyncReplayStore.purge`."""
        return self.store.purge()


class InThreads:
    """A store that blocks, in threads."""

    def __init__(self, store: ReplayStore) -> None:
        self.store = store
        self._threads = Threads("oauth2-replay")

    async def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.base.AsyncReplayStore.remember`."""
        await _within_budget(self._threads.run(remember_once, self.store, marks))

    async def purge(self) -> int:
        """See :meth:`.base.AsyncReplayStore.purge`."""
        return await self._threads.run(self.store.purge)
