"""Runs statements on the application's engine. They go through SQLAlchemy Core, so that the application's events,
``echo`` and execution options apply to them.

A few statements of each request bypass Core if nobody listens to the engine: see ``driver.py``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from threading import Lock
from time import perf_counter
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.sql.dml import UpdateBase

from ..errors import StoreUnavailable
from .connections import lend_connections
from .driver import Driver
from .engine_deadline import EngineDeadline, watch_connection
from .failure import describe_failure
from .forks import InheritedConnections
from .isolation import commit_each, commit_together
from .listening import Listening
from .one_writer import find_writing
from .socket_watch import Watch
from .sqlite import waiting_for_writers

EngineSource = Callable[[], Engine]
"""Returns the engine; called once, at first use, so it may need an application context that exists only then."""

Row = tuple[Any, ...]

NoteSeconds = Callable[[float, bool], None]
"""Called with the seconds that a use of a store took, and whether it answered."""


class Database:
    """Runs statements for one application's engine, each in its own short transaction.

    Callers build a statement once and pass the same object each time, because its compiled form is cached.

    :param engine_source: Returns the engine, at first use.
    """

    def __init__(self, engine_source: EngineSource) -> None:
        self._engine_source = engine_source
        self._open: _Open | None = None
        self._open_lock = Lock()
        self._inherited = InheritedConnections()

    def measure(self, note: NoteSeconds) -> None:
        """Tell *note* from now on how long each use of the database takes.

        The methods are replaced, so that a database that is not measured costs nothing.
        """
        for name in ("fetch_directly", "fetch_all_directly", "insert_directly"):
            setattr(self, name, _timed(getattr(self, name), note))
        connect = self._connect

        @contextmanager
        def connect_and_measure(prepare: Callable[[Connection], None] = commit_each) -> Iterator[Connection]:
            with measured(note), connect(prepare) as connection:
                yield connection

        setattr(self, "_connect", connect_and_measure)  # noqa: B010  # mypy: a method

    @property
    def engine(self) -> Engine:
        """The application's engine."""
        return self._opened().engine

    def fetch(self, statement: Executable, values: Mapping[str, object]) -> Row | None:
        """The first row of a SELECT.

        :param values: The statement's parameters, by name.
        :raises StoreUnavailable: The database did not answer.
        """
        with self._connect() as connection:
            row = connection.execute(statement, values).first()
            return None if row is None else tuple(row)

    def fetch_all(self, statement: Executable, values: Mapping[str, object]) -> list[Row]:
        """Every row of a SELECT; otherwise as :meth:`fetch`.

        :raises StoreUnavailable: The database did not answer.
        """
        with self._connect() as connection:
            return [tuple(row) for row in connection.execute(statement, values)]

    def update(self, statement: UpdateBase, values: Mapping[str, object]) -> int:
        """Run one UPDATE and return how many rows it matched.

        :raises StoreUnavailable: The database did not answer.
        """
        with self._opened().writing, self._connect() as connection:
            found = connection.execute(statement, values).rowcount
            connection.commit()
            return found

    def insert(self, statement: UpdateBase, values: Mapping[str, object]) -> bool:
        """Run one INSERT; ``False`` if a constraint refused it, and nothing was written.

        :raises StoreUnavailable: The database did not answer.
        """
        with self._opened().writing, self._connect() as connection:
            try:
                connection.execute(statement, values)
            except IntegrityError:
                return False  # leaving the block rolls back
            connection.commit()
            return True

    def insert_all(self, statement: UpdateBase, rows: Sequence[Mapping[str, object]]) -> None:
        """Run one INSERT for all *rows*, in one transaction.

        :raises StoreUnavailable: The database did not answer, or refused.
        """
        with self._opened().writing, self._connect(commit_together) as connection, connection.begin():
            connection.execute(statement, rows)

    def fetch_directly(self, statement: Executable, values: Mapping[str, object]) -> Row | None:
        """As :meth:`fetch`, but bypasses Core if nobody listens; booleans may be 0 and 1, as the driver returns them.

        :raises StoreUnavailable: The database did not answer.
        """
        opened = self._open or self._opened()
        return (self if opened.listening.is_anybody_there() else opened.driver).fetch(statement, values)

    def fetch_all_directly(self, statement: Executable, values: Mapping[str, object]) -> Sequence[Row]:
        """As :meth:`fetch_all`, but bypasses Core if nobody listens, as :meth:`fetch_directly` does.

        :raises StoreUnavailable: The database did not answer.
        """
        opened = self._open or self._opened()
        return (self if opened.listening.is_anybody_there() else opened.driver).fetch_all(statement, values)

    def insert_directly(self, statement: UpdateBase, values: Mapping[str, object]) -> bool:
        """As :meth:`insert`, but bypasses Core if nobody listens; values are passed to the driver unchanged.

        :raises StoreUnavailable: The database did not answer.
        """
        opened = self._open or self._opened()
        return (self if opened.listening.is_anybody_there() else opened.driver).insert(statement, values)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction of several statements.

        :raises StoreUnavailable: The database did not answer, or refused.
        """
        with self._connect(commit_together) as connection, connection.begin():
            yield connection

    @contextmanager
    def _connect(self, prepare: Callable[[Connection], None] = commit_each) -> Iterator[Connection]:
        """A connection, prepared for one statement unless *prepare* does something else."""
        opened = self._opened()
        with opened.deadline.watching() as watch:
            try:
                with opened.engine.connect() as connection, _bounded(connection, watch):
                    prepare(connection)
                    yield connection
            except SQLAlchemyError as error:
                raise describe_failure(error, opened.engine) from None

    def _opened(self) -> "_Open":
        if self._open is None:
            with self._open_lock:
                if self._open is None:
                    self._open = self._open_engine()
        return self._open

    def _open_engine(self) -> "_Open":
        engine = self._engine_source()
        self._inherited.drop_from(engine)
        deadline, writing = EngineDeadline(engine), find_writing(engine)
        connections = lend_connections(engine, deadline)
        driver = Driver(engine, connections, deadline, writing)
        listening = Listening(engine, pool_events=connections.pool_events)
        return _Open(engine, deadline, writing, driver, listening)


@dataclass(frozen=True, slots=True)
class _Open:
    """The parts of a :class:`Database` that exist once its engine is known."""

    engine: Engine
    deadline: EngineDeadline
    writing: AbstractContextManager[None]
    """Held while one statement writes."""
    driver: Driver
    listening: Listening


@contextmanager
def _bounded(connection: Connection, watch: Watch | None) -> Iterator[None]:
    """Let statements on *connection* wait no longer than *watch* allows."""
    if watch is None:
        yield
    elif connection.dialect.name == "sqlite":
        with waiting_for_writers(connection.connection, watch.seconds_left):
            yield
    else:
        watch_connection(watch, connection.connection)
        yield


@contextmanager
def measured(note: NoteSeconds) -> Iterator[None]:
    """Tell *note* how long the block takes; a store that is away raises :class:`.StoreUnavailable`."""
    started, answered = perf_counter(), True
    try:
        yield
    except StoreUnavailable:
        answered = False
        raise
    finally:
        note(perf_counter() - started, answered)


def _timed(method: Callable[..., Any], note: NoteSeconds) -> Callable[..., Any]:
    """*method*, measured; a plain function, because every request calls it."""

    def run(statement: Executable, values: Mapping[str, object]) -> Any:
        started = perf_counter()
        try:
            result = method(statement, values)
        except StoreUnavailable:
            note(perf_counter() - started, False)
            raise
        note(perf_counter() - started, True)
        return result

    return run
