"""The stores in an SQL database: used marks, registered clients, the server's own keys.

Written for SQLite, PostgreSQL and MariaDB or MySQL. Every step is one short transaction on a connection
of its own, never ``db.session``: a rollback in the application cannot bring a used ``jti`` back.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from typing import Self

from sqlalchemy import (
    MetaData,
    Select,
    Table,
    bindparam,
    delete,
    func,
    insert,
    inspect,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql import Insert

from .. import clock
from ..bounded_cache import BYTES_OF_STRANGERS, BoundedCache, bytes_for_clients
from ..errors import StoreUnavailable
from ..registered_client import RegisteredClient, is_client_id
from .base import BATCH_ROWS, KEEP_ENDED_SECONDS, Mark, Replayed, Rest, StoredKey, build_digests, no_rest
from .driver import Database
from .engine import open_engine
from .models import ClientRow, Tables, build_replay_table, snapshot
from .purging import delete_in_batches

_ATTEMPTS = 3


class SQLAlchemyReplayStore:
    """Remembers marks in one table, for all processes that share the database.

    :param database: Where it remembers them.
    :param table: The application's own table of marks; when absent, the store makes a table of its own.
    """

    def __init__(self, database: Database, table: Table | None = None) -> None:
        self._database = database
        self._table = build_replay_table(MetaData()) if table is None else table
        self._table_exists = table is not None  # the application's own is made by its migrations
        self._inserts: dict[int, Insert] = {}

    @classmethod
    def from_url(cls, url: str) -> Self:
        """A store with a database of its own; its table is made at first use, when it is missing.

        :raises ConfigurationError: The URL does not name a database that processes and threads can share.
        """
        engine = open_engine(url)
        return cls(Database(lambda: engine))

    def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.base.ReplayStore.remember`."""
        if not marks:
            return
        self._ensure_table()
        digests = build_digests(marks)
        # Sorted: two requests with the same marks wait for each other instead of locking each other out.
        rows: list[tuple[bytes, int]] = sorted(
            (digest, mark.until) for digest, mark in zip(digests, marks, strict=True)
        )
        values: dict[str, object] = {}
        for number, (digest, until) in enumerate(rows):
            values[f"digest_{number}"] = digest
            values[f"until_{number}"] = until
        statement = self._insert(len(rows))
        for _ in range(_ATTEMPTS):
            if self._database.insert(statement, values):
                return
            self._make_room(marks, digests)
        raise StoreUnavailable("database: the replay table refuses a row that is not there")

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """See :meth:`.base.ReplayStore.purge`."""
        self._ensure_table()
        ended = self._table.c.expires_at < clock.now() - KEEP_ENDED_SECONDS
        return delete_in_batches(self._database, self._table, ended, batch=batch, rest=rest)

    def close(self) -> None:
        """Close the connections of an engine made by :meth:`from_url`."""
        self._database.engine.dispose()

    def _insert(self, count: int) -> Insert:
        if count not in self._inserts:
            rows: list[dict[str, object]] = [
                {"digest": bindparam(f"digest_{number}"), "expires_at": bindparam(f"until_{number}")}
                for number in range(count)
            ]
            self._inserts[count] = insert(self._table).values(rows)
        return self._inserts[count]

    def _make_room(self, marks: Sequence[Mark], digests: Sequence[bytes]) -> None:
        """After a refused INSERT: name the mark that is there, or delete what has expired.

        :raises Replayed: One of *marks* is there and has not expired.
        """
        now, table = clock.now(), self._table
        ours = or_(*(table.c.digest == digest for digest in digests))
        with self._database.begin() as connection:
            there = set(connection.scalars(select(table.c.digest).where(ours, table.c.expires_at >= now)))
        for mark, digest in zip(marks, digests, strict=True):
            if digest in there:
                raise Replayed(mark)
        with self._database.begin() as connection:
            connection.execute(delete(table).where(ours, table.c.expires_at < now))

    def _ensure_table(self) -> None:
        """Make the table of a database of our own; of several processes that try at once, one may."""
        if self._table_exists:
            return
        try:
            with self._database.begin() as connection:
                if not inspect(connection).has_table(self._table.name):
                    connection.execute(CreateTable(self._table))
        except StoreUnavailable:
            with self._database.begin() as connection:
                if not inspect(connection).has_table(self._table.name):
                    raise
        self._table_exists = True


