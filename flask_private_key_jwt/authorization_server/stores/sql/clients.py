"""Registered clients in the application's database, and the snapshots of them that a process keeps."""

from collections.abc import Callable

from sqlalchemy import (
    bindparam,
    literal_column,
    select,
)

from ....bounded_cache import BYTES_OF_STRANGERS, BoundedCache, bytes_for_clients
from ....database.database import Database
from ...registered_client import RegisteredClient, is_client_id
from ..tables.all_tables import Tables
from ..tables.client import ClientRow, is_gathered, snapshot
from ..tables.former_columns import check_gathered
from .server_keys import select_key_version

BYTES_OF_PLAIN_CLIENT = 2048
"""Assumed memory of a snapshot besides its keys and its metadata."""
GROWTH = 8
"""Assumed memory of a client's keys and metadata, in bytes for each byte of their JSON."""


class SQLAlchemyClientStore:
    """Finds clients in the application's database; keeps the snapshots of the ones used last.

    :param database: The application's.
    :param tables: The application's tables.
    :param cache_size: Most snapshots to keep.
    :param note_key_version: Called with the version of the server's own keys at every lookup. Every request looks up a
        client, so a retired key is noticed without another statement.
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
        self._table = table = tables.client
        mine = table.c.client_id == bindparam("client_id")
        key_version = select_key_version(tables.server_key).scalar_subquery()
        self._database = database
        self._snapshots = _Snapshots(cache_size, is_vouched_for)
        self._note_key_version = note_key_version
        # enabled too: if an operator disables a client in SQL and leaves its version, that counts at once.
        self._current = select(key_version, table.c.version, table.c.enabled).where(mine)
        # A row even if there is no such client: a client registered by a document needs the keys' version too.
        columns = (table.c[name] for name in ClientRow._fields)
        always = select(literal_column("1").label("row")).subquery("always").outerjoin(table, mine)
        self._whole = select(key_version, *columns).select_from(always)

    @property
    def caches(self) -> tuple[BoundedCache[str, RegisteredClient], ...]:
        """The snapshots that this process keeps."""
        return self._snapshots.caches

    def find(self, client_id: str) -> RegisteredClient | None:
        """See :meth:`.contracts.ClientStore.find`. One SELECT, unless the client has changed."""
        if not is_client_id(client_id):
            return None
        known = self._snapshots.get(client_id)
        if known is not None:
            current = self._database.fetch_directly(self._current, {"client_id": client_id})
            if current is not None and current[1:] == (known.version, known.enabled):
                self._note_key_version(current[0])
                return known
        return self._load(client_id)

    def is_admitted(self, client_id: str) -> bool:
        """See :meth:`.contracts.ClientStore.is_admitted`. One SELECT, unless the client has changed."""
        client = self.find(client_id)
        return client is not None and client.enabled

    def is_taken(self, client_id: str) -> bool:
        """See :meth:`.contracts.ClientStore.is_taken`."""
        return self.find(client_id) is not None

    def confirm(self, client: RegisteredClient) -> None:
        """See :meth:`.contracts.ClientStore.confirm`."""
        self._snapshots.confirm(client)

    def newer(self, client: RegisteredClient) -> None:
        """See :meth:`.contracts.ClientStore.newer`: what :meth:`find` gave is the newest there is."""

    def _load(self, client_id: str) -> RegisteredClient | None:
        row = self._database.fetch_directly(self._whole, {"client_id": client_id})
        assert row is not None
        key_version, *columns = row
        self._note_key_version(key_version)
        # MariaDB finds "Client" for "client".
        if columns[0] != client_id:
            self._snapshots.drop(client_id)
            return None
        found = ClientRow(*columns)
        if not is_gathered(found.client_metadata):
            check_gathered(self._database, self._table)
        return self._snapshots.add(snapshot(found), weight=_weigh(found))


class _Snapshots:
    """The snapshots used last, by client_id: the operator's clients apart from all others; safe for threads.

    The others are kept only after they have authenticated. So unsigned assertions can neither fill the memory nor push
    out snapshots that are in use. Public clients never prove anything, so they have a smaller cache of their own.
    """

    def __init__(self, size: int, is_vouched_for: Callable[[RegisteredClient], bool]) -> None:
        self._is_vouched_for = is_vouched_for
        self._vouched = _cache_of_clients(size, bytes_for_clients(size))
        self._proven = _cache_of_clients(size, BYTES_OF_STRANGERS)
        self._public = _cache_of_clients(size, BYTES_OF_STRANGERS // 4)

    @property
    def caches(self) -> tuple[BoundedCache[str, RegisteredClient], ...]:
        return self._vouched, self._proven, self._public

    def get(self, client_id: str) -> RegisteredClient | None:
        return self._vouched.get(client_id) or self._proven.get(client_id) or self._public.get(client_id)

    def add(self, client: RegisteredClient, *, weight: int) -> RegisteredClient:
        """Keep *client* if it is the operator's; in any case an older snapshot of it is dropped."""
        if self._is_vouched_for(client):
            return self._keep(self._vouched, client, weight=weight)
        self.drop(client.client_id)
        return client

    def confirm(self, client: RegisteredClient) -> None:
        """Keep *client*: it has proved who it is, or is a public client, which cannot."""
        if not self._is_vouched_for(client):
            self._keep(self._public if client.is_public else self._proven, client)

    def drop(self, client_id: str) -> None:
        for cache in self.caches:
            cache.drop(client_id)

    def _keep(
        self, cache: BoundedCache[str, RegisteredClient], client: RegisteredClient, *, weight: int | None = None
    ) -> RegisteredClient:
        """Keep *client*, or return the equal one that another thread kept first, because callers cache by identity."""
        wanted = (client.version, client.enabled)
        return cache.keep(
            client.client_id, client, equals=lambda kept: (kept.version, kept.enabled) == wanted, weight=weight
        )


def _weigh(row: ClientRow) -> int:
    """The size of a snapshot of the operator's, estimated: to measure it takes as long as a signature."""
    return BYTES_OF_PLAIN_CLIENT + len(row.client_id) + GROWTH * (len(row.jwks or "") + len(row.client_metadata))


def _cache_of_clients(size: int, max_bytes: int) -> BoundedCache[str, RegisteredClient]:
    return BoundedCache(max_entries=size, max_bytes=max_bytes)
