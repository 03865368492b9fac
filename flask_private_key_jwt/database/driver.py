"""Straight on the driver: the few statements that every request waits for, while nobody listens to the engine.

They are the version of the client and the marks of what was used. SQLAlchemy's ``Connection`` and ``Result`` cost more
than the database does for them. So these are written in Core, compiled once, and run on a DBAPI connection, which
``connections.py`` lends. Neither events nor ``echo`` nor execution options reach them here: ``listening.py`` says when
there are any.
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
"""Most statements that are kept compiled. There are fewer: each is built once, when its store is."""


class Driver:
    """Runs one statement at a time on a connection of the driver's, each a transaction by itself.

    :param engine: The application's.
    :param connections: Lends its connections.
    :param deadline: Of this engine.
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
        """The only row of a SELECT, as the driver gives it: SQLite and MySQL have no booleans.

        :param statement: Built once and given again each time: it is kept, compiled.
        :param values: The statement's parameters, by name.
        :raises StoreUnavailable: The database did not answer.
        """
        rows = self._run(statement, values, writes=False)
        return rows[0] if rows else None

    def insert(self, statement: Executable, values: Mapping[str, object]) -> bool:
        """Run one INSERT; ``False`` when a constraint refused it and nothing was written.

        :raises StoreUnavailable: The database did not answer.
        """
        with self._writing:
            return self._run(statement, values, writes=True) is not None

    def _run(self, statement: Executable, values: Mapping[str, object], *, writes: bool) -> Sequence[Any] | None:
        """The rows that a statement gives; ``None`` when a constraint refused it."""
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
                rows = None  # what is given back is rolled back
            else:
                if writes:
                    connections.commit(lent)
                else:
                    rows = lent.cursor.fetchall()  # all of them, or SQLite would go on reading
        except BaseException as error:
            refusal = self._clean_up(error, lent, watch)
            if refusal is None:
                raise
            raise refusal from None
        self._give_back(lent, watch)
        return rows

    def _give_back(self, lent: Lent, watch: Watch | None) -> StoreUnavailable | None:
        """End the watch; what to say if the time was up before that."""
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
        """Leave no broken connection; what to raise in the place of *error*, if anything."""
        is_of_database = isinstance(error, (self._engine.dialect.loaded_dbapi.Error, SQLAlchemyError))
        if lent is None:
            late = None if watch is None else self._deadline.end(watch)
        else:
            if is_of_database:
                drop_if_dead(error, lent.connection, self._engine)
            else:
                # Stopped in mid-conversation (a worker's timeout): nobody may read the rest of the answer.
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