class SQLAlchemyClientStore:
    """Finds clients in the application's database; keeps the snapshots of the ones used last.

    :param database: The application's.
    :param tables: The application's tables.
    :param cache_size: Most snapshots to keep.
    :param note_key_version: Told with every answer which version the server's own keys have: every request asks for
        a client, so a key that was retired is noticed without a further statement.
    :param is_vouched_for: Whether the operator stands behind a client.
    """

    def __init__(
        self,
        database: Database,
        tables: Tables,
        cache_size: int,
        *,
        note_key_version: Callable[[int], None] = lambda _: None,
        is_vouched_for: Callable[[RegisteredClient], bool] = lambda client: client.registered_by == "operator",
    ) -> None:
        table = tables.client
        mine = table.c.client_id == bindparam("client_id")
        key_version = select_key_version(tables.server_key).scalar_subquery()
        self._database = database
        self._snapshots = _Snapshots(cache_size, is_vouched_for)
        self._note_key_version = note_key_version
        # enabled, too: disabling a client by hand, in SQL, counts at once even though it leaves the version.
        self._current = select(key_version, table.c.version, table.c.enabled).where(mine)
        # A row even where there is no such client: who is a document has asked for the version of the keys as well.
        columns = (table.c[name] for name in ClientRow._fields)
        always = select(literal_column("1").label("row")).subquery("always").outerjoin(table, mine)
        self._whole = select(key_version, *columns).select_from(always)

    def find(self, client_id: str) -> RegisteredClient | None:
        """See :meth:`.base.ClientStore.find`. One SELECT, unless the client has changed."""
        if not is_client_id(client_id):
            return None
        known = self._snapshots.get(client_id)
        if known is not None:
            current = self._database.fetch(self._current, {"client_id": client_id})
            if current is not None and current[1:] == (known.version, known.enabled):
                self._note_key_version(current[0])
                return known
        return self._load(client_id)

    def is_admitted(self, client_id: str) -> bool:
        """See :meth:`.base.ClientStore.is_admitted`. One SELECT, unless the client has changed."""
        client = self.find(client_id)
        return client is not None and client.enabled

    def confirm(self, client: RegisteredClient) -> None:
        """See :meth:`.base.ClientStore.confirm`."""
        self._snapshots.confirm(client)

    def newer(self, client: RegisteredClient) -> None:
        """See :meth:`.base.ClientStore.newer`: what :meth:`find` gave is the newest there is."""

    def _load(self, client_id: str) -> RegisteredClient | None:
        row = self._database.fetch(self._whole, {"client_id": client_id})
        assert row is not None
        key_version, *columns = row
        self._note_key_version(key_version)
        # MariaDB finds "Client" for "client".
        if columns[0] != client_id:
            self._snapshots.drop(client_id)
            return None
        return self._snapshots.add(snapshot(ClientRow(*columns)))


class _Snapshots:
    """The snapshots used last, by client_id: the operator's clients apart from all others; safe for threads.

    The others are kept once they have authenticated, so that assertions nobody signed neither fill the memory nor push
    out what is in use. A public client never proves anything: those share a place of their own.
    """

    def __init__(self, size: int, is_vouched_for: Callable[[RegisteredClient], bool]) -> None:
        self._is_vouched_for = is_vouched_for
        self._vouched = _cache_of_clients(size, bytes_for_clients(size))
        self._proven = _cache_of_clients(size, BYTES_OF_STRANGERS)
        self._public = _cache_of_clients(size, BYTES_OF_STRANGERS // 4)

    def get(self, client_id: str) -> RegisteredClient | None:
        return self._vouched.get(client_id) or self._proven.get(client_id) or self._public.get(client_id)

    def add(self, client: RegisteredClient) -> RegisteredClient:
        """Keep *client* if it is the operator's; its predecessor is kept no longer in any case."""
        if self._is_vouched_for(client):
            return self._keep(self._vouched, client)
        self.drop(client.client_id)
        return client

    def confirm(self, client: RegisteredClient) -> None:
        """Keep *client*: it has proved who it is, or cannot."""
        if not self._is_vouched_for(client):
            self._keep(self._public if client.is_public else self._proven, client)

    def drop(self, client_id: str) -> None:
        for cache in (self._vouched, self._proven, self._public):
            cache.drop(client_id)

    def _keep(self, cache: BoundedCache[str, RegisteredClient], client: RegisteredClient) -> RegisteredClient:
        """Keep *client*, or give the equal one that another thread kept first: callers cache by identity."""
        wanted = (client.version, client.enabled)
        return cache.keep(client.client_id, client, equals=lambda kept: (kept.version, kept.enabled) == wanted)


def _cache_of_clients(size: int, max_bytes: int) -> BoundedCache[str, RegisteredClient]:
    return BoundedCache(max_entries=size, max_bytes=max_bytes)


class SQLAlchemyServerKeyStore:
    """Keeps the server's own signing keys in the application's database.

    :param database: The application's.
    :param tables: The application's tables.
    """

    def __init__(self, database: Database, tables: Tables) -> None:
        self._database = database
        self._table = tables.server_key
        self._insert = insert(self._table)
        self._version = select_key_version(self._table)

    def load(self) -> Sequence[StoredKey]:
        """See :meth:`.base.ServerKeyStore.load`."""
        columns = (self._table.c[field.name] for field in fields(StoredKey))
        with self._database.begin() as connection:
            rows = connection.execute(select(*columns).order_by(self._table.c.slot)).all()
        return [StoredKey(*row) for row in rows]

    def find_version(self) -> int:
        """See :meth:`.base.ServerKeyStore.find_version`. One SELECT."""
        row = self._database.fetch(self._version, {})
        assert row is not None
        return int(row[0])

    def add(self, key: StoredKey) -> bool:
        """See :meth:`.base.ServerKeyStore.add`."""
        if self._database.insert(self._insert, {**asdict(key), "version": _new_version()}):
            return True
        if any(other.slot == key.slot for other in self.load()):
            return False
        raise StoreUnavailable("database: a constraint refuses the server key")

    def change(self, key: StoredKey) -> None:
        """See :meth:`.base.ServerKeyStore.change`."""
        values = {
            "signs_from": key.signs_from,
            "retired_at": key.retired_at,
            "encrypted_private_jwk": key.encrypted_private_jwk,
            "version": _new_version(),
        }
        with self._database.begin() as connection:
            connection.execute(update(self._table).where(self._table.c.slot == key.slot).values(values))

    def remove(self, slot: int) -> None:
        """See :meth:`.base.ServerKeyStore.remove`."""
        with self._database.begin() as connection:
            connection.execute(delete(self._table).where(self._table.c.slot == slot))


def select_key_version(table: Table) -> Select[tuple[int]]:
    """The statement that reads :func:`.base.sum_versions` from ``oauth2_server_key``."""
    return select(func.coalesce(func.sum(table.c.version), literal_column("0")))


def _new_version() -> int:
    # Random, so that changes at the same moment need no lock to give another sum. 48 bits: the sum stays within 64.
    return secrets.randbelow(2**48)
