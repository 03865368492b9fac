"""Connections to Redis with a limit for every wait: for the name lookup, for a connection, for an answer."""

import os
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, TypeVar

import redis

from ..database.breaker import Breaker
from ..database.connecting import connect_in_time
from ..database.deadline import seconds_left
from ..errors import StoreUnavailable
from .redis_commands import build_wait
from .redis_instrumented import OneCommand, is_instrumented
from .redis_servers import Server
from .redis_timeout import LOOK_SECONDS

T = TypeVar("T")


class RedisConnections:
    """Lends connections to one Redis, each to one thread at a time; safe for forks.

    redis-py's own client limits only each single wait for the network: a name with two addresses takes twice as long,
    and the name lookup has no limit.

    :param server: Makes the connections.
    :param timeout: Longest wait for a connection, and for an answer, in seconds.
    :param replicas: How many replicas have to confirm what :meth:`ask_and_wait` writes.
    """

    def __init__(self, server: Server, *, timeout: float, replicas: int = 0) -> None:
        self._server = server
        self._timeout = timeout
        self._replicas = replicas
        self._look_at = 0.0
        self._idle: list[Any] = []
        self._process = os.getpid()
        self._is_closed = False
        self._breaker = Breaker(self._probe, store="redis")

    def ask(self, *command: Any, longest: float | None = None) -> Any:
        """Send one command and return the answer. It is never sent twice, because only its answer may have been lost.

        :param longest: Another limit for each wait, in seconds.
        :raises redis.ResponseError: Redis refuses the command.
        :raises StoreUnavailable: Redis does not answer in time, or not at all.
        """
        return self._ask(command, longest or self._timeout, None)[0]

    def ask_and_wait(self, is_written: Callable[[Any], bool], *command: Any) -> tuple[Any, bool]:
        """The same, and whether enough replicas have what was written; see :class:`RedisConnections`.

        :param is_written: Whether an answer means that something was written.
        """
        return self._ask(command, self._timeout, is_written if self._replicas else None)

    def _ask(
        self, command: tuple[Any, ...], limit: float, is_written: Callable[[Any], bool] | None
    ) -> tuple[Any, bool]:
        self._breaker.check()
        seconds = min(limit, seconds_left(limit))
        connection = self._take(seconds)
        if connection is None:
            connection = self._open(min(limit, seconds_left(limit)))
            seconds = min(limit, seconds_left(limit))  # connecting took some of the budget
        is_confirmed = True
        try:
            answer = self._send(connection, command, seconds)
            if is_written is not None and is_written(answer):
                seconds = min(limit, seconds_left(limit))
                confirmed = self._send(connection, build_wait(self._replicas, seconds), seconds)
                is_confirmed = confirmed >= self._replicas
        except redis.exceptions.ReadOnlyError:  # it is a replica now: a new connection may reach the new master
            connection.disconnect()
            self._drop_idle()
            raise
        except redis.ResponseError:
            self._idle.append(connection)
            raise
        except redis.RedisError as error:
            connection.disconnect()
            self._drop_idle()  # they are lost as well, and each would cause a 503
            if isinstance(error, redis.TimeoutError):
                self._breaker.trip()
            raise StoreUnavailable(f"redis: {type(error).__name__}", cause="redis_unavailable") from None
        except BaseException:  # interrupted between question and answer: nobody may read the rest of the answer
            connection.disconnect()
            raise
        self._idle.append(connection)
        return answer, is_confirmed

    def pause(self) -> None:
        """Refuse everything at once until Redis answers again, and its replicas confirm."""
        self._breaker.trip()

    def close(self) -> None:
        """Close the connections, and stop asking whether Redis answers."""
        self._is_closed = True
        self._drop_idle()

    def _send(self, connection: Any, command: tuple[Any, ...], seconds: float) -> Any:
        if is_instrumented():
            send = partial(self._exchange, connection, seconds)
            return OneCommand(connection, send).execute_command(*command)  # type: ignore[no-untyped-call]
        return self._exchange(connection, seconds, *command)

    def _exchange(self, connection: Any, seconds: float, *command: Any) -> Any:
        if seconds == self._timeout:
            connection.send_command(*command)
            return connection.read_response()
        connection._sock.settimeout(seconds)  # redis-py has no public way to set a shorter limit for one command
        try:
            connection.send_command(*command)
            return connection.read_response()
        finally:
            if connection._sock is not None:
                connection._sock.settimeout(self._timeout)

    def _take(self, seconds: float) -> Any:
        """An idle connection that is still open and leads to the right server, if there is one."""
        if self._server.may_move and monotonic() >= self._look_at:
            self._look(seconds)
        if self._process != os.getpid():  # parent and child would read each other's answers
            self._idle, self._process = [], os.getpid()
        while True:
            try:
                connection = self._idle.pop()  # atomic, so that two threads never get the same connection
            except IndexError:
                return None
            try:
                # Readable before a command was sent: Redis has closed it.
                if self._server.is_at(connection) and not connection.can_read():
                    return connection
            except (redis.RedisError, OSError):
                pass
            connection.disconnect()

    def _look(self, seconds: float) -> None:
        """Find out whether another server has taken the place of this one. Who cannot know it uses neither."""
        self._look_at = monotonic() + LOOK_SECONDS  # one thread looks for all
        try:
            self._within(self._server.look, _nothing_to_close, seconds)
        except StoreUnavailable:
            self._look_at = 0.0
            self._drop_idle()
            raise

    def _open(self, seconds: float) -> Any:
        return self._within(self._server.connect, _disconnect, seconds)

    def _within(self, find: Callable[[], T], close: Callable[[T], Any], seconds: float) -> T:
        try:
            found = connect_in_time(find, close, seconds)
        except Exception as error:
            if isinstance(error, redis.TimeoutError):
                self._breaker.trip()
            raise StoreUnavailable(f"redis: {type(error).__name__}", cause="redis_unavailable") from None
        if found is None:
            self._breaker.trip()
            raise StoreUnavailable("redis: TimeoutError", cause="redis_timeout")
        return found

    def _probe(self) -> bool:
        if self._is_closed:
            return False
        connection = connect_in_time(self._server.connect, _disconnect, self._timeout)
        if connection is None:
            raise redis.TimeoutError
        try:
            self._check(connection)
        except BaseException:
            connection.disconnect()
            raise
        self._idle.append(connection)
        return True

    def _check(self, connection: Any) -> None:
        """Check that Redis answers, and that its replicas confirm."""
        self._send(connection, ("PING",), self._timeout)
        if self._replicas:
            wait = build_wait(self._replicas, self._timeout)
            if self._send(connection, wait, self._timeout) < self._replicas:
                raise redis.TimeoutError

    def _drop_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.disconnect()


class AskedByThreads:
    """Connections of threads, as what event loops share with them wants them."""

    def __init__(self, connections: RedisConnections) -> None:
        self._connections = connections

    async def ask(self, *command: Any) -> Any:
        """See :meth:`.redis_marks.Ask.ask`."""
        return self._connections.ask(*command)

    async def ask_and_wait(self, is_written: Callable[[Any], bool], *command: Any) -> tuple[Any, bool]:
        """See :meth:`.redis_marks.Ask.ask_and_wait`."""
        return self._connections.ask_and_wait(is_written, *command)

    def pause(self) -> None:
        """See :meth:`.redis_marks.Ask.pause`."""
        self._connections.pause()


def _disconnect(connection: Any) -> None:
    connection.disconnect()


def _nothing_to_close(_: object) -> None:
    pass
