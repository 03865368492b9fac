"""Remembers marks in one table of an SQL database."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Protocol, Self

from sqlalchemy import (
    MetaData,
    Table,
    bindparam,
    delete,
    insert,
    inspect,
    or_,
    select,
    union_all,
)
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql import Insert
from sqlalchemy.sql.dml import UpdateBase

from .. import clock
from ..database.batches import BATCH_ROWS, KEEP_ENDED_SECONDS, Rest, no_rest
from ..database.database import Database
from ..database.page_purging import delete_by_pages
from ..database.purging import Transactions, delete_in_batches
from ..errors import StoreUnavailable
from .base import Mark, Replayed, build_digests
from .own_engine import open_engine
from .table import build_replay_table

_ATTEMPTS = 3


class SQLAlchemyReplayStore:
    """Remembers marks in one table, for all processes that share the database.

    :param database: The database that stores them.
    :param table: The application's own table of marks. Without it, the store makes a table.
    """

    def __init__(self, database: Database, table: Table | None = None) -> None:
        self._database = database
        self._marks = SQLMarks(table)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """A store in a separate database; its table is made at first use, if it is missing.

        :raises ConfigurationError: The URL does not name a database that processes and threads can share.
        """
        engine = open_engine(url)
        return cls(Database(lambda: engine))

    @property
    def database(self) -> Database:
        """The database that has the marks."""
        return self._database

    def through(self, database: Database) -> "SQLAlchemyReplayStore":
        """The same table, reached through another *database*, which has connections of its own."""
        return SQLAlchemyReplayStore(database, self._marks.table)

    def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.base.ReplayStore.remember`."""
        self._marks.remember(self._database, marks)

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """See :meth:`.base.ReplayStore.purge`."""
        return self._marks.purge(self._database, batch=batch, rest=rest)

    def close(self) -> None:
        """Close the connections of an engine made by :meth:`from_url`."""
        self._database.engine.dispose()


class MarksDatabase(Transactions, Protocol):
    """What is needed of a database: of :class:`.Database`, or of one connection of an event loop."""

    def insert_directly(self, statement: UpdateBase, values: Mapping[str, object]) -> bool:
        """See :meth:`.Database.insert_directly`."""


class SQLMarks:
    """The table of marks, and what is done in it.

    :param table: The application's own table of marks. Without it, a table is made in the database at first use.
    """

    def __init__(self, table: Table | None = None) -> None:
        self._table = build_replay_table(MetaData()) if table is None else table
        self._table_exists = table is not None  # the application's table is made by its migrations
        self._inserts: dict[int, tuple[Insert, tuple[str, ...]]] = {}

    @property
    def table(self) -> Table:
        """The table that has the marks."""
        return self._table

    def remember(self, database: MarksDatabase, marks: Sequence[Mark]) -> None:
        """See :meth:`.base.ReplayStore.remember`."""
        if not marks:
            return
        if not self._table_exists:
            self._make_table(database)
        digests = build_digests(marks)
        rows = [(digest, mark.until) for digest, mark in zip(digests, marks, strict=True)]
        rows.sort()  # two requests with the same marks wait for each other and do not end in a deadlock
        statement, names = self._inserts.get(len(rows)) or self._build_insert(len(rows))
        values = dict(zip(names, chain.from_iterable(rows), strict=True))
        for _ in range(_ATTEMPTS):
            if database.insert_directly(statement, values):
                return
            self._make_room(database, marks, digests)
        raise StoreUnavailable(
            "database: the replay table refuses a row that is not there", cause="database_constraint"
        )

    def purge(self, database: MarksDatabase, *, batch: int, rest: Rest) -> int:
        """See :meth:`.base.ReplayStore.purge`."""
        if not self._table_exists:
            self._make_table(database)
        ended = self._table.c.expires_at < clock.now() - KEEP_ENDED_SECONDS
        removed = delete_by_pages(database, self._table, ended, batch=batch, rest=rest)
        if removed is None:
            removed = delete_in_batches(database, self._table, ended, batch=batch, rest=rest)
        return removed

    def _build_insert(self, count: int) -> tuple[Insert, tuple[str, ...]]:
        """The statement that inserts so many rows, and the names of its parameters, row by row."""
        columns = self._table.c
        rows = [
            select(
                bindparam(f"digest_{number}", type_=columns.digest.type),
                bindparam(f"until_{number}", type_=columns.expires_at.type),
            )
            for number in range(count)
        ]
        # Not VALUES of several rows: Core would compile those anew each time.
        statement = insert(self._table).from_select([columns.digest, columns.expires_at], union_all(*rows))
        names = tuple(f"{name}_{number}" for number in range(count) for name in ("digest", "until"))
        built = self._inserts[count] = (statement, names)
        return built

    def _make_room(self, database: MarksDatabase, marks: Sequence[Mark], digests: Sequence[bytes]) -> None:
        """After a refused INSERT: find the mark that exists already, or delete those of *marks* that have expired.

        :raises Replayed: One of *marks* exists and has not expired.
        """
        now, table = clock.now(), self._table
        ours = or_(*(table.c.digest == digest for digest in digests))
        with database.begin() as connection:
            there = set(connection.scalars(select(table.c.digest).where(ours, table.c.expires_at >= now)))
        for mark, digest in zip(marks, digests, strict=True):
            if digest in there:
                raise Replayed(mark)
        with database.begin() as connection:
            connection.execute(delete(table).where(ours, table.c.expires_at < now))

    def _make_table(self, database: MarksDatabase) -> None:
        """Make the table in a separate database. If several processes try at once, one succeeds."""
        try:
            with database.begin() as connection:
                if not inspect(connection).has_table(self._table.name):
                    connection.execute(CreateTable(self._table))
        except StoreUnavailable:
            with database.begin() as connection:
                if not inspect(connection).has_table(self._table.name):
                    raise
        self._table_exists = True
