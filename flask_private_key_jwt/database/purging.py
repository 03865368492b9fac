"""Deletes expired rows in many short transactions, so that a server can write meanwhile.

It walks the primary key to find them. There is no index on the expiry, because it would slow down every write.
"""

from contextlib import AbstractContextManager
from time import perf_counter
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Table, delete, exists, select, true
from sqlalchemy.engine import Connection

from .batches import BATCH_ROWS, Rest, no_rest


class Transactions(Protocol):
    """What a purge needs of a database."""

    def begin(self) -> AbstractContextManager[Connection]:
        """See :meth:`.Database.begin`."""


def delete_in_batches(
    database: Transactions, table: Table, ended: ColumnElement[bool], *, batch: int = BATCH_ROWS, rest: Rest = no_rest
) -> int:
    """Delete the rows of *table* that meet *ended*, and return how many.

    One transaction handles *batch* rows that are neighbours in the order of the primary key, and all further rows with
    the same value in its first column. It writes only if there is something to delete.

    :raises StoreUnavailable: The database did not answer.
    """
    key: ColumnElement[Any] = next(iter(table.primary_key.columns))
    removed, after = 0, true()
    while True:
        started = perf_counter()
        with database.begin() as connection:
            last = connection.scalar(select(key).where(after).order_by(key).offset(batch - 1).limit(1))
            rows = after & ended if last is None else after & (key <= last) & ended
            found = connection.scalar(select(exists().where(rows)))
        if found:
            with database.begin() as connection:
                removed += connection.execute(delete(table).where(rows)).rowcount
        if last is None:
            return removed
        after = key > last
        rest(perf_counter() - started)
