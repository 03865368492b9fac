"""Runs a few statements of each request directly on the driver, if nobody listens to the engine.

For example, they read the client's version and insert the used marks. SQLAlchemy's ``Connection`` and ``Result`` would
cost more time than the database. So they are written in Core, compiled once, and run on a DBAPI connection that
``connections.py`` lends. No events, ``echo`` or execution options apply here: ``listening.py`` tells whether there are
any, and then Core runs the statement.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from ..errors import StoreUnavailable
from .connections import Connections, Lent, drop_if_dead
from .engine_deadline import EngineDeadline, watch_connection
from .failure import describe_failure
from .socket_watch import Watch

MAX_COMPILED = 20
"""Most compiled statements that are kept. There are fewer: each statement is built once, together with its store."""


class Driver:
    """Runs one statement at a time on a driver's connection, each as a transaction.

    :param engine: The application's engine.
    :param connections: Lends its connections.
    :param deadline: The deadline of this engine.
    :param writing: Held while a statement writes.
    """

    def __init__(
        self,
        engine: Engine,
        connections: Connections,
        deadline: EngineDeadline,
        writing: AbstractContextManager[None],
    ) -> None:
        self._engine = engine
        self._connections = connections
        self._deadline = deadline
        self._writing = writing
        self._compiled: dict[Executable, tuple[str, list[str] | None]] = {}

    def fetch(self, statement: Executable, values: Mapping[str, object]) -> tuple[Any, ...] | None:
        """The only row of a SELECT, with the driver's own types: SQLite and MySQL have no booleans.

        :param statement: The same object each time, because its compiled form is cached.
        :param values: The statement's parameters, by name.
        :raises StoreUnavailable: The database did not answer.
        """
        rows = self.fetch_all(statement, values)
        return rows[0] if rows else None

    def fetch_all(self, statement: Executable, values: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        """Every row of a SELECT; otherwise as :meth:`fetch`.

        :raises StoreUnavailable: The database did not answer.
        """
        return self._run(statement, values, writes=False) or ()

    def insert(self, statement: Executable, values: Mapping[str, object]) -> bool:
        """Run one INSERT; ``False`` if a constraint refused it, and nothing was written.

        :raises StoreUnavailable: The database did not answer.
        """
        with self._writing:
            return self._run(statement, values, writes=True) is not None

    def _run(self, statement: Executable, values: Mapping[str, object], *, writes: bool) -> Sequence[Any] | None:
        """The rows that a statement returns; ``None`` if a constraint refused it."""
        sql, parameters = self._prepare(statement, values)
        connections = self._connections
        watch = self._deadline.start() if connections.need_watch else None
        lent: Lent | None = None
        rows: Sequence[Any] | None = ()
        try:
            lent = connections.take()
            if watch is not None:
                watch_connection(watch, lent.connection)
            try:
                lent.cursor.execute(sql, parameters)
            except self._engine.dialect.loaded_dbapi.IntegrityError:
                rows = None  # give_back() rolls back
            else:
                if writes:
                    connections.commit(lent)
                else:
                    rows = lent.cursor.fetchall()  # all rows: else SQLite keeps its read transaction open
        except BaseException as error:
            refusal = self._clean_up(error, lent, watch)
            if refusal is None:
                raise
            raise refusal from None
        self._give_back(lent, watch)
        return rows

    def _give_back(self, lent: Lent, watch: Watch | None) -> StoreUnavailable | None:
        """End the watch; return the exception to raise if the time was up before that."""
        if watch is None:
            self._connections.give_back(lent)
            return None
        try:
            if watch.cut and lent.connection.is_valid:
                lent.connection.invalidate()
            self._connections.give_back(lent)
        finally:
            late = self._deadline.end(watch)
        return late

    def _clean_up(self, error: BaseException, lent: Lent | None, watch: Watch | None) -> StoreUnavailable | None:
        """Drop a broken connection; return the exception to raise instead of *error*, if any."""
        is_of_database = isinstance(error, (self._engine.dialect.loaded_dbapi.Error, SQLAlchemyError))
        if lent is None:
            late = None if watch is None else self._deadline.end(watch)
        else:
            if is_of_database:
                drop_if_dead(error, lent.connection, self._engine)
            else:
                # Interrupted between question and answer (a worker's timeout): nobody may read the rest of the answer.
                lent.connection.invalidate()
            late = self._give_back(lent, watch)
        return describe_failure(error, self._engine) if late is None and is_of_database else late

    def _prepare(
        self, statement: Executable, values: Mapping[str, object]
    ) -> tuple[str, Mapping[str, object] | list[object]]:
        known = self._compiled.get(statement)
        if known is None:
            assert isinstance(statement, ClauseElement)
            compiled = statement.compile(dialect=self._engine.dialect)
            assert isinstance(compiled, SQLCompiler)
            if len(self._compiled) >= MAX_COMPILED:
                self._compiled.clear()
            known = self._compiled[statement] = (compiled.string, compiled.positiontup)
        sql, order = known
        return sql, values if order is None else [values[name] for name in order]
