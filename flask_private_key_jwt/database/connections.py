"""The connection for a statement of ``driver.py``: from the engine's pool, or for an SQLite file a kept one."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol

from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.pool import Pool, PoolProxiedConnection, QueuePool, reset_rollback

from .deadline import seconds_left
from .engine_deadline import EngineDeadline
from .sqlite import SLACK_SECONDS, TIMEOUT_SECONDS, wait_for_writers

_CURSOR = "flask_private_key_jwt.cursor"
"""Key in ``info`` of a pool entry: a cursor. It is reused, because psycopg's cursor caches the converted statement."""


@dataclass(slots=True, eq=False)
class Lent:
    """A connection without an open transaction, and a cursor on it."""

    connection: PoolProxiedConnection
    cursor: Any
    patience_seconds: float = 0
    """How long its statements wait for another writer; 0 if that is not known."""


class Connections(Protocol):
    """Lends connections of one engine, each to one thread at a time. Raises errors of the driver and of SQLAlchemy."""

    need_watch: bool
    """Whether a statement could wait for ever, because there is a server that may not answer."""
    pool_events: Sequence[str]
    """Events of the engine's pool that are not sent when a connection is used."""

    def take(self) -> Lent:
        """A connection for one statement."""

    def commit(self, lent: Lent) -> None:
        """Commit what a statement wrote, unless that is done already."""

    def give_back(self, lent: Lent) -> None:
        """Take a connection back, valid or not, and roll back its open transaction, if there is one."""


def lend_connections(engine: Engine, deadline: EngineDeadline) -> Connections:
    """The cheapest way to get connections that *engine* allows.

    :param deadline: The deadline of this engine.
    """
    if engine.dialect.name == "postgresql":
        return AutocommitConnections(engine)
    return KeptConnections(engine, deadline) if _may_keep(engine) else PooledConnections(engine)


def _may_keep(engine: Engine) -> bool:
    """Whether connections may be kept. Not for an SQLite database in memory, which exists only in its one connection;
    not with ``NullPool``, which means a new connection each time; and not with ``pool_pre_ping`` or ``pool_recycle``,
    which check connections before they are lent."""
    pool = engine.pool
    return (
        isinstance(engine.dialect, SQLiteDialect_pysqlite)
        and isinstance(pool, QueuePool)
        and not getattr(pool, "_pre_ping", False)
        and getattr(pool, "_recycle", -1) == -1
    )


class PooledConnections:
    """Connections from the engine's pool, a new one for each statement.

    :param engine: The application's engine.
    """

    pool_events: Sequence[str] = ()

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.need_watch = engine.dialect.name != "sqlite"
        # Core rolls back itself. Without that, a refused INSERT would keep its locks after pool_reset_on_return=None.
        self._pool_rolls_back = getattr(engine.pool, "_reset_on_return", None) is reset_rollback

    def take(self) -> Lent:
        """See :meth:`Connections.take`."""
        if self.need_watch:
            return self._lend(self._engine.raw_connection())
        left = seconds_left(TIMEOUT_SECONDS)
        connection = self._engine.raw_connection()
        wait_for_writers(connection, left)
        return self._lend(connection)

    def commit(self, lent: Lent) -> None:
        """See :meth:`Connections.commit`."""
        lent.connection.commit()

    def give_back(self, lent: Lent) -> None:
        """See :meth:`Connections.give_back`."""
        if not self._pool_rolls_back and lent.connection.is_valid:
            try:
                lent.connection.rollback()
            except self._engine.dialect.loaded_dbapi.Error:
                lent.connection.invalidate()
        lent.connection.close()

    def _lend(self, connection: PoolProxiedConnection) -> Lent:
        try:
            return Lent(connection, self._open_cursor(connection))
        except self._engine.dialect.loaded_dbapi.Error as error:
            drop_if_dead(error, connection, self._engine)
            connection.close()
            raise

    def _open_cursor(self, connection: PoolProxiedConnection) -> DBAPICursor:
        return connection.cursor()


