"""When each key of a client was added and when it last signed, in the application's database."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from sqlalchemy import Connection, Select, Table, Update, bindparam, case, delete, func, insert, or_, select, update

from ....database.batches import BATCH_ROWS, Rest, no_rest
from ....database.database import Database
from ....database.purging import delete_in_batches
from ....signals.events import ClientKeysChanged
from ..contracts import KeyUse
from ..tables.all_tables import Tables
from .recorder import Recorder


class SQLAlchemyClientKeyUseStore:
    """Keeps one row for each key of each client.

    :param database: The application's.
    :param tables: The application's tables.
    :param recorder: Opens the transactions; without one nobody is told of a change.
    """

    def __init__(self, database: Database, tables: Tables, recorder: Recorder | None = None) -> None:
        self._database = database
        self._recorder = recorder or Recorder(database)
        self._table = tables.client_key
        self._clients = tables.client
        self._insert = insert(self._table)
        self._select = _select_uses(self._table)
        self._mark_used = _build_mark_used(self._table)

    def load(self, client_id: str) -> Mapping[str, KeyUse]:
        """See :meth:`.contracts.ClientKeyUseStore.load`."""
        return _read_uses(self._database.fetch_all_directly(self._select, {"client": client_id}), client_id)

    def find_last_uses(self) -> Mapping[str, int]:
        """When each client's keys last signed, to the hour: ``client_id`` -> seconds since the epoch.

        :raises StoreUnavailable: The database did not answer.
        """
        columns = self._table.c
        noted = select(columns.client_id, columns.last_used_at).where(columns.last_used_at.is_not(None))
        # No GROUP BY: on MariaDB it would put "Client" and "client" together.
        return dict(self._database.fetch_all(noted.order_by(columns.last_used_at), {}))

    def replace(self, client_id: str, thumbprints: Set[str], *, now: int) -> None:
        """See :meth:`.contracts.ClientKeyUseStore.replace`. In short transactions, so others wait for one row only."""
        known = self.load(client_id).keys()
        for thumbprint in sorted(thumbprints - known):
            added = ClientKeysChanged(client_id, added=(thumbprint,), removed=())
            # The result does not matter: it is False if another worker has inserted the row first.
            self._recorder.insert(self._insert, _new_row(client_id, thumbprint, now), added)
        if gone := known - thumbprints:
            with self._recorder.begin() as change:
                if _delete(change.connection, self._table, client_id, gone):
                    change.note(ClientKeysChanged(client_id, added=(), removed=tuple(sorted(gone))))

    def count_older(self, *, now: int, days: Sequence[int]) -> Mapping[int, int]:
        """Number of days -> how many keys clients have had for at least so long. One SELECT that reads every key.

        :raises StoreUnavailable: The database did not answer.
        """
        added = self._table.c.added_at
        counts = [func.sum(case((added <= now - number * 86400, 1), else_=0)) for number in days]
        with self._database.begin() as connection:
            found = connection.execute(select(*counts)).one()
        return {number: int(count or 0) for number, count in zip(days, found, strict=True)}

    def mark_used(self, client_id: str, thumbprint: str, *, now: int, not_after: int) -> bool:
        """See :meth:`.contracts.ClientKeyUseStore.mark_used`."""
        key = {"client": client_id, "key": thumbprint}
        return self._database.update(self._mark_used, {**key, "now": now, "not_after": not_after}) == 1

    def purge(self, *, not_after: int, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """See :meth:`.contracts.ClientKeyUseStore.purge`."""
        columns = self._table.c
        is_registered = columns.client_id.in_(select(self._clients.c.client_id))
        is_old = func.coalesce(columns.last_used_at, columns.added_at) <= not_after
        return delete_in_batches(self._database, self._table, ~is_registered & is_old, batch=batch, rest=rest)


def replace_key_uses(
    connection: Connection, table: Table, client_id: str, thumbprints: Set[str], *, now: int
) -> ClientKeysChanged | None:
    """Do the same as :meth:`SQLAlchemyClientKeyUseStore.replace`, in the transaction that changes the client.

    :return: The event, if any key is new or gone.
    """
    rows = connection.execute(_select_uses(table), {"client": client_id})
    known = _read_uses(rows, client_id).keys()
    if gone := known - thumbprints:
        _delete(connection, table, client_id, gone)
    if new := sorted(thumbprints - known):
        connection.execute(insert(table), [_new_row(client_id, thumbprint, now) for thumbprint in new])
    return ClientKeysChanged(client_id, tuple(new), tuple(sorted(gone))) if new or gone else None


def _new_row(client_id: str, thumbprint: str, now: int) -> dict[str, object]:
    return {"client_id": client_id, "thumbprint": thumbprint, "added_at": now, "last_used_at": None}


def _delete(connection: Connection, table: Table, client_id: str, thumbprints: Set[str]) -> int:
    these = (table.c.client_id == client_id) & table.c.thumbprint.in_(sorted(thumbprints))
    return connection.execute(delete(table).where(these)).rowcount


def _select_uses(table: Table) -> Select[Any]:
    columns = table.c
    query = select(columns.client_id, columns.thumbprint, columns.added_at, columns.last_used_at)
    return query.where(columns.client_id == bindparam("client"))


def _read_uses(rows: Iterable[Sequence[Any]], client_id: str) -> dict[str, KeyUse]:
    """What is known about the keys of exactly this client, by thumbprint: MariaDB finds "Client" for "client"."""
    return {row[1]: KeyUse(*row[1:]) for row in rows if row[0] == client_id}


def _build_mark_used(table: Table) -> Update:
    columns = table.c
    is_this_key = (columns.client_id == bindparam("client")) & (columns.thumbprint == bindparam("key"))
    is_due = or_(columns.last_used_at.is_(None), columns.last_used_at <= bindparam("not_after"))
    return update(table).where(is_this_key, is_due).values(last_used_at=bindparam("now"))
