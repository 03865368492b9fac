"""One statement at a time, straight on the driver.

A token request waits for two statements, and SQLAlchemy's ``Connection`` and ``Result`` cost more than the
database does. So the hot path writes its statements in Core, compiles each once, and runs them on a DBAPI
connection, which ``connections.py`` lends. ``echo`` and other events of the engine's do not see them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import Any

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from ..errors import StoreUnavailable
from .connections import Connections, drop_if_dead, lend_connections
from .engine import waiting_for_writers
from .engine_deadline import EngineDeadline, watch_connection
from .forks import InheritedConnections
from .missing_tables import ADVICE, is_about_missing_tables
from .socket_watch import Watch

EngineSource = Callable[[], Engine]
"""Gives the engine; asked once, at first use, so it may need an application context that exists only then."""

MAX_COMPILED = 200
"""Most statements that are kept compiled. There are fewer: each is built once, when its store is."""
_MESSAGE_CHARACTERS = 200


class Database:
    """Runs statements for one application's engine, each in a short transaction of its own.

    :param engine_source: Gives the engine at first use.
    """

    def __init__(self, engine_source: EngineSource) -> None:
        self._engine_source = engine_source
        self._open: _Open | None = None
        self._open_lock = Lock()
        self._inherited = InheritedConnections()
        self._compiled: dict[ClauseElement, tuple[str, list[str] | None]] = {}

    @property
    def engine(self) -> Engine:
        """The application's engine."""
        return self._opened().engine

    def fetch(self, statement: ClauseElement, values: Mapping[str, object]) -> tuple[Any, ...] | None:
        """The first row of a SELECT, as the driver gives it: SQLite and MySQL have no booleans.

        :param statement: Built once and given again each time: it is kept, compiled.
        :param values: The statement's parameters, by name.
        :raises StoreUnavailable: The database did not answer.
        """
        with self._borrow() as connection:
            cursor = connection.cursor()
            cursor.execute(*self._prepare(statement, values))
            row: tuple[Any, ...] | None = cursor.fetchone()
            cursor.close()
        return row

    def fetch_all(self, statement: ClauseElement, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Every row of a SELECT; otherwise as :meth:`fetch`.

        :raises StoreUnavailable: The database did not answer.
        """
        with self._borrow() as connection:
            cursor = connection.cursor()
            cursor.execute(*self._prepare(statement, values))
            rows = list(cursor.fetchall())
            cursor.close()
        return rows

    def update(self, statement: ClauseElement, values: Mapping[str, object]) -> int:
        """Run one UPDATE and return how many rows it found.

        :raises StoreUnavailable: The database did not answer.
        """
        borrowed = self._borrow()
        with borrowed.connections.writing, borrowed as connection:
            cursor = connection.cursor()
            cursor.execute(*self._prepare(statement, values))
            found: int = cursor.rowcount
            cursor.close()
            if borrowed.connections.needs_commit:
                connection.commit()
        return found

    def insert(self, statement: ClauseElement, values: Mapping[str, object]) -> bool:
        """Run one INSERT; ``False`` when a constraint refused it and nothing was written.

        :raises StoreUnavailable: The database did not answer.
        """
        borrowed = self._borrow()
        with borrowed.connections.writing, borrowed as connection:
            cursor = connection.cursor()
            try:
                cursor.execute(*self._prepare(statement, values))
            except self.engine.dialect.loaded_dbapi.IntegrityError:
                return False  # leaving the block rolls back
            cursor.close()
            if borrowed.connections.needs_commit:
                connection.commit()
        return True

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A Core transaction, for what is not on the hot path.

        :raises StoreUnavailable: The database did not answer, or refused.
        """
        opened = self._opened()
        with opened.deadline.watching() as watch:
            try:
                with opened.engine.connect() as connection, _bounded(connection, watch), connection.begin():
                    yield connection
            except SQLAlchemyError as error:
                raise _unavailable(error, opened.engine) from None

    def _prepare(
        self, statement: ClauseElement, values: Mapping[str, object]
    ) -> tuple[str, Mapping[str, object] | list[object]]:
        known = self._compiled.get(statement)
        if known is None:
            compiled = statement.compile(dialect=self.engine.dialect)
            assert isinstance(compiled, SQLCompiler)
            if len(self._compiled) >= MAX_COMPILED:
                self._compiled.clear()
            known = self._compiled[statement] = (compiled.string, compiled.positiontup)
        sql, order = known
        return sql, values if order is None else [values[name] for name in order]

    def _borrow(self) -> "_Borrowed":
        return _Borrowed(self._open or self._opened())

    def _opened(self) -> "_Open":
        if self._open is None:
            with self._open_lock:
                if self._open is None:
                    engine = self._engine_source()
                    self._inherited.drop_from(engine)
                    deadline = EngineDeadline(engine)
                    self._open = _Open(engine, deadline, lend_connections(engine, deadline))
        return self._open


@dataclass(frozen=True, slots=True)
class _Open:
    """What a database has once its engine is there."""

    engine: Engine
    deadline: EngineDeadline
    connections: Connections


class _Borrowed:
    """A connection for the length of a ``with`` block, and what an error in the block means for it.

    Not a generator with ``@contextmanager``: that costs as much as taking the connection.
    """

    __slots__ = ("_connection", "_deadline", "_engine", "_watch", "connections")

    def __init__(self, opened: _Open) -> None:
        self.connections = opened.connections
        self._deadline = opened.deadline
        self._engine = opened.engine
        self._watch: Watch | None = None
        self._connection: PoolProxiedConnection | None = None

    def __enter__(self) -> PoolProxiedConnection:
        if self.connections.need_watch:
            self._watch = self._deadline.start()
        try:
            self._connection = self.connections.take()
            if self._watch is not None:
                watch_connection(self._watch, self._connection)
        except BaseException as error:
            if self._connection is not None:  # nobody watches over it
                self._connection.invalidate()
                self.connections.give_back(self._connection)
            raise self._refusal(error) or error from None
        return self._connection

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        connection, watch = self._connection, self._watch
        assert connection is not None
        if error is not None:
            self._drop_if_broken(connection, error)
        if watch is not None and watch.cut and connection.is_valid:
            connection.invalidate()
        try:
            self.connections.give_back(connection)
        finally:
            refusal = self._refusal(error)
        if refusal is not None and error is not None:
            raise refusal from None

    def _drop_if_broken(self, connection: PoolProxiedConnection, error: BaseException) -> None:
        if isinstance(error, (self._engine.dialect.loaded_dbapi.Error, SQLAlchemyError)):
            drop_if_dead(error, connection, self._engine)
        else:
            # Stopped in mid-conversation (a worker's timeout): nobody may read the rest of the answer.
            connection.invalidate()

    def _refusal(self, error: BaseException | None) -> StoreUnavailable | None:
        """End the watch; what to raise in the place of *error*, if anything."""
        late = None if self._watch is None else self._deadline.end(self._watch)
        if error is None:
            return late
        if isinstance(error, (self._engine.dialect.loaded_dbapi.Error, SQLAlchemyError)):
            return late or _unavailable(error, self._engine)
        return late


@contextmanager
def _bounded(connection: Connection, watch: Watch | None) -> Iterator[None]:
    """Let what is asked over *connection* wait no longer than *watch* does."""
    if watch is None:
        yield
    elif connection.dialect.name == "sqlite":
        with waiting_for_writers(connection.connection, watch.seconds_left):
            yield
    else:
        watch_connection(watch, connection.connection)
        yield


def _unavailable(error: Exception, engine: Engine) -> StoreUnavailable:
    """Name the cause without SQL, parameters or the password."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    # PostgreSQL's further lines quote the row.
    message = next(iter(str(cause).splitlines()), "")[:_MESSAGE_CHARACTERS]
    if password := engine.url.password:
        message = message.replace(str(password), "***")
    advice = f"; {ADVICE}" if is_about_missing_tables(cause) else ""
    return StoreUnavailable(f"database: {type(cause).__name__} {message!r}{advice}")
