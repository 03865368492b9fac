"""The replay store in an SQL database for an event loop, with an async driver such as asyncpg or aiosqlite."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.sql.dml import UpdateBase

from ..database.batches import BATCH_ROWS, no_rest
from ..database.deadline import seconds_left
from ..database.failure import describe_failure
from ..database.loop_breaker import LoopBreaker
from ..database.sqlite import use_wal_on_loop
from ..errors import StoreUnavailable
from ..event_loops.per_loop import PerLoop
from .base import Mark
from .own_engine import make_engine, parse_url
from .sql import MarksDatabase, SQLMarks

T = TypeVar("T")

TIMEOUT_SECONDS = 5
"""Longest wait for the database outside a request, and of a probe."""
PURGE_SECONDS = 3600
"""Longest time of a purge."""


def _open_engine(text: str) -> AsyncEngine:
    """Make an engine; it does not connect yet. Each statement commits by itself."""
    engine = make_engine(parse_url(text), create_async_engine, isolation_level="AUTOCOMMIT")
    use_wal_on_loop(engine.sync_engine)
    return engine


class AsyncSQLAlchemyReplayStore:
    """Remembers marks in one table, for all processes that share the database; the table is made at first use.

    The statements and their order are those of :class:`.SQLAlchemyReplayStore`: they run on the synchronous face that
    SQLAlchemy gives to a connection of an async driver.

    :param url: A SQLAlchemy URL with an async driver.
    :raises ConfigurationError: It does not name a database that processes and tasks can share.
    """

    def __init__(self, url: str) -> None:
        _open_engine(url)  # raises now, not at the first request; it connects at first use only
        self._marks = SQLMarks()
        self._engines = PerLoop(lambda: _LoopEngine(url), drop=_LoopEngine.forget)

    async def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.base.AsyncReplayStore.remember`."""
        if marks:
            await self._engines.get().run(lambda database: self._marks.remember(database, marks))

    async def purge(self) -> int:
        """See :meth:`.base.AsyncReplayStore.purge`."""
        return await self._engines.get().run(
            lambda database: self._marks.purge(database, batch=BATCH_ROWS, rest=no_rest), seconds=PURGE_SECONDS
        )

    async def close(self) -> None:
        """Close the connections of this event loop."""
        await self._engines.get().close()


class _LoopEngine:
    """The engine of one event loop: a connection of one loop cannot be used in another."""

    def __init__(self, url: str) -> None:
        self._engine = _open_engine(url)
        self._breaker = LoopBreaker(self._probe, store="database")
        self._under_way: set[asyncio.Task[object]] = set()

    async def run(self, work: Callable[[MarksDatabase], T], *, seconds: float = TIMEOUT_SECONDS) -> T:
        """The result of *work*, which gets one connection.

        :param seconds: Longest wait outside a request.
        :raises StoreUnavailable: The database did not answer in time, or refused.
        """
        self._breaker.check()
        # In a task of its own: a driver may take seconds to give up a connection, and nobody waits for that.
        task = asyncio.ensure_future(self._lend(work))
        self._under_way.add(task)
        task.add_done_callback(self._forget_task)
        try:
            async with asyncio.timeout(seconds_left(seconds)):
                return await asyncio.shield(task)
        except TimeoutError:
            self._breaker.trip()
            raise StoreUnavailable("database: no answer in time", cause="database_timeout") from None
        except (SQLAlchemyError, OSError) as error:
            raise describe_failure(error, self._engine.sync_engine) from None
        finally:
            task.cancel()  # of a request that was cancelled, or came too late

    async def close(self) -> None:
        """Close the connections."""
        self._breaker.stop()
        await self._engine.dispose()

    def forget(self) -> None:
        """Drop the engine of a closed loop, whose connections cannot be closed any more."""
        self._engine.sync_engine.dispose(close=False)

    async def _lend(self, work: Callable[[MarksDatabase], T]) -> T:
        async with self._engine.connect() as connection:
            return await connection.run_sync(lambda synchronous: work(_OneConnection(synchronous)))

    async def _probe(self) -> None:
        async with asyncio.timeout(TIMEOUT_SECONDS), self._engine.connect() as connection:
            await connection.exec_driver_sql("SELECT 1")

    def _forget_task(self, task: "asyncio.Task[object]") -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # else asyncio complains if nobody waits any more


class _OneConnection:
    """What marks need of a database, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def insert_directly(self, statement: UpdateBase, values: Mapping[str, object]) -> bool:
        """See :meth:`.Database.insert_directly`."""
        try:
            with self._connection.begin():
                self._connection.execute(statement, values)
        except IntegrityError:
            return False
        return True

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """See :meth:`.Database.begin`."""
        try:
            with self._connection.begin():
                yield self._connection
        except SQLAlchemyError as error:
            raise describe_failure(error, self._connection.engine) from None
