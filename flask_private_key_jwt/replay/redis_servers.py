"""Which server of Redis has the marks: always the same one, or the one that the sentinels name; for threads.

``async_redis_servers.py`` has the same for event loops.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from ..errors import ConfigurationError
from .redis_timeout import SHORT, TIMEOUT_SECONDS
from .redis_urls import Address, SentinelURL, is_for_several, read_url

_make_sentinel: Any = Sentinel
"""redis-py's, which has no types."""


class Server(Protocol):
    """Connects to one server."""

    may_move: bool
    """Whether another server can take its place, so that it has to be looked for."""

    def connect(self) -> Any:
        """A new connection of redis-py. May take long; raises what redis-py raises."""

    def look(self) -> Address:
        """Find out which server it is now. May take long; raises what redis-py raises."""

    def is_at(self, connection: Any) -> bool:
        """Whether a connection leads to the server that the last look found."""


def read_options(pool_class: type[Any], url: str, retry: Any) -> tuple[type[Any], dict[str, Any]]:
    """The class of connections for a URL, and their arguments.

    :param pool_class: ``redis.ConnectionPool`` or that of ``redis.asyncio``; only its reader of URLs is used.
    :param retry: What keeps it from sending anything twice: see :func:`no_retry`.
    :raises ConfigurationError: redis-py cannot read the URL.
    """
    try:
        pool = pool_class.from_url(
            url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS, protocol=2, retry=retry
        )
    except (ValueError, TypeError):
        # The message would quote the URL, password included.
        raise ConfigurationError("OAUTH2_REPLAY_STORE is not a URL that redis-py reads.") from None
    return pool.connection_class, dict(pool.connection_kwargs)


def no_retry() -> Retry:
    """Send nothing twice: if only the answer was lost, the repeated script would find its own marks."""
    return Retry(NoBackoff(), 0)


def read_timeout(options: Mapping[str, Any]) -> float:
    """The longest wait that the options of a connection allow, in seconds."""
    return options["socket_timeout"] or TIMEOUT_SECONDS


def open_server(url: str) -> tuple["Server", float]:
    """Where a URL leads, and the longest wait for an answer in seconds.

    :param url: That of one server, or of sentinels.
    :raises ConfigurationError: It is malformed.
    """
    if not is_for_several(url):
        connection_class, options = read_options(redis.ConnectionPool, url, no_retry())
        return FixedServer(connection_class, options), read_timeout(options)
    several = read_url(url)
    assert isinstance(several, SentinelURL)
    watched = WatchedServer(several)
    return watched, watched.timeout


class FixedServer:
    """A server that stays where it is.

    :param connection_class: Of redis-py.
    :param options: The arguments of that class.
    """

    may_move = False

    def __init__(self, connection_class: type[Any], options: Mapping[str, Any]) -> None:
        self._connection_class = connection_class
        self._options = options

    def connect(self) -> Any:
        """See :meth:`Server.connect`."""
        connection = self._connection_class(**self._options)
        connection.connect()
        return connection

    def look(self) -> Address:
        """See :meth:`Server.look`."""
        return self._options["host"], self._options["port"]

    def is_at(self, connection: Any) -> bool:
        """Every connection leads there."""
        return True


class WatchedServer:
    """The master of a service that sentinels watch over.

    :raises ConfigurationError: redis-py cannot read an option of the URL.
    """

    may_move = True

    def __init__(self, url: SentinelURL) -> None:
        self._connection_class, self._options = read_options(redis.ConnectionPool, url.server, no_retry())
        self._sentinels = SentinelOrder(url, read_options(redis.ConnectionPool, url.sentinel, no_retry())[1])
        self._service = url.service
        self._master: Address | None = None

    @property
    def timeout(self) -> float:
        """The longest wait for the master, in seconds."""
        return read_timeout(self._options)

    def connect(self) -> Any:
        """See :meth:`Server.connect`."""
        host, port = self.look()
        connection = self._connection_class(**{**self._options, "host": host, "port": port})
        connection.connect()
        return connection

    def look(self) -> Address:
        """See :meth:`Server.look`."""
        addresses, options = self._sentinels.next()
        sentinel = _make_sentinel(addresses, sentinel_kwargs=options)
        try:
            master: Address = sentinel.discover_master(self._service)
        finally:
            for client in sentinel.sentinels:
                client.close()
        self._sentinels.found_by(sentinel.sentinels[0])
        self._master = master
        return master

    def is_at(self, connection: Any) -> bool:
        """See :meth:`Server.is_at`."""
        return (connection.host, connection.port) == self._master


class SentinelOrder:
    """Who is asked first: the sentinel that answered last, and after an attempt without an answer another one."""

    def __init__(self, url: SentinelURL, options: Mapping[str, Any]) -> None:
        self._addresses = list(url.sentinels)
        names = ("username", "password", "protocol", "retry")
        kept = {name: value for name, value in options.items() if name in names or name.startswith(("ssl_", "socket_"))}
        limits = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), SHORT * read_timeout(options))
        self._options = {**kept, **limits, "ssl": url.sentinel.startswith("rediss:")}

    def next(self) -> tuple[list[Address], dict[str, Any]]:
        """The sentinels in the order in which to ask them, and the arguments of redis-py's client."""
        addresses = self._addresses
        self._addresses = [*addresses[1:], addresses[0]]
        return addresses, self._options

    def found_by(self, client: Any) -> None:
        """Note which sentinel, by redis-py's client of it, answered."""
        options = client.connection_pool.connection_kwargs
        first = (options["host"], options["port"])
        self._addresses = [first, *(address for address in self._addresses if address != first)]
