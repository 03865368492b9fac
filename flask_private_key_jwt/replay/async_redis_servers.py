"""The same as ``redis_servers.py`` for event loops, with redis-py's asyncio side."""

from collections.abc import Mapping
from typing import Any, Protocol

from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from .redis_servers import SentinelOrder, read_options, read_timeout
from .redis_urls import Address, SentinelURL, is_for_several, read_url

_make_sentinel: Any = Sentinel
"""redis-py's, which has no types."""


class AsyncServer(Protocol):
    """See :class:`.redis_servers.Server`. Its methods have no time limit."""

    may_move: bool

    def make(self) -> Any:
        """A connection that is not connected yet, to the server that the last look found."""

    async def look(self) -> None:
        """See :meth:`.redis_servers.Server.look`."""

    def is_at(self, connection: Any) -> bool:
        """See :meth:`.redis_servers.Server.is_at`."""


def no_retry() -> Retry:
    """See :func:`.redis_servers.no_retry`."""
    return Retry(NoBackoff(), 0)


def open_server(url: str) -> tuple[AsyncServer, float]:
    """See :func:`.redis_servers.open_server`."""
    if not is_for_several(url):
        connection_class, options = read_options(ConnectionPool, url, no_retry())
        return AsyncFixedServer(connection_class, options), read_timeout(options)
    several = read_url(url)
    assert isinstance(several, SentinelURL)
    connection_class, options = read_options(ConnectionPool, several.server, no_retry())
    return AsyncWatchedServer(several, connection_class, options), read_timeout(options)


class AsyncFixedServer:
    """See :class:`.redis_servers.FixedServer`."""

    may_move = False

    def __init__(self, connection_class: type[Any], options: Mapping[str, Any]) -> None:
        self._connection_class = connection_class
        # Without time limits of its own, which would make a task for each read and write.
        self._options = {**options, "socket_timeout": None}

    def make(self) -> Any:
        """See :meth:`AsyncServer.make`."""
        return self._connection_class(**self._options)

    async def look(self) -> None:
        """Nothing to look for."""

    def is_at(self, connection: Any) -> bool:
        """Every connection leads there."""
        return True


class AsyncWatchedServer:
    """See :class:`.redis_servers.WatchedServer`."""

    may_move = True

    def __init__(self, url: SentinelURL, connection_class: type[Any], options: Mapping[str, Any]) -> None:
        self._connection_class = connection_class
        self._options = {**options, "socket_timeout": None}
        self._sentinels = SentinelOrder(url, read_options(ConnectionPool, url.sentinel, no_retry())[1])
        self._service = url.service
        self._master: Address | None = None

    def make(self) -> Any:
        """See :meth:`AsyncServer.make`."""
        assert self._master is not None
        host, port = self._master
        return self._connection_class(**{**self._options, "host": host, "port": port})

    async def look(self) -> None:
        """See :meth:`AsyncServer.look`."""
        addresses, options = self._sentinels.next()
        sentinel = _make_sentinel(addresses, sentinel_kwargs=options)
        try:
            master: Address = await sentinel.discover_master(self._service)
        finally:
            for client in sentinel.sentinels:
                await client.connection_pool.disconnect()
        self._sentinels.found_by(sentinel.sentinels[0])
        self._master = master

    def is_at(self, connection: Any) -> bool:
        """See :meth:`AsyncServer.is_at`."""
        return (connection.host, connection.port) == self._master
