"""When each key of a client came and when it last signed something, in the application's database."""

from collections.abc import Mapping, Set

from sqlalchemy import Connection, Table, delete, func, insert, or_, select, update

from .base import KeyUse
from .driver import Database
from .models import Tables


class SQLAlchemyClientKeyUseStore:
    """Keeps one row for each key of each client.

    :param database: The application's.
    :param tables: The application's tables.
    """

    def __init__(self, database: Database, tables: Tables) -> None:
        self._database = database
        self._table = tables.client_key
        self._clients = tables.client
        self._insert = insert(self._table)

    def load(self, client_id: str) -> Mapping[str, KeyUse]:
        """See :meth:`.base.ClientKeyUseStore.load`."""
        with self._database.begin() as connection:
            return load_key_uses(connection, self._table, client_id)

    def replace(self, client_id: str, thumbprints: Set[str], *, now: int) -> None:
        """See :meth:`.base.ClientKeyUseStore.replace`. Short transactions: nobody waits for more than one row."""
        known = self.load(client_id).keys()
        for thumbprint in sorted(thumbprints - known):
            # False where another worker was faster: the row is there, which is all that matters.
            self._database.insert(self._insert, _new_row(client_id, thumbprint, now))
        if gone := known - thumbprints:
            with self._database.begin() as connection:
                _delete(connection, self._table, client_id, gone)

    def mark_used(self, client_id: str, thumbprint: str, *, now: int, not_after: int) -> bool:
        """See :meth:`.base.ClientKeyUseStore.mark_used`."""
        columns = self._table.c
        is_this_key = (columns.client_id == client_id) & (columns.thumbprint == thumbprint)
        is_due = or_(columns.last_used_at.is_(None), columns.last_used_at <= not_after)
        change = update(self._table).where(is_this_key, is_due).values(last_used_at=now)
        with self._database.begin() as connection:
            return connection.execute(change).rowcount == 1

    def purge(self, *, not_after: int) -> int:
        """See :meth:`.base.ClientKeyUseStore.purge`."""
        columns = self._table.c
        is_registered = columns.client_id.in_(select(self._clients.c.client_id))
        is_old = func.coalesce(columns.last_used_at, columns.added_at) <= not_after
        with self._database.begin() as connection:
            return connection.execute(delete(self._table).where(~is_registered, is_old)).rowcount


def load_key_uses(connection: Connection, table: Table, client_id: str) -> dict[str, KeyUse]:
    """What is known of the keys of exactly this client, by thumbprint."""
    columns = table.c
    query = select(columns.client_id, columns.thumbprint, columns.added_at, columns.last_used_at)
    rows = connection.execute(query.where(columns.client_id == client_id))
    # MariaDB finds "Client" for "client".
    return {row.thumbprint: KeyUse(*row[1:]) for row in rows if row.client_id == client_id}


def replace_key_uses(connection: Connection, table: Table, client_id: str, thumbprints: Set[str], *, now: int) -> None:
    """What :meth:`SQLAlchemyClientKeyUseStore.replace` does, as part of the transaction that changes the client."""
    known = load_key_uses(connection, table, client_id).keys()
    if gone := known - thumbprints:
        _delete(connection, table, client_id, gone)
    if new := sorted(thumbprints - known):
        connection.execute(insert(table), [_new_row(client_id, thumbprint, now) for thumbprint in new])


def _new_row(client_id: str, thumbprint: str, now: int) -> dict[str, object]:
    return {"client_id": client_id, "thumbprint": thumbprint, "added_at": now, "last_used_at": None}


def _delete(connection: Connection, table: Table, client_id: str, thumbprints: Set[str]) -> None:
    these = (table.c.client_id == client_id) & table.c.thumbprint.in_(sorted(thumbprints))
    connection.execute(delete(table).where(these))