class AutocommitConnections(PooledConnections):
    """Pooled connections to PostgreSQL in autocommit mode, where each statement is a transaction: ``isolation.py``."""

    def commit(self, lent: Lent) -> None:
        """See :meth:`Connections.commit`."""

    def give_back(self, lent: Lent) -> None:
        """See :meth:`Connections.give_back`."""
        if lent.connection.is_valid:
            try:
                self._engine.dialect.reset_isolation_level(_driver_connection(lent.connection))
            except self._engine.dialect.loaded_dbapi.Error:
                lent.connection.invalidate()
        super().give_back(lent)

    def _open_cursor(self, connection: PoolProxiedConnection) -> DBAPICursor:
        driver_connection = _driver_connection(connection)
        driver_connection.commit()  # a "connect" listener of the application may have begun a transaction
        self._engine.dialect.set_isolation_level(driver_connection, "AUTOCOMMIT")
        info = connection.info
        cursor: DBAPICursor | None = info.get(_CURSOR)
        if cursor is None:
            cursor = info[_CURSOR] = driver_connection.cursor()
        return cursor


class KeptConnections:
    """Connections to an SQLite file that do not go back to the pool, because that costs as much as the statement.

    The connection used last is lent first: it still has its prepared statements, and its pages unless another
    connection wrote. There are never more than the threads that used one at the same time; each is an open file.

    :param engine: The application's engine; its ``dispose()`` closes them.
    :param deadline: The deadline of this engine.
    """

    need_watch = False
    pool_events: Sequence[str] = ("checkout", "checkin", "reset")

    def __init__(self, engine: Engine, deadline: EngineDeadline) -> None:
        self._engine = engine
        self._deadline = deadline
        self._idle: list[Lent] = []
        self._inherited: list[Lent] = []
        self._process = os.getpid()
        self._fork_lock = Lock()
        self._follow(engine.pool)

    def take(self) -> Lent:
        """See :meth:`Connections.take`."""
        left = seconds_left(TIMEOUT_SECONDS)
        if self._process != os.getpid():
            self._leave_inherited()
        try:
            lent = self._idle.pop()  # atomic, so that two threads never get the same
        except IndexError:
            lent = self._open()
        if abs(lent.patience_seconds - left) > SLACK_SECONDS:
            wait_for_writers(lent.connection, left)
            lent.patience_seconds = left
        return lent

    def commit(self, lent: Lent) -> None:
        """See :meth:`Connections.commit`."""
        if lent.cursor.connection.in_transaction:  # as with Python's own autocommit=False
            lent.connection.commit()

    def give_back(self, lent: Lent) -> None:
        """See :meth:`Connections.give_back`."""
        if not lent.connection.is_valid:
            return
        if lent.cursor.connection.in_transaction:
            try:
                lent.connection.rollback()
            except self._engine.dialect.loaded_dbapi.Error:
                lent.connection.invalidate()
                return
        self._idle.append(lent)

    def _open(self) -> Lent:
        with self._deadline.watching():  # all places of the pool may be taken
            connection = self._engine.raw_connection()
        connection.detach()
        # Each statement is a transaction, and Python runs no BEGIN and no COMMIT around it.
        self._engine.dialect.set_isolation_level(_driver_connection(connection), "AUTOCOMMIT")
        return Lent(connection, connection.cursor())

    def _leave_inherited(self) -> None:
        """Set inherited connections aside after a fork: SQLite allows neither to use nor to close them in the child."""
        with self._fork_lock:
            if self._process != os.getpid():
                self._inherited += self._idle
                self._idle, self._process = [], os.getpid()

    def _follow(self, pool: Pool) -> None:
        """Close the idle connections when the engine is disposed of, which gives it a new pool.

        There is an event for that, but it is not used: with any listener, Core checks for others at each connection,
        which would cost the application's own statements more time than is saved here.
        """
        recreate = pool.recreate

        def recreate_and_close() -> Pool:
            self._close_idle()
            self._follow(new := recreate())
            return new

        setattr(pool, "recreate", recreate_and_close)  # noqa: B010 - mypy lets nobody assign to a method

    def _close_idle(self) -> None:
        self._leave_inherited()
        idle, self._idle = self._idle, []
        for lent in idle:
            lent.connection.close()


def drop_if_dead(error: BaseException, connection: PoolProxiedConnection, engine: Engine) -> None:
    """After a lost connection, drop the engine's idle ones: they are lost as well, and each would cause a 503."""
    driver_connection = connection.dbapi_connection
    if isinstance(error, engine.dialect.loaded_dbapi.Error) and engine.dialect.is_disconnect(
        error, driver_connection, None
    ):
        connection.invalidate(error)
        engine.dispose()


def _driver_connection(connection: PoolProxiedConnection) -> DBAPIConnection:
    assert connection.dbapi_connection is not None
    return connection.dbapi_connection
