"""The replay store in Redis for an event loop: the same marks as those of ``redis.py``, by redis-py's asyncio side."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

import redis

from ..database.deadline import seconds_left
from ..database.loop_breaker import LoopBreaker
from ..errors import StoreUnavailable
from ..event_loops.per_loop import PerLoop
from .async_redis_servers import AsyncServer, open_server
from .base import Mark
from .redis_commands import build_wait
from .redis_marks import RedisMarks
from .redis_timeout import LOOK_SECONDS

MAX_CONNECTIONS = 32
"""Most connections of one event loop. A request that finds all of them in use waits, as long as its budget lasts."""


class AsyncRedisReplayStore:
    """Remembers marks in Redis, all or none in one script.

    :param url: As for :class:`.RedisReplayStore`.
    :param replicas: As for :class:`.RedisReplayStore`.
    :raises ConfigurationError: The URL is malformed.
    """

    def __init__(self, url: str, *, replicas: int = 0) -> None:
        self._connections = PerLoop(lambda: LoopConnections(*open_server(url), replicas=replicas))
        open_server(url)
        self._marks = RedisMarks(OfThisLoop(self._connections), replicas=replicas)

    async def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.base.AsyncReplayStore.remember`."""
        await self._marks.remember(marks)

    async def purge(self) -> int:
        """Nothing to do: Redis expires marks by itself."""
        return 0

    async def close(self) -> None:
        """Close the connections of this event loop."""
        await self._connections.get().close()


class OfThisLoop:
    """The connections of whichever event loop asks; see :class:`.redis_marks.Ask`."""

    def __init__(self, connections: PerLoop["LoopConnections"]) -> None:
        self._connections = connections

    async def ask(self, *command: Any) -> Any:
        """See :meth:`.redis_marks.Ask.ask`."""
        return await self._connections.get().ask(*command)

    async def ask_and_wait(self, is_written: Callable[[Any], bool], *command: Any) -> tuple[Any, bool]:
        """See :meth:`.redis_marks.Ask.ask_and_wait`."""
        return await self._connections.get().ask_and_wait(is_written, *command)

    def pause(self) -> None:
        """See :meth:`.redis_marks.Ask.pause`."""
        self._connections.get().pause()


class LoopConnections:
    """Lends connections to one Redis, each to one task at a time, in one event loop.

    redis-py's own pool would lend a connection again whose task was cancelled between a command and its answer.

    :param server: Makes the connections.
    :param timeout: Longest wait for a connection, and for an answer, in seconds.
    :param replicas: How many replicas have to confirm what :meth:`ask_and_wait` writes.
    """

    def __init__(self, server: AsyncServer, timeout: float, *, replicas: int = 0) -> None:
        self._server = server
        self._timeout = timeout
        self._replicas = replicas
        self._look_at = 0.0
        self._idle: list[Any] = []
        self._places = asyncio.Semaphore(MAX_CONNECTIONS)
        self._breaker = LoopBreaker(self._probe, store="redis")

    async def ask(self, *command: Any, longest: float | None = None) -> Any:
        """Send one command and return the answer. It is never sent twice, because only its answer may have been lost.

        :param longest: Another limit for everything, in seconds.
        :raises redis.ResponseError: Redis refuses the command.
        :raises StoreUnavailable: Redis does not answer in time, or not at all.
        """
        return (await self._ask(command, longest or self._timeout, None))[0]

    async def ask_and_wait(self, is_written: Callable[[Any], bool], *command: Any) -> tuple[Any, bool]:
        """The same, and whether enough replicas have what was written; see :class:`LoopConnections`.

        :param is_written: Whether an answer means that something was written.
        """
        return await self._ask(command, self._timeout, is_written if self._replicas else None)

    async def _ask(
        self, command: tuple[Any, ...], limit: float, is_written: Callable[[Any], bool] | None
    ) -> tuple[Any, bool]:
        self._breaker.check()
        seconds = min(limit, seconds_left(limit))
        ends_at = monotonic() + seconds
        try:
            # One limit for everything, a place included: each costs as much as the command.
            async with asyncio.timeout(seconds), self._places:
                return await self._exchange(command, is_written, ends_at)
        except redis.ResponseError:
            raise
        except (TimeoutError, redis.TimeoutError):
            await self._drop_idle()  # Redis does not answer on these either
            self._breaker.trip()
            raise StoreUnavailable("redis: TimeoutError", cause="redis_timeout") from None
        except redis.RedisError as error:
            raise StoreUnavailable(f"redis: {type(error).__name__}", cause="redis_unavailable") from None

    def pause(self) -> None:
        """Refuse everything at once until Redis answers again, and its replicas confirm."""
        self._breaker.trip()

    async def close(self) -> None:
        """Close the connections, and stop asking whether Redis answers."""
        self._breaker.stop()
        idle, self._idle = self._idle, []
        with suppress(TimeoutError, redis.RedisError, OSError):
            async with asyncio.timeout(self._timeout):
                for connection in idle:
                    await connection.disconnect()

    async def _exchange(
        self, command: tuple[Any, ...], is_written: Callable[[Any], bool] | None, ends_at: float
    ) -> tuple[Any, bool]:
        connection, is_confirmed = await self._take(), True
        try:
            if connection is None:
                connection = await self._connect()
            answer = await _send(connection, command)
            if is_written is not None and is_written(answer):
                confirmed = await _send(connection, build_wait(self._replicas, ends_at - monotonic()))
                is_confirmed = confirmed >= self._replicas
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
        return answer, is_confirmed

    async def _take(self) -> Any:
        """An idle connection that is still open and leads to the right server, if there is one."""
        if self._server.may_move and monotonic() >= self._look_at:
            await self._look()
        while self._idle:
            connection = self._idle.pop()
            try:
                # Readable before a command was sent: Redis has closed it.
                if self._server.is_at(connection) and not await connection.can_read():
                    return connection
            except (redis.RedisError, OSError):
                pass
            await self._discard(connection)
        return None

    async def _look(self) -> None:
        """Find out whether another server has taken the place of this one. Who cannot know it uses neither."""
        self._look_at = monotonic() + LOOK_SECONDS  # one task looks for all
        try:
            await self._server.look()
        except BaseException:
            self._look_at = 0.0
            await self._drop_idle()
            raise

    async def _connect(self) -> Any:
        if self._server.may_move:
            await self._server.look()
        connection = self._server.make()
        try:
            await connection.connect()
        except BaseException:
            await self._discard(connection)
            raise
        return connection

    async def _probe(self) -> None:
        async with asyncio.timeout(self._timeout):
            connection = await self._connect()
            try:
                await self._check(connection)
            except BaseException:
                await self._discard(connection)
                raise
        self._idle.append(connection)

    async def _check(self, connection: Any) -> None:
        """Check that Redis answers, and that its replicas confirm."""
        await _send(connection, ("PING",))
        if self._replicas and await _send(connection, build_wait(self._replicas, self._timeout / 2)) < self._replicas:
            raise TimeoutError

    async def _discard(self, connection: Any) -> None:
        """Close a connection without waiting for anything, because this task may have been cancelled."""
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def _drop_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await self._discard(connection)


async def _send(connection: Any, command: tuple[Any, ...]) -> Any:
    await connection.send_command(*command, check_health=False)
    return await connection.read_response()
