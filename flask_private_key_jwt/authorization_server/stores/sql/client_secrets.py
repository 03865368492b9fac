"""Keeps the secrets that the operator gave to clients, in the application's database."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, bindparam, delete, insert, or_, select, true, update

from .... import clock
from ....database.batches import BATCH_ROWS, KEEP_ENDED_SECONDS, Rest, no_rest
from ....database.database import Database
from ....database.purging import delete_in_batches
from ....signals.events import ClientSecretsChanged
from ..contracts import StoredClientSecret
from ..tables.all_tables import Tables
from .recorder import Recorder


class SQLAlchemyClientSecretStore:
    """One row for each secret.

    :param database: The application's.
    :param tables: The application's tables.
    :param recorder: Opens the transactions; without one nobody is told of a change.
    """

    def __init__(self, database: Database, tables: Tables, recorder: Recorder | None = None) -> None:
        self._database = database
        self._recorder = recorder or Recorder(database)
        self._table = table = tables.client_secret
        columns = table.c
        its_own = (columns.client_id == bindparam("client")) & (columns.name == bindparam("secret"))
        is_due = or_(columns.last_used_at.is_(None), columns.last_used_at <= bindparam("not_after"))
        self._of_client = _select(table).where(columns.client_id == bindparam("client"))
        self._mark_used = update(table).where(its_own, is_due).values(last_used_at=bindparam("now"))
        self._keep_anew = (
            update(table).where(its_own, columns.kept == bindparam("before")).values(kept=bindparam("after"))
        )

    def load(self, client_id: str) -> Sequence[StoredClientSecret]:
        """See :meth:`.contracts.ClientSecretStore.load`. One SELECT."""
        rows = (StoredClientSecret(*row) for row in self._database.fetch_all(self._of_client, {"client": client_id}))
        return [row for row in rows if row.client_id == client_id]  # MariaDB finds "Client" for "client"

    def all(self) -> Sequence[StoredClientSecret]:
        """See :meth:`.contracts.ClientSecretStore.all`."""
        return [StoredClientSecret(*row) for row in self._database.fetch_all(_select(self._table), {})]

    def add(self, secret: StoredClientSecret, *, others_end_at: int | None = None) -> None:
        """See :meth:`.contracts.ClientSecretStore.add`."""
        columns, client_id = self._table.c, secret.client_id
        with self._recorder.begin() as change:
            others: tuple[str, ...] = ()
            if others_end_at is not None:
                end_later = or_(columns.expires_at.is_(None), columns.expires_at > others_end_at)
                others = self._find(change.connection, client_id, (columns.method == secret.method) & end_later)
                these = update(self._table).where(self._these(client_id, others))
                change.connection.execute(these.values(expires_at=others_end_at))
            change.connection.execute(insert(self._table), asdict(secret))
            ends_at = others_end_at if others else None
            change.note(ClientSecretsChanged(client_id, (secret.name,), ended=others, removed=(), ends_at=ends_at))

    def end(self, client_id: str, name: str | None, *, expires_at: int | None) -> int:
        """See :meth:`.contracts.ClientSecretStore.end`."""
        with self._recorder.begin() as change:
            names = self._find(change.connection, client_id, self._is_meant(name))
            these = update(self._table).where(self._these(client_id, names))
            if count := change.connection.execute(these.values(expires_at=expires_at)).rowcount:
                change.note(ClientSecretsChanged(client_id, (), ended=names, removed=(), ends_at=expires_at))
        return count

    def remove(self, client_id: str, name: str | None) -> int:
        """See :meth:`.contracts.ClientSecretStore.remove`."""
        with self._recorder.begin() as change:
            names = self._find(change.connection, client_id, self._is_meant(name))
            if count := change.connection.execute(delete(self._table).where(self._these(client_id, names))).rowcount:
                change.note(ClientSecretsChanged(client_id, (), ended=(), removed=names, ends_at=None))
        return count

    def mark_used(self, secret: StoredClientSecret, *, now: int, not_after: int) -> bool:
        """See :meth:`.contracts.ClientSecretStore.mark_used`."""
        values = {"client": secret.client_id, "secret": secret.name, "now": now, "not_after": not_after}
        return self._database.update(self._mark_used, values) == 1

    def keep_anew(self, secret: StoredClientSecret, kept: str) -> None:
        """See :meth:`.contracts.ClientSecretStore.keep_anew`."""
        values = {"client": secret.client_id, "secret": secret.name, "before": secret.kept, "after": kept}
        self._database.update(self._keep_anew, values)

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Delete the secrets whose own date was over an hour ago; return how many.

        :raises StoreUnavailable: The database did not answer.
        """
        ended = self._table.c.expires_at <= clock.now() - KEEP_ENDED_SECONDS
        return delete_in_batches(self._database, self._table, ended, batch=batch, rest=rest)

    def _is_meant(self, name: str | None) -> ColumnElement[bool]:
        return true() if name is None else self._table.c.name == name

    def _find(self, connection: Connection, client_id: str, wanted: ColumnElement[bool]) -> tuple[str, ...]:
        """The sorted names of the client's secrets that are *wanted*; until the end of the transaction they stay so."""
        columns = self._table.c
        query = select(columns.client_id, columns.name).where(columns.client_id == client_id, wanted)
        rows = connection.execute(query.order_by(columns.name).with_for_update()).all()
        return tuple(row.name for row in rows if row.client_id == client_id)  # MariaDB finds "Client" for "client"

    def _these(self, client_id: str, names: Sequence[str]) -> ColumnElement[bool]:
        return (self._table.c.client_id == client_id) & self._table.c.name.in_(names)


def forget_secrets(connection: Connection, table: Table, client_ids: Sequence[str]) -> None:
    """Delete the secrets of these clients, in the transaction that removes or adds a client.

    Whoever is registered under a name that was free before must not find the secret of somebody else there.
    """
    connection.execute(delete(table).where(table.c.client_id.in_(client_ids)))


def _select(table: Table) -> Select[Any]:
    columns = table.c
    wanted = select(*(columns[field.name] for field in fields(StoredClientSecret)))
    return wanted.order_by(columns.client_id, columns.created_at, columns.name)
