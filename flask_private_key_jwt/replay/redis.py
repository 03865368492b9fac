"""The replay store in Redis, for processes on several machines.

One Redis, not a Cluster: one step uses several keys, which a Cluster may keep on different nodes. Redis must not evict
keys (``maxmemory-policy noeviction``), because a ``jti`` whose mark was evicted could be used twice.
"""

from collections.abc import Sequence
from typing import Any

from ..database.batches import BATCH_ROWS, Rest, no_rest
from ..errors import ConfigurationError
from ..event_loops.run_now import run_now
from .base import AsyncReplayStore, Mark
from .redis_timeout import TIMEOUT_SECONDS


class RedisReplayStore:
    """Remembers marks in Redis, all or none in one script.

    :param url: ``redis://``, ``rediss://`` (TLS) or ``unix://``; its query may hold redis-py's own options.
    :raises ConfigurationError: redis-py is not installed, or the URL is malformed.
    """

    def __init__(self, url: str) -> None:
        check_redis()
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        from .redis_connections import RedisConnections
        from .redis_marks import RedisMarks

        try:
            # No retry: if only the answer was lost, the repeated script would find its own marks.
            pool = redis.ConnectionPool.from_url(
                url,
                socket_timeout=TIMEOUT_SECONDS,
                socket_connect_timeout=TIMEOUT_SECONDS,
                protocol=2,
                retry=Retry(NoBackoff(), 0),
            )
        except (ValueError, TypeError):
            # The message would quote the URL, password included.
            raise ConfigurationError("OAUTH2_REPLAY_STORE is not a URL that redis-py reads.") from None
        timeout = pool.connection_kwargs["socket_timeout"] or TIMEOUT_SECONDS
        self._connections = RedisConnections(pool, timeout=timeout)
        self._marks = RedisMarks(self._ask)

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

    async def _ask(self, *command: Any) -> Any:
        return self._connections.ask(*command)


def open_async_store(url: str) -> AsyncReplayStore:
    """The same for an event loop.

    :raises ConfigurationError: As :class:`RedisReplayStore`.
    """
    check_redis()
    from .async_redis import AsyncRedisReplayStore

    return AsyncRedisReplayStore(url)


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
