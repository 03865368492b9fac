"""Make the store that ``OAUTH2_REPLAY_STORE`` names, for an event loop.

Redis, and databases with an async driver, are really asynchronous. Any other store blocks, so it runs in a few threads.
"""

import inspect
from collections.abc import Sequence
from typing import Any, cast

from ..errors import ConfigurationError
from ..threads import Threads
from .base import AsyncReplayStore, Mark, ReplayStore, remember_once
from .loading import is_import_path, kind_of, load_replay_store, make_own_store
from .memory import MemoryReplayStore
from .redis import check_redis

REDIS_URLS, SQL_URL = ("redis://", "rediss://", "unix://"), "://"
"""Entries of :data:`.REPLAY_STORES`."""


def load_async_replay_store(setting: object) -> AsyncReplayStore:
    """Make the replay store that ``OAUTH2_REPLAY_STORE`` names, or check the store that it holds.

    :param setting: As for :func:`.load_replay_store`. The ``remember()`` of an application's own store may be async.
    :raises ConfigurationError: The store cannot be made; the message never quotes a URL.
    """
    if not isinstance(setting, str) or is_import_path(setting):
        return _adapt(make_own_store(setting))
    kind = kind_of(setting)
    if kind in REDIS_URLS:
        check_redis()
        from .async_redis import AsyncRedisReplayStore

        return AsyncRedisReplayStore(setting)
    if kind == SQL_URL and _has_async_driver(setting):
        try:
            from .async_sql import AsyncSQLAlchemyReplayStore
        except ImportError:  # SQLAlchemy's asyncio needs greenlet
            raise ConfigurationError(
                "OAUTH2_REPLAY_STORE names an async database driver, for which SQLAlchemy needs greenlet: "
                "pip install flask-private-key-jwt[asgi]"
            ) from None
        return AsyncSQLAlchemyReplayStore(setting)
    return _adapt(load_replay_store(setting))


def _adapt(store: Any) -> AsyncReplayStore:
    if inspect.iscoroutinefunction(getattr(store, "remember", None)):
        try:
            inspect.signature(store.remember).bind([])
        except TypeError as error:
            raise ConfigurationError(
                f"OAUTH2_REPLAY_STORE: remember() of {type(store).__name__} cannot be called with marks: {error}."
            ) from None
        return cast(AsyncReplayStore, store)
    checked = load_replay_store(store)
    return Immediate(checked) if isinstance(checked, MemoryReplayStore) else InThreads(checked)


class Immediate:
    """A store that never waits, in an event loop."""

    def __init__(self, store: ReplayStore) -> None:
        self.store = store

    async def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.base.AsyncReplayStore.remember`."""
        remember_once(self.store, marks)


class InThreads:
    """A store that blocks, in threads."""

    def __init__(self, store: ReplayStore) -> None:
        self.store = store
        self._threads = Threads("oauth2-replay")

    async def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.base.AsyncReplayStore.remember`."""
        await self._threads.run(remember_once, self.store, marks)


def _has_async_driver(url: str) -> Any:
    from .own_engine import has_async_driver

    return has_async_driver(url)
