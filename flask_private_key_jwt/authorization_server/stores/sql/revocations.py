"""Revocations in the application's database; see :class:`.revocation_names.RevocationStore`."""

from collections.abc import Mapping, Sequence

from sqlalchemy import BigInteger, Connection, Select, Table, bindparam, case, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql import Insert, Update

from .... import clock
from ....database.batches import BATCH_ROWS, KEEP_ENDED_SECONDS, Rest, no_rest
from ....database.database import Database
from ....database.purging import delete_in_batches
from ....errors import StoreUnavailable
from ....signals.events import Event
from ..revocation_names import Revocation
from .recorder import Recorder

_ATTEMPTS = 3
CHUNK = 500
"""Most rows that one statement inserts."""


class SQLAlchemyRevocationStore:
    """Remembers what was revoked.

    :param database: The application's.
    :param table: The application's table of revocations.
    :param recorder: Writes them, with their events; without one nobody is told of them.
    """

    def __init__(self, database: Database, table: Table, recorder: Recorder | None = None) -> None:
        self._database = database
        self._recorder = recorder or Recorder(database)
        self._table = table
        self._insert = _build_insert(table)
        self._extend = _build_extend(table)
        self._selects: dict[int, Select[tuple[int]]] = {}

    def add(self, revocation: Revocation, event: Event | None = None) -> None:
        """See :meth:`.revocation_names.RevocationStore.add`."""
        values = _values(revocation)
        # One of the two succeeds, unless a purge comes between them.
        for _ in range(_ATTEMPTS):
            if self._recorder.insert(self._insert, values, event) or self._recorder.update(self._extend, values, event):
                return
        raise StoreUnavailable(
            "database: the revocation table refuses a row that is not there", cause="database_constraint"
        )

    def covers(self, names: Sequence[bytes], *, issued_at: int) -> bool:
        """See :meth:`.revocation_names.RevocationStore.covers`. One SELECT."""
        values: dict[str, object] = {f"name_{number}": name for number, name in enumerate(names)}
        # An API in the same app asks this for every call, so it may go past Core, too.
        return self._database.fetch_directly(self._select(len(names)), {**values, "issued_at": issued_at}) is not None

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Delete what expired long ago, and return how many rows; see :meth:`.replay.base.ReplayStore.purge`.

        :raises StoreUnavailable: The database did not answer.
        """
        ended = self._table.c.expires_at < clock.now() - KEEP_ENDED_SECONDS
        return delete_in_batches(self._database, self._table, ended, batch=batch, rest=rest)

    def _select(self, count: int) -> Select[tuple[int]]:
        """The statement that looks for *count* names; built once for each number."""
        if count not in self._selects:
            name, issued_until = self._table.c.digest, self._table.c.issued_until
            ours = name.in_([bindparam(f"name_{number}", type_=name.type) for number in range(count)])
            reached = issued_until.is_(None) | (issued_until >= bindparam("issued_at", type_=BigInteger))
            self._selects[count] = select(self._table.c.expires_at).where(ours, reached)
        return self._selects[count]


def revoke_within(connection: Connection, table: Table, revocations: Sequence[Revocation]) -> None:
    """Remember revocations in the caller's transaction, which has written something before."""
    insertion, extension = _build_insert(table), _build_extend(table)
    for start in range(0, len(revocations), CHUNK):
        chunk = [_values(revocation) for revocation in revocations[start : start + CHUNK]]
        if _try_insert(connection, insertion, chunk):
            continue
        for values in chunk:  # the insert failed because some were revoked before
            if not connection.execute(extension, values).rowcount and not _try_insert(connection, insertion, [values]):
                connection.execute(extension, values)  # somebody else inserted it first


def _try_insert(connection: Connection, insertion: Insert, rows: Sequence[Mapping[str, object]]) -> bool:
    try:
        with connection.begin_nested():  # otherwise PostgreSQL aborts the whole transaction
            connection.execute(insertion, rows)
    except IntegrityError:
        return False
    return True


def _values(revocation: Revocation) -> dict[str, object]:
    return {"name": revocation.name, "until": revocation.issued_until, "expires": revocation.expires_at}


def _build_insert(table: Table) -> Insert:
    return insert(table).values(
        digest=bindparam("name"), issued_until=bindparam("until"), expires_at=bindparam("expires")
    )


def _build_extend(table: Table) -> Update:
    """The statement that extends a known revocation to the new times; they never become earlier."""
    until, expires = bindparam("until", type_=BigInteger), bindparam("expires", type_=BigInteger)
    issued_until, expires_at = table.c.issued_until, table.c.expires_at
    return (
        update(table)
        .where(table.c.digest == bindparam("name"))
        .values(
            # NULL is not less than anything: a revocation of all tokens stays one.
            issued_until=case((issued_until < until, until), else_=issued_until),
            expires_at=case((expires_at < expires, expires), else_=expires_at),
        )
    )
