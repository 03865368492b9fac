"""The replay store in Redis, for processes on several machines.

One Redis, or the one that sentinels name, takes all marks of a request in one step. A cluster may keep them on
different nodes, so it takes one after the other. Redis must not evict keys (``maxmemory-policy noeviction``), because a
``jti`` whose mark was evicted could be used twice.
"""

from collections.abc import Sequence

from ..database.batches import BATCH_ROWS, Rest, no_rest
from ..errors import ConfigurationError
from ..event_loops.run_now import run_now
from .base import AsyncReplayStore, Mark


class RedisReplayStore:
    """Remembers marks in Redis, all or none in one script.

    :param url: ``redis://``, ``rediss://`` (TLS), ``unix://`` or ``redis+sentinel://``; its query may hold
        redis-py's own options.
    :param replicas: How many replicas have to confirm a mark, ``OAUTH2_REPLAY_REDIS_REPLICAS``.
    :raises ConfigurationError: redis-py is not installed, or the URL is malformed.
    """

    def __init__(self, url: str, *, replicas: int = 0) -> None:
        check_redis()
        from .redis_connections import AskedByThreads, RedisConnections
        from .redis_marks import RedisMarks
        from .redis_servers import open_server

        server, timeout = open_server(url)
        self._connections = RedisConnections(server, timeout=timeout, replicas=replicas)
        self._marks = RedisMarks(AskedByThreads(self._connections), replicas=replicas)

    def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.base.ReplayStore.remember`."""
        run_now(self._marks.remember(marks))

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Nothing to do: Redis expires marks by itself."""
        return 0

    def find_durable(self) -> bool:
        """Whether marks survive a restart of this Redis.

        :raises StoreUnavailable: Redis did not answer.
        """
        return run_now(self._marks.find_durable())

    def find_eviction(self) -> str | None:
        """By which policy Redis drops keys when its memory is full; empty: it drops none. ``None``: it does not say.

        :raises StoreUnavailable: Redis did not answer.
        """
        return run_now(self._marks.find_eviction())

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()


class RedisClusterReplayStore:
    """Remembers marks in a Redis Cluster, one after the other.

    :param url: ``redis+cluster://`` or ``rediss+cluster://`` (TLS); its query may hold redis-py's own options.
    :param replicas: As for :class:`RedisReplayStore`; of each node.
    :raises ConfigurationError: redis-py is not installed, or the URL is malformed.
    """

    all_or_none = False
    """A refused request may have used some of its marks up: they lie on different nodes."""

    def __init__(self, url: str, *, replicas: int = 0) -> None:
        check_redis()
        from .redis_cluster import open_cluster

        self._nodes, self._marks = open_cluster(url, replicas)

    def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.ClusterMarks.remember`."""
        run_now(self._marks.remember(marks))

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Nothing to do: Redis expires marks by itself."""
        return 0

    def close(self) -> None:
        """Close the connections."""
        run_now(self._nodes.keep(()))


def open_async_store(url: str, *, replicas: int = 0) -> AsyncReplayStore:
    """The same for an event loop.

    :raises ConfigurationError: As :class:`RedisReplayStore`.
    """
    check_redis()
    from .async_redis import AsyncRedisReplayStore

    return AsyncRedisReplayStore(url, replicas=replicas)


def open_async_cluster(url: str, *, replicas: int = 0) -> AsyncReplayStore:
    """The same for an event loop, in a cluster.

    :raises ConfigurationError: As :class:`RedisReplayStore`.
    """
    check_redis()
    from .async_redis_cluster import AsyncRedisClusterReplayStore

    return AsyncRedisClusterReplayStore(url, replicas=replicas)


def check_redis() -> None:
    """Check that redis-py is installed.

    :raises ConfigurationError: It is not.
    """
    try:
        import redis  # noqa: F401
    except ModuleNotFoundError:
        raise ConfigurationError(
            "OAUTH2_REPLAY_STORE is in Redis, and redis-py is not installed: pip install flask-private-key-jwt[redis]"
        ) from None
