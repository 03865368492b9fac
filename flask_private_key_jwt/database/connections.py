"""Where a statement gets its connection: from the engine's pool, or one of its own on an SQLite file."""

import os
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Protocol

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from ..errors import StoreUnavailable
from .deadline import seconds_left
from .engine import SLACK_SECONDS, TIMEOUT_SECONDS, wait_for_writers
from .engine_deadline import EngineDeadline

_PATIENCE = "flask_private_key_jwt.patience"
"""Where a kept connection notes how long its statements wait for another writer, in seconds."""


class Connections(Protocol):
    """Lends connections of one engine, each to one thread at a time. Errors are the driver's and SQLAlchemy's."""

    needs_commit: bool
    """Whether a statement that writes must be followed by COMMIT."""
    writing: AbstractContextManager[None]
    """Held from before :meth:`take` until after :meth:`give_back` by whoever writes."""
    need_watch: bool
    """Whether a server may leave them waiting for ever."""

    def take(self) -> PoolProxiedConnection:
        """A connection without an open transaction."""

    def give_back(self, connection: PoolProxiedConnection) -> None:
        """Take *connection* back, valid or not, and roll back whatever it still holds."""


def lend_connections(engine: Engine, deadline: EngineDeadline) -> Connections:
    """The cheapest way to a connection that *engine* allows.

    :param deadline: Of this engine.
    """
    if engine.dialect.name == "postgresql":
        return AutocommitConnections(engine)
    # An SQLite database in memory lives in its one connection; NullPool asks for a fresh one each time.
    if engine.dialect.name == "sqlite" and isinstance(engine.pool, QueuePool):
        return KeptConnections(engine, deadline)
    return PooledConnections(engine)


class PooledConnections:
    """Connections from the engine's own pool, for each statement anew.

    :param engine: The application's engine.
    """

    needs_commit = True
    writing: AbstractContextManager[None] = nullcontext()

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.need_watch = engine.dialect.name != "sqlite"

    def take(self) -> PoolProxiedConnection:
        """See :meth:`Connections.take`."""
        if self.need_watch:
            return self._engine.raw_connection()
        left = seconds_left(TIMEOUT_SECONDS)
        connection = self._engine.raw_connection()
        wait_for_writers(connection, left)
        return connection

    def give_back(self, connection: PoolProxiedConnection) -> None:
        """See :meth:`Connections.give_back`."""
        connection.close()


class AutocommitConnections(PooledConnections):
    """Pooled connections to PostgreSQL, where one statement is a transaction by itself.

    That spares BEGIN and COMMIT, two of three round trips. SQLite would gain nothing, and MySQL has to ask the
    server for the switch.
    """

    needs_commit = False

    def take(self) -> PoolProxiedConnection:
        """See :meth:`Connections.take`."""
        connection = super().take()
        assert connection.dbapi_connection is not None
        try:
            connection.commit()  # what a "connect" listener of the application may have begun
            self._engine.dialect.set_isolation_level(connection.dbapi_connection, "AUTOCOMMIT")
        except self._engine.dialect.loaded_dbapi.Error as error:
            drop_if_dead(error, connection, self._engine)
            super().give_back(connection)
            raise
        return connection

    def give_back(self, connection: PoolProxiedConnection) -> None:
        """See :meth:`Connections.give_back`."""
        if connection.is_valid:
            assert connection.dbapi_connection is not None
            try:
                self._engine.dialect.reset_isolation_level(connection.dbapi_connection)
            except self._engine.dialect.loaded_dbapi.Error:
                connection.invalidate()
        super().give_back(connection)


class KeptConnections:
    """Connections to an SQLite file that never go back to the pool, which costs as much as the statement does.

    The one used last is lent first: it still has its prepared statements, and its pages unless another one wrote.
    There are at most as many as threads have asked at once, each an open file.

    :param engine: The application's engine; its ``dispose()`` closes them.
    :param deadline: Of this engine.
    """

    needs_commit = True
    need_watch = False

    def __init__(self, engine: Engine, deadline: EngineDeadline) -> None:
        self._engine = engine
        self._deadline = deadline
        self._idle: list[PoolProxiedConnection] = []
        self._inherited: list[PoolProxiedConnection] = []
        self._process = os.getpid()
        self._fork_lock = Lock()
        self.writing: AbstractContextManager[None] = OneWriter()
        event.listen(engine, "engine_disposed", self._close_idle)

    def take(self) -> PoolProxiedConnection:
        """See :meth:`Connections.take`."""
        left = seconds_left(TIMEOUT_SECONDS)
        self._leave_inherited()
        try:
            connection = self._idle.pop()  # one step, so that two threads never get the same
        except IndexError:
            connection = self._open()
        info = connection.info
        if abs(info.get(_PATIENCE, 0) - left) > SLACK_SECONDS:
            wait_for_writers(connection, left)
            info[_PATIENCE] = left
        return connection

    def _open(self) -> PoolProxiedConnection:
        with self._deadline.watching():  # the pool may have no place
            connection = self._engine.raw_connection()
        connection.detach()
        return connection

    def _leave_inherited(self) -> None:
        """SQLite forbids using a connection on the other side of a fork, and closing it: keep it, unused."""
        if self._process == os.getpid():
            return
        with self._fork_lock:
            if self._process != os.getpid():
                self._inherited += self._idle
                self.writing = OneWriter()  # a thread that the child has not may have held the other one
                self._idle, self._process = [], os.getpid()

    def give_back(self, connection: PoolProxiedConnection) -> None:
        """See :meth:`Connections.give_back`."""
        if not connection.is_valid:
            return
        try:
            connection.rollback()
        except self._engine.dialect.loaded_dbapi.Error:
            connection.invalidate()
        else:
            self._idle.append(connection)

    def _close_idle(self, _engine: Engine) -> None:
        self._leave_inherited()
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


class OneWriter:
    """Lets one thread write at a time, as an SQLite file does, but wakes the next at once.

    SQLite itself sleeps and tries again: with many threads that doubles the time of a request.
    """

    def __init__(self) -> None:
        self._lock = Lock()

    def __enter__(self) -> None:
        if self._lock.acquire(blocking=False):
            return
        # Whoever holds it may itself wait for a writer in another process.
        left = seconds_left(TIMEOUT_SECONDS)
        if not self._lock.acquire(timeout=left):
            raise StoreUnavailable(f"database: other threads have been writing for {left:.3g} s")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def drop_if_dead(error: BaseException, connection: PoolProxiedConnection, engine: Engine) -> None:
    """After a lost connection, drop the engine's idle ones too: they are lost as well, and each costs a 503."""
    driver_connection = connection.dbapi_connection
    if isinstance(error, engine.dialect.loaded_dbapi.Error) and engine.dialect.is_disconnect(
        error, driver_connection, None
    ):
        connection.invalidate(error)
        engine.dispose()
