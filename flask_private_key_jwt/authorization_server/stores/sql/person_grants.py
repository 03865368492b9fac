"""What people allowed, read from the application's database; see :class:`.granted.PersonGrantStore`."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, func, select

from .... import clock
from ....database.database import Database
from ..granted import Holder, Trace
from ..tables.grants import GrantTables

CHUNK = 500
"""Most names that one statement looks for: each is a parameter, and databases limit their number."""


class SQLAlchemyPersonGrantStore:
    """Reads consents, codes and refresh tokens; it changes nothing.

    :param database: The application's.
    :param tables: The application's tables.
    """

    def __init__(self, database: Database, tables: GrantTables) -> None:
        self._database = database
        self._code = tables.authorization_code
        self._refresh_token = tables.refresh_token
        self._consent = tables.consent
        self._revocation = tables.revocation

    def find_traces(self, holder: Holder | None) -> Sequence[Trace]:
        """See :meth:`.granted.PersonGrantStore.find_traces`."""
        now, code, refresh_token = clock.now(), self._code.c, self._refresh_token.c
        # A client that refreshes leaves a row each time: the newest one knows when the grant was last used.
        is_live = refresh_token.used_at.is_(None) & (refresh_token.expires_at > now) & (refresh_token.idle_until > now)
        is_open = code.used_at.is_not(None) | (code.expires_at > now)
        with self._database.begin() as connection:
            return [
                *(_read_consent(row) for row in _find(connection, select(self._consent), self._consent, holder)),
                *(_read_code(row) for row in _find(connection, select(self._code).where(is_open), self._code, holder)),
                *(
                    _read_refresh_token(row)
                    for row in _find(
                        connection, select(self._refresh_token).where(is_live), self._refresh_token, holder
                    )
                ),
            ]

    def find_revoked(self, names: Collection[bytes]) -> Mapping[bytes, int | None]:
        """See :meth:`.granted.PersonGrantStore.find_revoked`."""
        columns, wanted, found = self._revocation.c, sorted(names), {}
        with self._database.begin() as connection:
            for start in range(0, len(wanted), CHUNK):
                these = columns.digest.in_(wanted[start : start + CHUNK])
                rows = connection.execute(select(columns.digest, columns.issued_until).where(these))
                found.update({bytes(row.digest): row.issued_until for row in rows})
        return found

    def find_last_uses(self) -> Mapping[str, int]:
        """When each client last got a token for a person, as far as it is stored: ``client_id`` -> seconds.

        :raises StoreUnavailable: The database did not answer.
        """
        uses: dict[str, int] = {}
        with self._database.begin() as connection:
            for column in (self._refresh_token.c.last_used_at, self._code.c.used_at):
                for client_id, used_at in connection.execute(_select_newest(column)):
                    uses[client_id] = max(used_at, uses.get(client_id, 0))
        return uses


def _select_newest(column: ColumnElement[int]) -> Select[Any]:
    client_id = column.table.c.client_id
    return select(client_id, func.max(column)).where(column.is_not(None)).group_by(client_id)


def _find(connection: Connection, query: Select[Any], table: Table, holder: Holder | None) -> Iterator[Row[Any]]:
    """The rows of exactly this holder: MariaDB finds "Alice" for "alice"."""
    wanted = {} if holder is None else holder.columns()
    query = query.where(*(table.c[name] == value for name, value in wanted.items()))
    for row in connection.execute(query):
        if all(row._mapping[name] == value for name, value in wanted.items()):
            yield row


def _read_consent(row: Row[Any]) -> Trace:
    return Trace("consent", row.client_id, row.subject, *_read_lists(row), allowed_at=row.given_at)


def _read_code(row: Row[Any]) -> Trace:
    ends_at = row.expires_at if row.used_at is None else row.used_at
    return Trace(
        "code",
        row.client_id,
        row.subject,
        *_read_lists(row),
        grant_id=row.grant_id,
        allowed_at=row.granted_at,
        used_at=row.used_at,
        ends_at=ends_at,
    )


def _read_refresh_token(row: Row[Any]) -> Trace:
    return Trace(
        "refresh_token",
        row.client_id,
        row.subject,
        *_read_lists(row),
        grant_id=row.grant_id,
        allowed_at=row.granted_at,
        used_at=row.last_used_at,
        ends_at=min(row.idle_until, row.expires_at),
    )


def _read_lists(row: Row[Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(row.scope.split()), tuple(row.resources.split())
