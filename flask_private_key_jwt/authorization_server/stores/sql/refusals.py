"""What the references of refused requests stand for, in the application's database."""

from collections.abc import Sequence
from dataclasses import asdict, fields

from sqlalchemy import bindparam, insert, select
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from .... import clock
from ....database.batches import BATCH_ROWS, Rest, no_rest
from ....database.database import Database
from ....database.purging import delete_in_batches
from ..contracts import KeptRefusal
from ..tables.all_tables import Tables


class SQLAlchemyRefusalStore:
    """Keeps refusals for some time.

    :param database: The application's.
    :param tables: The application's tables.
    :param keep_seconds: How long; 0: none is kept.
    """

    def __init__(self, database: Database, tables: Tables, *, keep_seconds: int) -> None:
        self.keep_seconds = keep_seconds
        self._database = database
        self._table = table = tables.refusal
        self._insert = insert(table)
        columns = (table.c[field.name] for field in fields(KeptRefusal))
        self._select = select(*columns).where(table.c.reference == bindparam("wanted"))

    def open(self) -> None:
        """Find the engine, for which there must be an application context."""
        _ = self._database.engine

    def add(self, refusals: Sequence[KeptRefusal]) -> None:
        """Keep *refusals*, in one transaction.

        An SQLite database in memory is left alone: it has one connection, and another thread may be using it.

        :raises StoreUnavailable: The database did not answer.
        """
        if not isinstance(self._database.engine.pool, (StaticPool, SingletonThreadPool)):
            self._database.insert_all(self._insert, [asdict(refusal) for refusal in refusals])

    def find(self, reference: str) -> KeptRefusal | None:
        """What *reference* stands for, if that is still kept.

        :raises StoreUnavailable: The database did not answer.
        """
        row = self._database.fetch(self._select, {"wanted": reference})
        found = None if row is None else KeptRefusal(*row)
        return None if found is None or clock.is_over(found.refused_at + self.keep_seconds) else found

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Delete what is no longer kept, and return how many; see :meth:`.replay.base.ReplayStore.purge`.

        :raises StoreUnavailable: The database did not answer.
        """
        ended = self._table.c.refused_at <= clock.now() - self.keep_seconds
        return delete_in_batches(self._database, self._table, ended, batch=batch, rest=rest)
