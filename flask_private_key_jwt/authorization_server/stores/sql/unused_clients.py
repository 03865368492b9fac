"""Deletes clients that registered themselves and were never used, so that their number does not grow for ever."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from sqlalchemy import ColumnElement, delete, select

from .... import clock
from ....database.batches import BATCH_ROWS, Rest, no_rest
from ....database.database import Database
from ....signals.events import ClientRemoved
from ..tables.all_tables import Tables
from ..tables.client import find_grant_types
from .recorder import Recorder

TRACED_GRANTS = frozenset({"client_credentials", "authorization_code", "refresh_token"})
"""Grant types whose use leaves a trace: a key that signed, or what a person allowed. Other grants may leave none."""


class UnusedClients:
    """Deletes clients that registered themselves and were neither used nor changed since.

    :param database: The application's.
    :param tables: The application's tables.
    :param keep_seconds: How long a client may stay unused; 0: for ever.
    :param recorder: Opens the transactions that have events; without one nobody is told of them.
    """

    def __init__(
        self, database: Database, tables: Tables, *, keep_seconds: int, recorder: Recorder | None = None
    ) -> None:
        self._database = database
        self._recorder = recorder or Recorder(database)
        self._client = tables.client
        self._key = tables.client_key
        self._secret = tables.client_secret
        granted = tables.granted
        self._traces = (granted.consent, granted.authorization_code, granted.refresh_token)
        self._keep_seconds = keep_seconds

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Delete these clients, and return how many.

        A client is deleted only if nothing shows that it was used: none of its keys has signed, nobody has consented to
        it, and it has no code or refresh token. A change of its keys also deletes the record of when they signed, so a
        client that was changed is kept.

        :param batch: Most clients in one transaction.
        :param rest: Called with the seconds that a batch took.
        :raises StoreUnavailable: The database did not answer.
        """
        if not self._keep_seconds:
            return 0
        removed, after, before = 0, 0, clock.now() - self._keep_seconds
        while True:
            started = perf_counter()
            found = self._find(after, before, batch)
            if not found:
                return removed
            after = found[-1].id
            removed += self._remove(self._without_traces(found))
            rest(perf_counter() - started)

    def _find(self, after: int, before: int, batch: int) -> Sequence[Any]:
        columns = self._client.c
        query = select(columns.id, columns.client_id, columns.version, columns.client_metadata).where(
            columns.id > after,
            columns.registered_by == "client",
            columns.created_at < before,
            columns.updated_at == columns.created_at,
            self._never_signed(),
        )
        with self._database.begin() as connection:
            return list(connection.execute(query.order_by(columns.id).limit(batch)))

    def _never_signed(self) -> ColumnElement[bool]:
        its_own = (self._key.c.client_id == self._client.c.client_id) & self._key.c.last_used_at.is_not(None)
        never_signed = ~select(self._key.c.client_id).where(its_own).exists()
        secret = self._secret.c.client_id
        # The operator gave the secret, and so wants the client.
        return never_signed & ~select(secret).where(secret == self._client.c.client_id).exists()

    def _without_traces(self, found: Sequence[Any]) -> list[Any]:
        """The clients without traces. Not a part of the DELETE, which on MariaDB would lock every row it reads."""
        names = [row.client_id for row in found]
        used: set[str] = set()
        for table in self._traces:
            with self._database.begin() as connection:
                used.update(
                    connection.scalars(select(table.c.client_id).where(table.c.client_id.in_(names)).distinct())
                )
        folded = {name.casefold() for name in used}  # MariaDB finds "Client" for "client"
        return [row for row in found if row.client_id.casefold() not in folded and _leaves_traces(row)]

    def _remove(self, unused: Sequence[Any]) -> int:
        if not unused:
            return 0
        names = [row.client_id for row in unused]
        # With the version, so that a client that was changed meanwhile is kept.
        these = self._client.c.id.in_([row.id for row in unused])
        same = self._client.c.version.in_([row.version for row in unused])
        with self._recorder.begin() as change:
            connection = change.connection
            removed = connection.execute(delete(self._client).where(these, same, self._never_signed())).rowcount
            still = set(connection.scalars(select(self._client.c.client_id).where(self._client.c.client_id.in_(names))))
            gone = [name for name in names if name not in still]
            connection.execute(delete(self._key).where(self._key.c.client_id.in_(gone)))
            for name in gone:
                change.note(ClientRemoved(name, "server"))
        return removed


def _leaves_traces(row: Any) -> bool:
    """Whether everything that the client may do leaves a trace; ``False`` if its grant types cannot be read."""
    grant_types = find_grant_types(row.client_metadata)
    return grant_types is not None and grant_types <= TRACED_GRANTS
