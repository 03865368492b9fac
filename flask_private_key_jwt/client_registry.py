"""The clients of one app: add, change, disable, remove. A change is one transaction and counts at once, everywhere."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from . import clock
from .errors import InvalidClientMetadata
from .registered_client import RegisteredClient
from .registration import build_client, describe_client
from .settings import ServerSettings
from .stores.driver import Database
from .stores.models import ClientRow, Tables, build_columns, snapshot

_TRIES = 5


class UnknownClient(LookupError):
    """No client of this id is registered."""


class ClientRegistry:
    """Registers clients in the app's database; ``oauth.clients``.

    Metadata is a mapping in the words of RFC 7591 §2, with the operator's own members: ``client_id`` (made when
    absent), ``default_scope``, ``assertion_audience`` (``issuer`` or ``compatibility``), ``owner`` and ``enabled``.
    """

    def __init__(
        self,
        settings: ServerSettings,
        database: Database,
        tables: Tables,
        *,
        grant_types: Callable[[], Sequence[str]],
    ) -> None:
        self._settings = settings
        self._database = database
        self._table = tables.client
        self._columns = [tables.client.c[name] for name in ClientRow._fields]
        self._grant_types = grant_types

    def add(self, metadata: Mapping[str, Any]) -> RegisteredClient:
        """Register a client.

        :raises InvalidClientMetadata: A member is not acceptable, or the ``client_id`` is taken.
        :raises StoreUnavailable: The database did not answer.
        """
        client = self._build(metadata)
        now = clock.now()
        row = {**build_columns(client), "version": client.version, "created_at": now, "updated_at": now}
        with self._database.begin() as connection:
            try:
                connection.execute(insert(self._table), row)
            except IntegrityError:
                raise _refusal(f"client_id {client.client_id!r} is registered already") from None
        return client

    def update(self, client_id: str, changes: Mapping[str, Any]) -> RegisteredClient:
        """Change a client: *changes* is merged into its metadata, ``None`` removes a member (RFC 7396).

        A list, ``jwks`` included, is replaced whole.

        :raises UnknownClient: There is none.
        :raises InvalidClientMetadata: The result is not acceptable; the client stays as it was.
        :raises StoreUnavailable: The database did not answer.
        """
        if changes.get("client_id", client_id) != client_id:
            raise _refusal("client_id cannot be changed")
        for _ in range(_TRIES):
            before = self.get(client_id)
            merged = {**describe_client(before), **changes}
            after = self._build({name: value for name, value in merged.items() if value is not None})
            same = (self._table.c.client_id == client_id) & (self._table.c.version == before.version)
            with self._database.begin() as connection:
                row = {**build_columns(after), "version": after.version, "updated_at": clock.now()}
                if connection.execute(update(self._table).where(same).values(row)).rowcount == 1:
                    return after
        raise _refusal(f"client {client_id!r} is being changed by others; try again")

    def disable(self, client_id: str) -> RegisteredClient:
        """Stop a client from authenticating, from its next request on; ``update(id, {"enabled": True})`` undoes it.

        Unlike :meth:`update` it works whatever else the registration holds, which settings may have outlawed since.

        :raises UnknownClient: There is none.
        :raises StoreUnavailable: The database did not answer.
        """
        client = self.get(client_id)
        stopped = {"enabled": False, "version": _new_version(), "updated_at": clock.now()}
        with self._database.begin() as connection:
            connection.execute(update(self._table).where(self._table.c.client_id == client.client_id).values(stopped))
        return self.get(client_id)

    def remove(self, client_id: str) -> None:
        """Delete a client.

        :raises UnknownClient: There is none.
        """
        client = self.get(client_id)
        with self._database.begin() as connection:
            connection.execute(delete(self._table).where(self._table.c.client_id == client.client_id))

    def get(self, client_id: str) -> RegisteredClient:
        """One client as it is registered now.

        :raises UnknownClient: There is none.
        """
        with self._database.begin() as connection:
            rows = connection.execute(select(*self._columns).where(self._table.c.client_id == client_id)).all()
        for row in rows:
            if row.client_id == client_id:  # MariaDB folds case
                return snapshot(ClientRow(*row))
        raise UnknownClient(f"No client {client_id!r} is registered.")

    def all(self) -> list[RegisteredClient]:
        """Every client, by ``client_id``."""
        with self._database.begin() as connection:
            rows = connection.execute(select(*self._columns).order_by(self._table.c.client_id)).all()
        return [snapshot(ClientRow(*row)) for row in rows]

    def _build(self, metadata: Mapping[str, Any]) -> RegisteredClient:
        try:
            return build_client(
                metadata,
                settings=self._settings,
                grant_types=self._grant_types(),
                version=_new_version(),
            )
        except InvalidClientMetadata as error:
            raise _refusal(error.reason) from None


def _refusal(reason: str) -> InvalidClientMetadata:
    """A refusal whose traceback shows the private reason: who calls the registry is the operator, not a client."""
    error = InvalidClientMetadata(reason)
    error.add_note(reason)
    return error


def _new_version() -> str:
    return secrets.token_hex(16)
