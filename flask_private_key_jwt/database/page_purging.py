"""Deletes expired rows of a PostgreSQL table in the order in which they lie on disk.

The table of used marks is written at every request, and its key is random. The walk over the key in ``purging.py``
reads another page for each row; this one reads each page once. Neither needs an index on the expiry, nor partitions,
which could not refuse one mark with two expiries.
"""

from dataclasses import dataclass
from time import perf_counter
from typing import Any

from sqlalchemy import ColumnElement, String, Table, bindparam, cast, delete, literal_column, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.types import UserDefinedType

from .batches import BATCH_ROWS, Rest, no_rest
from .purging import Transactions

_OLDEST_VERSION = (14,)
"""The first PostgreSQL that reads a range of pages without reading the others."""
_USUAL_ROWS_OF_A_PAGE = 80
"""Used marks; for a table that PostgreSQL has not counted yet."""

_DESCRIBE = text(
    "SELECT pg_relation_size(c.oid) / CAST(current_setting('block_size') AS integer) AS pages,"
    " c.reltuples AS counted_rows, c.relpages AS counted_pages"
    " FROM pg_class c JOIN pg_am a ON a.oid = c.relam"
    " WHERE c.oid = CAST(:oid AS oid) AND c.relkind = 'r' AND a.amname = 'heap'"
    " AND NOT EXISTS (SELECT 1 FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent))"
)


class _TID(UserDefinedType[str]):
    """Where a row lies: its page, and its place there."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "tid"


@dataclass(frozen=True, slots=True)
class _Pages:
    count: int
    rows_of_each: int
    """On average, rounded up."""


def delete_by_pages(
    database: Transactions, table: Table, ended: ColumnElement[bool], *, batch: int = BATCH_ROWS, rest: Rest = no_rest
) -> int | None:
    """Delete the rows of *table* that meet *ended*, and return how many.

    One transaction handles the pages that hold about *batch* rows. A row that is written meanwhile may be passed over.

    :return: ``None`` if the table cannot be read by pages, and nothing was done: another database, an older PostgreSQL,
        a table that the operator has partitioned.
    :raises StoreUnavailable: The database did not answer.
    """
    with database.begin() as connection:
        if not _can_read_pages(connection):
            return None
        oid = connection.scalar(select(literal_column("tableoid")).select_from(table).limit(1))
        if oid is None:
            return 0
        pages = _describe(connection, oid)
    if pages is None:
        return None
    place = literal_column("ctid", _TID())
    begin, end = (cast(bindparam(name, type_=String), _TID()) for name in ("begin", "end"))
    statement = delete(table).where(place >= begin, place < end, ended)
    at_once = max(1, batch // pages.rows_of_each)
    removed = 0
    for first in range(0, pages.count, at_once):
        started = perf_counter()
        with database.begin() as connection:
            values = {"begin": f"({first},0)", "end": f"({first + at_once},0)"}
            removed += connection.execute(statement, values).rowcount
        if first + at_once < pages.count:
            rest(perf_counter() - started)
    return removed


def _can_read_pages(connection: Connection) -> bool:
    dialect = connection.dialect
    return dialect.name == "postgresql" and (getattr(dialect, "server_version_info", None) or ()) >= _OLDEST_VERSION


def _describe(connection: Connection, oid: int) -> _Pages | None:
    """The pages of a plain table; ``None`` if it is something else."""
    row = connection.execute(_DESCRIBE, {"oid": oid}).first()
    if row is None or not row.pages:
        return None
    if row.counted_pages and row.counted_rows > 0:
        return _Pages(row.pages, max(1, -(-int(row.counted_rows) // row.counted_pages)))
    return _Pages(row.pages, _USUAL_ROWS_OF_A_PAGE)
