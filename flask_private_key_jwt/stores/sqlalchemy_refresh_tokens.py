"""Refresh tokens and revocations in the application's database; see :class:`.granted.RefreshTokenStore`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import Column, Connection, delete, insert, select, update

from .. import clock
from .driver import Database
from .grant_tables import GrantTables
from .granted import StoredRefreshToken, digest
from .sqlalchemy_authorizations import granted_columns, read_granted

CHUNK = 500
"""How many rows one statement names."""
_Key = TypeVar("_Key", str, bytes)


class SQLAlchemyRefreshTokenStore:
    """Keeps refresh tokens, and what was revoked.

    :param database: The application's.
    :param tables: The application's tables.
    """

    def __init__(self, database: Database, tables: GrantTables) -> None:
        self._database = database
        self._table = tables.refresh_token
        self._code = tables.authorization_code
        self._consent = tables.consent
        self._revocation = tables.revocation

    def add(self, token: str, stored: StoredRefreshToken) -> None:
        """See :meth:`.granted.RefreshTokenStore.add`."""
        row = {
            "digest": digest(token),
            **granted_columns(stored.granted),
            "dpop_jkt": stored.dpop_jkt,
            "dpop_bound": stored.dpop_bound,
            "idle_until": stored.idle_until,
            "expires_at": stored.expires_at,
        }
        with self._database.begin() as connection:
            connection.execute(insert(self._table), row)

    def find(self, token: str) -> StoredRefreshToken | None:
        """See :meth:`.granted.RefreshTokenStore.find`."""
        with self._database.begin() as connection:
            query = select(self._table).where(self._table.c.digest == digest(token))
            row = connection.execute(query).one_or_none()
        # A token may have been written after its grant was revoked: the request that made it was under way.
        if row is None or self.is_revoked(row.grant_id):
            return None
        return StoredRefreshToken(
            granted=read_granted(row),
            dpop_jkt=row.dpop_jkt,
            dpop_bound=bool(row.dpop_bound),
            idle_until=row.idle_until,
            expires_at=row.expires_at,
            used_at=row.used_at,
        )

    def keep_alive(self, token: str, *, idle_until: int) -> None:
        """See :meth:`.granted.RefreshTokenStore.keep_alive`."""
        mine = self._table.c.digest == digest(token)
        with self._database.begin() as connection:
            connection.execute(update(self._table).where(mine).values(idle_until=idle_until))

    def replace(self, token: str) -> bool:
        """See :meth:`.granted.RefreshTokenStore.replace`."""
        unused = (self._table.c.digest == digest(token)) & self._table.c.used_at.is_(None)
        with self._database.begin() as connection:
            return connection.execute(update(self._table).where(unused).values(used_at=clock.now())).rowcount == 1

    def revoke(self, grant_id: str, *, until: int) -> None:
        """See :meth:`.granted.RefreshTokenStore.revoke`."""
        # False: it was revoked before.
        self._database.insert(
            insert(self._revocation), {"digest": _name(grant_id), "issued_until": None, "expires_at": until}
        )
        with self._database.begin() as connection:
            connection.execute(delete(self._table).where(self._table.c.grant_id == grant_id))

    def is_revoked(self, grant_id: str) -> bool:
        """See :meth:`.granted.RefreshTokenStore.is_revoked`."""
        query = select(self._revocation.c.expires_at).where(self._revocation.c.digest == _name(grant_id))
        with self._database.begin() as connection:
            return connection.execute(query).one_or_none() is not None

    def revoke_all(self, *, subject: str | None = None, client_id: str | None = None, until: int) -> int:
        """See :meth:`.granted.RefreshTokenStore.revoke_all`."""
        wanted = {name: value for name, value in (("subject", subject), ("client_id", client_id)) if value is not None}
        if not wanted:
            raise ValueError("name a subject, a client_id or both")
        grants = {grant_id for table in (self._code, self._table) for grant_id in self._find(table.c.grant_id, wanted)}
        for grant_id in sorted(grants):
            self.revoke(grant_id, until=until)
        # Last: should the database fail before, asking again is the lesser harm.
        for chunk in _chunks(self._find(self._consent.c.digest, wanted)):
            with self._database.begin() as connection:
                connection.execute(delete(self._consent).where(self._consent.c.digest.in_(chunk)))
        return len(grants)

    def purge(self) -> int:
        """Delete what has expired, and return how much.

        :raises StoreUnavailable: The database did not answer.
        """
        now = clock.now()
        ended = (self._table.c.expires_at < now) | (self._table.c.idle_until < now)
        with self._database.begin() as connection:
            removed = connection.execute(delete(self._table).where(ended)).rowcount
        with self._database.begin() as connection:
            over = self._revocation.c.expires_at < now
            return removed + connection.execute(delete(self._revocation).where(over)).rowcount

    def _find(self, column: Column[_Key], wanted: Mapping[str, str]) -> list[_Key]:
        """What a column holds in the rows that fit."""
        with self._database.begin() as connection:
            return _find_keys(connection, column, wanted)


def forget_client(connection: Connection, tables: GrantTables, client_id: str, *, until: int) -> None:
    """Delete what people allowed a client and revoke its tokens, in the transaction that removes it (RFC 7592 §2.3).

    :param until: When the last of its tokens has expired by itself, in seconds since the epoch.
    """
    grants = {
        grant_id
        for table in (tables.authorization_code, tables.refresh_token)
        for grant_id in _find_keys(connection, table.c.grant_id, {"client_id": client_id})
    }
    known = tables.revocation.c.digest
    for chunk in _chunks(sorted(_name(grant_id) for grant_id in grants)):
        revoked = set(connection.execute(select(known).where(known.in_(chunk))).scalars())
        if rows := [
            {"digest": name, "issued_until": None, "expires_at": until} for name in chunk if name not in revoked
        ]:
            connection.execute(insert(tables.revocation), rows)
    for table in (tables.pushed_request, tables.authorization_code, tables.refresh_token, tables.consent):
        connection.execute(delete(table).where(table.c.client_id == client_id))


def _find_keys(connection: Connection, column: Column[_Key], wanted: Mapping[str, str]) -> list[_Key]:
    """What a column holds in the rows that fit; compared once more in Python: MariaDB finds "Alice" for "alice"."""
    fields = [column.table.c[name] for name in wanted]
    query = select(column, *fields).where(
        *(field == value for field, value in zip(fields, wanted.values(), strict=True))
    )
    rows = connection.execute(query)
    return [key for key, *found in rows if found == list(wanted.values())]


def _chunks(keys: Sequence[_Key]) -> Iterator[Sequence[_Key]]:
    """*keys* in parts that a statement takes: each is a parameter, and databases count those."""
    return (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK))


def _name(grant_id: str) -> bytes:
    return digest(f"grant_id\x00{grant_id}")
