"""One statement at a time, straight on the driver.

A token request waits for two statements, and SQLAlchemy's ``Connection`` and ``Result`` cost more than the
database does. So the hot path writes its statements in Core, compiles each once, and runs them on a DBAPI
connection from the engine's own pool. Pool events see them; ``echo`` and other engine events do not.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from ..errors import StoreUnavailable

EngineSource = Callable[[], Engine]
"""Gives the engine; asked once, at first use, so it may need an application context that exists only then."""

_MESSAGE_CHARACTERS = 200


class Database:
    """Runs statements for one application's engine, each in a short transaction of its own.

    :param engine_source: Gives the engine at first use.
    """

    def __init__(self, engine_source: EngineSource) -> None:
        self._engine_source = engine_source
        self._engine: Engine | None = None
        self._compiled: dict[ClauseElement, tuple[str, list[str] | None]] = {}
        self._one_round_trip = False

    @property
    def engine(self) -> Engine:
        """The application's engine."""
        if self._engine is None:
            engine = self._engine_source()
            # A single statement is atomic by itself. PostgreSQL then skips BEGIN and COMMIT, two of three
            # round trips; SQLite would gain nothing and MySQL has to ask the server for the switch.
            self._one_round_trip = engine.dialect.name == "postgresql"
            self._engine = engine
        return self._engine

    def fetch(self, statement: ClauseElement, values: Mapping[str, object]) -> tuple[Any, ...] | None:
        """The first row of a SELECT, as the driver gives it: SQLite and MySQL have no booleans.

        :param values: The statement's parameters, by name.
        :raises StoreUnavailable: The database did not answer.
        """
        with self._checked_out() as connection:
            cursor = connection.cursor()
            cursor.execute(*self._prepare(statement, values))
            row: tuple[Any, ...] | None = cursor.fetchone()
            cursor.close()
        return row

    def insert(self, statement: ClauseElement, values: Mapping[str, object]) -> bool:
        """Run one INSERT; ``False`` when a constraint refused it and nothing was written.

        :raises StoreUnavailable: The database did not answer.
        """
        with self._checked_out() as connection:
            cursor = connection.cursor()
            try:
                cursor.execute(*self._prepare(statement, values))
            except self.engine.dialect.loaded_dbapi.IntegrityError:
                return False  # leaving the block rolls back
            cursor.close()
            if not self._one_round_trip:
                connection.commit()
        return True

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A Core transaction, for what is not on the hot path.

        :raises StoreUnavailable: The database did not answer, or refused.
        """
        engine = self.engine
        try:
            with engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise _unavailable(error, engine) from None

    def _prepare(
        self, statement: ClauseElement, values: Mapping[str, object]
    ) -> tuple[str, Mapping[str, object] | list[object]]:
        known = self._compiled.get(statement)
        if known is None:
            compiled = statement.compile(dialect=self.engine.dialect)
            assert isinstance(compiled, SQLCompiler)
            known = self._compiled[statement] = (compiled.string, compiled.positiontup)
        sql, order = known
        return sql, values if order is None else [values[name] for name in order]

    @contextmanager
    def _checked_out(self) -> Iterator[PoolProxiedConnection]:
        engine = self.engine
        connection = None
        try:
            connection = engine.raw_connection()
            if self._one_round_trip:
                assert connection.dbapi_connection is not None
                connection.commit()  # what a "connect" listener of the application may have begun
                engine.dialect.set_isolation_level(connection.dbapi_connection, "AUTOCOMMIT")
            yield connection
        except (engine.dialect.loaded_dbapi.Error, SQLAlchemyError) as error:
            if connection is not None:
                _drop_if_dead(error, connection, engine)
            raise _unavailable(error, engine) from None
        except BaseException:
            # Stopped in mid-conversation (a worker's timeout): nobody may read the rest of the answer.
            if connection is not None:
                connection.invalidate()
            raise
        finally:
            if connection is not None:
                self._give_back(connection, engine)

    def _give_back(self, connection: PoolProxiedConnection, engine: Engine) -> None:
        """Return *connection* to the pool, which rolls back whatever it still holds."""
        if self._one_round_trip and connection.is_valid:
            assert connection.dbapi_connection is not None
            try:
                engine.dialect.reset_isolation_level(connection.dbapi_connection)
            except engine.dialect.loaded_dbapi.Error:
                connection.invalidate()
        connection.close()


def _drop_if_dead(error: Exception, connection: PoolProxiedConnection, engine: Engine) -> None:
    """After a lost connection, drop the pool's other ones too: they are lost as well, and each costs a 503."""
    driver_connection = connection.dbapi_connection
    if isinstance(error, engine.dialect.loaded_dbapi.Error) and engine.dialect.is_disconnect(
        error, driver_connection, None
    ):
        connection.invalidate(error)
        engine.dispose()


def _unavailable(error: Exception, engine: Engine) -> StoreUnavailable:
    """Name the cause without SQL, parameters or the password."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    # PostgreSQL's further lines quote the row.
    message = next(iter(str(cause).splitlines()), "")[:_MESSAGE_CHARACTERS]
    if password := engine.url.password:
        message = message.replace(str(password), "***")
    return StoreUnavailable(f"database: {type(cause).__name__} {message!r}")
