"""The registrations of clients, in the application's database. Requests for tokens read them in ``clients.py``."""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from .... import clock
from ....database.database import Database
from ....errors import StoreUnavailable
from ....signals.events import Actor, ClientChanged, ClientKeysChanged, ClientRegistered, ClientRemoved, Event
from ...client_members import describe_members
from ...registered_client import MEMBERS, RegisteredClient
from ..contracts import DocumentKey, kind_of_key_set
from ..tables.all_tables import Tables
from ..tables.client import ClientRow, build_columns, is_gathered, snapshot
from ..tables.former_columns import check_gathered
from .client_key_use import replace_key_uses
from .client_secrets import forget_secrets
from .documents import find_last_claim, release_document
from .recorder import Recorder
from .refresh_tokens import forget_client


@dataclass(frozen=True, slots=True)
class Registration:
    """A client, and what else the database has about its registration."""

    client: RegisteredClient
    created_at: int
    """In seconds since the epoch: ``client_id_issued_at`` (RFC 7591 §3.2.1)."""
    access_token_digest: bytes | None = field(repr=False)
    """SHA-256 of the client's registration access token (RFC 7592 §3); ``None``: it has none."""


class ClientIdTaken(Exception):
    """A client with this ``client_id`` is registered already."""


class SQLAlchemyRegistrations:
    """Adds, changes and deletes clients. Every step is one short transaction, and counts at once on every worker.

    :param database: The application's.
    :param tables: The application's tables.
    :param find_thumbprints: Returns the thumbprints of the keys in a client's ``jwks``; their times are recorded too.
    :param is_vouched_for: Whether the operator stands behind a client.
    :param recorder: Opens the transactions; without one nobody is told of a change.
    """

    def __init__(
        self,
        database: Database,
        tables: Tables,
        *,
        find_thumbprints: Callable[[RegisteredClient], Set[str]],
        is_vouched_for: Callable[[RegisteredClient], bool],
        recorder: Recorder | None = None,
    ) -> None:
        self._database = database
        self._recorder = recorder or Recorder(database)
        self._keys = tables.client_key
        self._secrets = tables.client_secret
        self._find_thumbprints = find_thumbprints
        self._is_vouched_for = is_vouched_for
        self._table = table = tables.client
        self._documents = tables.fetched_document
        self._granted = tables.granted
        snapshot_columns = [table.c[name] for name in ClientRow._fields]
        self._select = select(*snapshot_columns, table.c.created_at, table.c.registration_access_token_digest)

    def find(self, client_id: str) -> Registration | None:
        """The registration of exactly this *client_id*.

        :raises StoreUnavailable: The database did not answer.
        """
        with self._database.begin() as connection:
            rows = connection.execute(self._select.where(self._table.c.client_id == client_id)).all()
        for row in rows:
            if row.client_id == client_id:  # MariaDB folds case
                return self._read(tuple(row))
        return None

    def all(self) -> list[Registration]:
        """Every registration, by ``client_id``.

        :raises StoreUnavailable: The database did not answer.
        """
        with self._database.begin() as connection:
            rows = connection.execute(self._select.order_by(self._table.c.client_id)).all()
        return [self._read(tuple(row)) for row in rows]

    def add(
        self,
        client: RegisteredClient,
        *,
        access_token_digest: bytes | None = None,
        spend: Callable[[Connection], None] = lambda _connection: None,
    ) -> Registration:
        """Save a new client.

        :param access_token_digest: SHA-256 of its registration access token, if it has one.
        :param spend: Called first, in the same transaction: if it raises, or the client is refused, both are undone.
        :raises ClientIdTaken: A client has this ``client_id`` already.
        :raises StoreUnavailable: The database did not answer.
        """
        now = clock.now()
        row = {**build_columns(client), "version": client.version, "created_at": now, "updated_at": now}
        row["registration_access_token_digest"] = access_token_digest
        try:
            with self._recorder.begin() as change:
                spend(change.connection)
                self._insert(change.connection, row)
                forget_secrets(change.connection, self._secrets, [client.client_id])
                change.note(
                    ClientRegistered(client.client_id, "client" if client.registered_by == "client" else "operator")
                )
                change.note(self._record_keys(change.connection, client, now=now))
        except ClientIdTaken:
            check_gathered(self._database, self._table)  # the cause may also be a former column that may not be NULL
            if self.find(client.client_id) is None:
                raise StoreUnavailable(
                    "database: a constraint of the client table refuses the client; docs/upgrading.md has the new ones",
                    cause="database_constraint",
                ) from None
            raise
        return Registration(client, now, access_token_digest)

    def replace(
        self,
        before: RegisteredClient,
        after: RegisteredClient,
        *,
        by: Actor,
        keep: Collection[str] = (),
        renew_keys: bool = False,
        at_once: bool = False,
    ) -> bool:
        """Replace *before* with *after*, in one UPDATE; ``False`` if the client has changed meanwhile.

        :param by: Who changes it.
        :param keep: Columns that stay as they are.
        :param renew_keys: Use no key set fetched from the ``jwks_uri`` before now, even if the URL is the same.
        :param at_once: Also end the cool-down of the ``jwks_uri``; only for changes by the operator.
        :raises StoreUnavailable: The database did not answer.
        """
        kept = _with_unknown_members(after, before)
        row = {name: value for name, value in build_columns(kept).items() if name not in keep}
        now = clock.now()
        statement = update(self._table).where(self._is_still(before))
        with self._recorder.begin() as change:
            connection = change.connection
            if after.jwks_uri is not None and (renew_keys or after.jwks_uri != before.jwks_uri):
                row |= self._renew_keys(connection, after, now=now, at_once=at_once)
            changed = connection.execute(statement.values(**row, version=after.version, updated_at=now)).rowcount == 1
            if changed:
                change.note(_describe_change(before, after, by=by))
                change.note(self._record_keys(connection, after, now=now))
        return changed

    def set_access_token(self, before: RegisteredClient, digest: bytes, *, version: str) -> bool:
        """Give the client a new registration access token; ``False`` if the client has changed meanwhile.

        :param digest: SHA-256 of the token.
        :param version: The client's new version.
        :raises StoreUnavailable: The database did not answer.
        """
        changed = {"registration_access_token_digest": digest, "version": version, "updated_at": clock.now()}
        with self._recorder.begin() as change:
            statement = update(self._table).where(self._is_still(before)).values(changed)
            if change.connection.execute(statement).rowcount != 1:
                return False
            members = ("registration_access_token",)
            change.note(ClientChanged(before.client_id, "operator", members, enabled=before.enabled))
        return True

    def disable(self, client: RegisteredClient, *, version: str) -> None:
        """Stop a client from authenticating, also if its registration has changed meanwhile.

        :param version: The client's new version.
        :raises StoreUnavailable: The database did not answer.
        """
        disabled = {"enabled": False, "version": version, "updated_at": clock.now()}
        its_own = self._table.c.client_id == client.client_id
        with self._recorder.begin() as change:
            if change.connection.execute(update(self._table).where(its_own).values(disabled)).rowcount:
                change.note(ClientChanged(client.client_id, "operator", ("enabled",), enabled=False))

    def refetch_keys(self, client: RegisteredClient, *, version: str) -> None:
        """Stop using the key sets fetched from the client's ``jwks_uri``; its next request fetches a new one.

        The fetched set stays for other clients that name the same URL.

        :param version: The client's new version; it tells every worker.
        :raises StoreUnavailable: The database did not answer.
        """
        if client.jwks_uri is None:
            return
        now, its_own = clock.now(), self._table.c.client_id == client.client_id
        with self._recorder.begin() as change:
            row = self._renew_keys(change.connection, client, now=now, at_once=True)
            statement = update(self._table).where(its_own).values(**row, version=version, updated_at=now)
            if change.connection.execute(statement).rowcount:
                change.note(ClientChanged(client.client_id, "operator", tuple(row), enabled=client.enabled))

    def remove(self, before: RegisteredClient, *, until: int, by: Actor) -> bool:
        """Delete a client, and everything that people allowed it; ``False`` if it has changed meanwhile.

        :param until: When the client's last token has expired by itself, in seconds since the epoch.
        :param by: Who deletes it.
        :raises StoreUnavailable: The database did not answer.
        """
        with self._recorder.begin() as change:
            connection = change.connection
            removed = connection.execute(delete(self._table).where(self._is_still(before))).rowcount == 1
            if removed:
                change.note(ClientRemoved(before.client_id, by))
                replace_key_uses(connection, self._keys, before.client_id, frozenset(), now=clock.now())
                forget_secrets(connection, self._secrets, [before.client_id])
                forget_client(connection, self._granted, before.client_id, until=until)
        return removed

    def _insert(self, connection: Connection, row: Mapping[str, Any]) -> None:
        try:
            connection.execute(insert(self._table), row)
        except IntegrityError:
            raise ClientIdTaken(row["client_id"]) from None

    def _is_still(self, before: RegisteredClient) -> ColumnElement[bool]:
        """Whether the row still has the version of *before*."""
        return (self._table.c.client_id == before.client_id) & (self._table.c.version == before.version)

    def _renew_keys(
        self, connection: Connection, client: RegisteredClient, *, now: int, at_once: bool
    ) -> dict[str, int]:
        """The column that makes *client* ignore every key set whose fetch has been claimed until now.

        A worker's clock may be ahead, so the time is at least that of the last claim in the database.
        """
        assert client.jwks_uri is not None
        key = DocumentKey(kind_of_key_set(is_vouched_for=self._is_vouched_for(client)), client.jwks_uri)
        last_claim = find_last_claim(connection, self._documents, key)
        if at_once:
            connection.execute(release_document(self._documents, key, now=now))
        return {"jwks_not_before": max(now, last_claim, client.jwks_not_before)}

    def _record_keys(self, connection: Connection, client: RegisteredClient, *, now: int) -> ClientKeysChanged | None:
        """Record the keys of a ``jwks``; the event if there are others. Keys at a ``jwks_uri`` are recorded when they
        sign."""
        if client.jwks is None:
            return None
        return replace_key_uses(connection, self._keys, client.client_id, self._find_thumbprints(client), now=now)

    def _read(self, row: tuple[Any, ...]) -> Registration:
        *columns, created_at, digest = row
        found = ClientRow(*columns)
        if not is_gathered(found.client_metadata):
            check_gathered(self._database, self._table)
        return Registration(snapshot(found), created_at, digest)


def _with_unknown_members(after: RegisteredClient, before: RegisteredClient) -> RegisteredClient:
    """*after* with the members that only a later version knows, whose workers share the database during an upgrade."""
    unknown = {name: value for name, value in before.metadata.items() if name not in MEMBERS}
    return dataclasses.replace(after, metadata={**unknown, **after.metadata}) if unknown else after


def _describe_change(before: RegisteredClient, after: RegisteredClient, *, by: Actor) -> Event | None:
    """The event of a changed registration; ``None`` if nothing has changed but its version."""
    old, new = (describe_members(MEMBERS, client, for_people=True) for client in (before, after))
    changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    if before.registered_by != after.registered_by:
        changed.add("registered_by")
    return ClientChanged(after.client_id, by, tuple(sorted(changed)), enabled=after.enabled) if changed else None
