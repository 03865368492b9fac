"""The replay store in Redis for an event loop: the same marks as those of ``redis.py``, by redis-py's asyncio side."""

import asyncio
from collections.abc import Sequence
from typing import Any

import redis
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ..database.deadline import seconds_left
from ..database.loop_breaker import LoopBreaker
from ..errors import ConfigurationError, StoreUnavailable
from ..event_loops.per_loop import PerLoop
from .base import Mark
from .redis_marks import RedisMarks
from .redis_timeout import TIMEOUT_SECONDS

MAX_CONNECTIONS = 32
"""Most connections of one event loop. A request that finds all of them in use waits, as long as its budget lasts."""


class AsyncRedisReplayStore:
    """Remembers marks in Redis, all or none in one script.

    :param url: As for :class:`.RedisReplayStore`.
    :raises ConfigurationError: The URL is malformed.
    """

    def __init__(self, url: str) -> None:
        try:
            # No retry: if only the answer was lost, the repeated script would find its own marks.
            pool = ConnectionPool.from_url(
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
        self._connections = PerLoop(lambda: LoopConnections(pool, timeout=timeout))
        self._marks = RedisMarks(self._ask)

    async def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.base.AsyncReplayStore.remember`."""
        await self._marks.remember(marks)

    async def purge(self) -> int:
        """Nothing to do: Redis expires marks by itself."""
        return 0

    async def close(self) -> None:
        """Close the connections of this event loop."""
        await self._connections.get().close()

    async def _ask(self, *command: Any) -> Any:
        return await self._connections.get().ask(*command)


class LoopConnections:
    """Lends connections to one Redis, each to one task at a time, in one event loop.

    redis-py's own pool would lend a connection again whose task was cancelled between a command and its answer.

    :param pool: Provides the connection class and its arguments; its own connections are not used.
    :param timeout: Longest wait for a connection, and for an answer, in seconds.
    """

    def __init__(self, pool: ConnectionPool, *, timeout: float) -> None:
        self._pool = pool
        self._timeout = timeout
        self._idle: list[Any] = []
        self._places = asyncio.Semaphore(MAX_CONNECTIONS)
        self._breaker = LoopBreaker(self._probe, store="redis")

    async def ask(self, *command: Any) -> Any:
        """Send one command and return the answer. It is never sent twice, because only its answer may have been lost.

        :raises redis.ResponseError: Redis refuses the command.
        :raises StoreUnavailable: Redis does not answer in time, or not at all.
        """
        self._breaker.check()
        try:
            # One limit for everything, a place included: each costs as much as the command.
            async with asyncio.timeout(min(self._timeout, seconds_left(self._timeout))), self._places:
                return await self._ask(command)
        except redis.ResponseError:
            raise
        except (TimeoutError, redis.TimeoutError):
            await self._drop_idle()  # Redis does not answer on these either
            self._breaker.trip()
            raise StoreUnavailable("redis: TimeoutError", cause="redis_timeout") from None
        except redis.RedisError as error:
            raise StoreUnavailable(f"redis: {type(error).__name__}", cause="redis_unavailable") from None

    async def close(self) -> None:
        """Close the connections, and stop asking whether Redis answers."""
        self._breaker.stop()
        await self._drop_idle()

    async def _ask(self, command: tuple[Any, ...]) -> Any:
        connection = await self._take()
        try:
            if connection is None:
                connection = self._make()
                await connection.connect()
            await connection.send_command(*command, check_health=False)
            answer = await connection.read_response()
        except redis.exceptions.ReadOnlyError:  # it is a replica now: a new connection may reach the new master
            await self._discard(connection)
            await self._drop_idle()
            raise
        except redis.ResponseError:
            self._idle.append(connection)
            raise
        except redis.RedisError:
            await self._discard(connection)
            await self._drop_idle()  # they are lost as well, and each would cause a 503
            raise
        except BaseException:  # too late, or cancelled: nobody may read the answer that belongs to this question
            await self._discard(connection)
            raise
        self._idle.append(connection)
        return answer

    async def _take(self) -> Any:
        """An idle connection that is still open, if there is one."""
        while self._idle:
            connection = self._idle.pop()
            try:
                if not await connection.can_read():  # readable before a command was sent: Redis has closed it
                    return connection
            except (redis.RedisError, OSError):
                pass
            await self._discard(connection)
        return None

    async def _probe(self) -> None:
        connection = self._make()
        try:
            async with asyncio.timeout(self._timeout):
                await connection.connect()
                await connection.send_command("PING", check_health=False)
                await connection.read_response()
        except BaseException:
            await self._discard(connection)
            raise
        self._idle.append(connection)

    def _make(self) -> Any:
        # Without time limits of its own, which would make a task for each read and write.
        return self._pool.connection_class(**{**self._pool.connection_kwargs, "socket_timeout": None})

    async def _discard(self, connection: Any) -> None:
        """Close a connection without waiting for anything, because this task may have been cancelled."""
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def _drop_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await self._discard(connection)
