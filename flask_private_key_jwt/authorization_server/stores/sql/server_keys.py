"""Keeps the server's own signing keys in the application's database."""

import secrets
from collections.abc import Sequence
from dataclasses import asdict, fields

from sqlalchemy import (
    Select,
    Table,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)

from ....database.database import Database
from ....errors import StoreUnavailable
from ....signals.events import KeyChange, SigningKeyChanged
from ..contracts import StoredKey
from ..tables.all_tables import Tables
from .recorder import Recorder


class SQLAlchemyServerKeyStore:
    """Keeps the server's own signing keys in the application's database.

    :param database: The application's.
    :param tables: The application's tables.
    :param recorder: Writes the keys, with their events; without one nobody is told of them.
    """

    def __init__(self, database: Database, tables: Tables, recorder: Recorder | None = None) -> None:
        self._database = database
        self._recorder = recorder or Recorder(database)
        self._table = tables.server_key
        self._insert = insert(self._table)
        self._version = select_key_version(self._table)

    def load(self) -> Sequence[StoredKey]:
        """See :meth:`.contracts.ServerKeyStore.load`."""
        columns = (self._table.c[field.name] for field in fields(StoredKey))
        with self._database.begin() as connection:
            rows = connection.execute(select(*columns).order_by(self._table.c.slot)).all()
        return [StoredKey(*row) for row in rows]

    def find_version(self) -> int:
        """See :meth:`.contracts.ServerKeyStore.find_version`. One SELECT."""
        row = self._database.fetch(self._version, {})
        assert row is not None
        return int(row[0])

    def add(self, key: StoredKey) -> bool:
        """See :meth:`.contracts.ServerKeyStore.add`."""
        if self._recorder.insert(self._insert, {**asdict(key), "version": _new_version()}, _describe(key, "made")):
            return True
        if any(other.slot == key.slot for other in self.load()):
            return False
        raise StoreUnavailable("database: a constraint refuses the server key", cause="database_constraint")

    def change(self, key: StoredKey, what: KeyChange) -> None:
        """See :meth:`.contracts.ServerKeyStore.change`."""
        values = {
            "signs_from": key.signs_from,
            "retired_at": key.retired_at,
            "encrypted_private_jwk": key.encrypted_private_jwk,
            "version": _new_version(),
        }
        with self._recorder.begin() as change:
            statement = update(self._table).where(self._table.c.slot == key.slot).values(values)
            if change.connection.execute(statement).rowcount:
                change.note(_describe(key, what))

    def remove(self, key: StoredKey) -> None:
        """See :meth:`.contracts.ServerKeyStore.remove`."""
        with self._recorder.begin() as change:
            if change.connection.execute(delete(self._table).where(self._table.c.slot == key.slot)).rowcount:
                change.note(_describe(key, "removed"))


def select_key_version(table: Table) -> Select[tuple[int]]:
    """The statement that reads :func:`.contracts.sum_versions` from ``oauth2_server_key``."""
    return select(func.coalesce(func.sum(table.c.version), literal_column("0")))


def _new_version() -> int:
    # Random, so that two changes at the same time change the sum without a lock. 48 bits, so that the sum fits in 64.
    return secrets.randbelow(2**48)


def _describe(key: StoredKey, what: KeyChange) -> SigningKeyChanged:
    return SigningKeyChanged(key.kid, key.alg, what, key.signs_from)
