"""Connections to Redis with a limit for every wait: for the name lookup, for a connection, for an answer."""

import os
from typing import Any

import redis

from ..database.breaker import Breaker
from ..database.connecting import connect_in_time
from ..database.deadline import seconds_left
from ..errors import StoreUnavailable


class RedisConnections:
    """Lends connections to one Redis, each to one thread at a time; safe for forks.

    redis-py's own client limits only each single wait for the network: a name with two addresses takes twice as long,
    and the name lookup has no limit.

    :param pool: Provides the connection class and its arguments; its own connections are not used.
    :param timeout: Longest wait for a connection, and for an answer, in seconds.
    """

    def __init__(self, pool: "redis.ConnectionPool", *, timeout: float) -> None:
        self._pool = pool
        self._timeout = timeout
        self._idle: list[Any] = []
        self._process = os.getpid()
        self._is_closed = False
        self._breaker = Breaker(self._probe, store="redis")

    def ask(self, *command: Any) -> Any:
        """Send one command and return the answer. It is never sent twice, because only its answer may have been lost.

        :raises redis.ResponseError: Redis refuses the command.
        :raises StoreUnavailable: Redis does not answer in time, or not at all.
        """
        self._breaker.check()
        seconds = min(self._timeout, seconds_left(self._timeout))
        connection = self._take()
        if connection is None:
            connection = self._open(seconds)
            seconds = min(self._timeout, seconds_left(self._timeout))  # connecting took some of the budget
        try:
            answer = self._send(connection, command, seconds)
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
        return answer

    def close(self) -> None:
        """Close the connections, and stop asking whether Redis answers."""
        self._is_closed = True
        self._drop_idle()

    def _send(self, connection: Any, command: tuple[Any, ...], seconds: float) -> Any:
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

    def _take(self) -> Any:
        """An idle connection that is still open, if there is one."""
        if self._process != os.getpid():  # parent and child would read each other's answers
            self._idle, self._process = [], os.getpid()
        while True:
            try:
                connection = self._idle.pop()  # atomic, so that two threads never get the same connection
            except IndexError:
                return None
            try:
                if not connection.can_read():  # readable before a command was sent: Redis has closed it
                    return connection
            except (redis.RedisError, OSError):
                pass
            connection.disconnect()

    def _connect(self) -> Any:
        connection: Any = self._pool.connection_class(**self._pool.connection_kwargs)
        connection.connect()
        return connection

    def _open(self, seconds: float) -> Any:
        try:
            connection = connect_in_time(self._connect, _disconnect, seconds)
        except Exception as error:
            if isinstance(error, redis.TimeoutError):
                self._breaker.trip()
            raise StoreUnavailable(f"redis: {type(error).__name__}", cause="redis_unavailable") from None
        if connection is None:
            self._breaker.trip()
            raise StoreUnavailable("redis: TimeoutError", cause="redis_timeout")
        return connection

    def _probe(self) -> bool:
        if self._is_closed:
            return False
        connection = connect_in_time(self._connect, _disconnect, self._timeout)
        if connection is None:
            raise redis.TimeoutError
        try:
            connection.send_command("PING")
            connection.read_response()
        except BaseException:
            connection.disconnect()
            raise
        self._idle.append(connection)
        return True

    def _drop_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.disconnect()


def _disconnect(connection: Any) -> None:
    connection.disconnect()
