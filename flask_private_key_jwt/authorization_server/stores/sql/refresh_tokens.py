"""Refresh tokens in the application's database; see :class:`.granted.RefreshTokenStore`."""

from collections.abc import Set
from typing import TypeVar

from sqlalchemy import Column, Connection, delete, insert, select, update

from .... import clock
from ....database.batches import BATCH_ROWS, KEEP_ENDED_SECONDS, Rest, no_rest
from ....database.database import Database
from ....database.purging import delete_in_batches
from ....signals.events import Actor, ConsentWithdrawn
from ..granted import Holder, StoredRefreshToken, digest
from ..revocation_names import Revocation, grant_name, holder_name
from ..tables.grants import GrantTables
from .authorizations import granted_columns, read_granted
from .recorder import Recorder
from .revocations import revoke_within

CHUNK = 500
"""Most rows that one statement names: each is a parameter, and databases limit their number."""
_BEARER = "bearer"
"""Is not the thumbprint of any key: a worker of an older version refuses the refresh tokens that anybody can use."""
_Key = TypeVar("_Key", str, bytes)


class SQLAlchemyRefreshTokenStore:
    """Keeps refresh tokens, and knows their grants.

    :param database: The application's.
    :param tables: The application's tables.
    :param recorder: Opens the transactions that have events; without one nobody is told of them.
    """

    def __init__(self, database: Database, tables: GrantTables, recorder: Recorder | None = None) -> None:
        self._database = database
        self._recorder = recorder or Recorder(database)
        self._table = tables.refresh_token
        self._code = tables.authorization_code
        self._consent = tables.consent

    def add(self, token: str, stored: StoredRefreshToken) -> None:
        """See :meth:`.granted.RefreshTokenStore.add`."""
        with self._database.begin() as connection:
            connection.execute(insert(self._table), _build_row(token, stored))

    def find(self, token: str) -> StoredRefreshToken | None:
        """See :meth:`.granted.RefreshTokenStore.find`."""
        with self._database.begin() as connection:
            query = select(self._table).where(self._table.c.digest == digest(token))
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return StoredRefreshToken(
            granted=read_granted(row),
            dpop_jkt=None if row.dpop_jkt == _BEARER else row.dpop_jkt,
            dpop_bound=bool(row.dpop_bound),
            idle_until=row.idle_until,
            expires_at=row.expires_at,
            used_at=row.used_at,
            is_bearer=row.dpop_jkt == _BEARER,
        )

    def keep_alive(self, token: str, *, idle_until: int) -> None:
        """See :meth:`.granted.RefreshTokenStore.keep_alive`."""
        mine = self._table.c.digest == digest(token)
        with self._database.begin() as connection:
            connection.execute(update(self._table).where(mine).values(idle_until=idle_until, last_used_at=clock.now()))

    def replace(self, token: str, successor: str, stored: StoredRefreshToken) -> bool:
        """See :meth:`.granted.RefreshTokenStore.replace`."""
        unused = (self._table.c.digest == digest(token)) & self._table.c.used_at.is_(None)
        with self._database.begin() as connection:
            # First: a second caller waits here for the row, and then finds that it is used.
            if connection.execute(update(self._table).where(unused).values(used_at=clock.now())).rowcount != 1:
                return False
            connection.execute(insert(self._table), _build_row(successor, stored))
        return True

    def remove_grant(self, grant_id: str) -> None:
        """See :meth:`.granted.RefreshTokenStore.remove_grant`."""
        key, mine = self._table.c.digest, self._table.c.grant_id == grant_id
        with self._database.begin() as connection:
            found = connection.scalars(select(key).where(mine)).all()
        # By primary key: on MariaDB a DELETE that has to search locks gaps, and blocks the INSERT of a successor.
        for start in range(0, len(found), CHUNK):
            with self._database.begin() as connection:
                connection.execute(delete(self._table).where(key.in_(found[start : start + CHUNK])))

    def find_grants(self, holder: Holder) -> Set[str]:
        """See :meth:`.granted.RefreshTokenStore.find_grants`."""
        tables = (self._code, self._table)
        with self._database.begin() as connection:
            return {key for table in tables for key in _find_keys(connection, table.c.grant_id, holder)}

    def forget_consents(self, holder: Holder, *, by: Actor) -> None:
        """See :meth:`.granted.RefreshTokenStore.forget_consents`."""
        key, gone = self._consent.c.digest, 0
        with self._database.begin() as connection:
            consents = _find_keys(connection, key, holder)
        for start in range(0, len(consents), CHUNK):
            with self._recorder.begin() as change:
                statement = delete(self._consent).where(key.in_(consents[start : start + CHUNK]))
                gone += (deleted := change.connection.execute(statement).rowcount)
                if deleted and deleted == gone:  # the first ones: one event for all
                    change.note(ConsentWithdrawn(holder.client_id, holder.subject, by))

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Delete what expired long ago, and return how many rows; see :meth:`.replay.base.ReplayStore.purge`.

        :raises StoreUnavailable: The database did not answer.
        """
        before = clock.now() - KEEP_ENDED_SECONDS
        ended = (self._table.c.expires_at < before) | (self._table.c.idle_until < before)
        return delete_in_batches(self._database, self._table, ended, batch=batch, rest=rest)


def _build_row(token: str, stored: StoredRefreshToken) -> dict[str, object]:
    return {
        "digest": digest(token),
        **granted_columns(stored.granted),
        "dpop_jkt": _BEARER if stored.is_bearer else stored.dpop_jkt,
        "dpop_bound": stored.dpop_bound,
        "idle_until": stored.idle_until,
        "expires_at": stored.expires_at,
        # A refresh token is stored together with an access token that is issued: of a code, or of the token before it.
        "last_used_at": clock.now(),
    }


def forget_client(connection: Connection, tables: GrantTables, client_id: str, *, until: int) -> None:
    """Delete what people allowed a client and revoke its tokens, in the transaction that removes it (RFC 7592 §2.3).

    :param until: When the client's last token has expired by itself, in seconds since the epoch.
    """
    holder, sources = Holder(client_id=client_id), (tables.authorization_code, tables.refresh_token)
    grants = {key for table in sources for key in _find_keys(connection, table.c.grant_id, holder)}
    # By client, because tokens that the client got for itself have no grant here. Only tokens issued until now, because
    # another client may get this client_id later.
    its_tokens = Revocation(holder_name(holder), expires_at=until, issued_until=clock.now())
    its_grants = [Revocation(grant_name(grant_id), expires_at=until) for grant_id in sorted(grants)]
    revoke_within(connection, tables.revocation, [its_tokens, *its_grants])
    for table in (tables.pushed_request, tables.authorization_code, tables.refresh_token, tables.consent):
        keys = _find_keys(connection, table.c.digest, holder)
        for start in range(0, len(keys), CHUNK):
            connection.execute(delete(table).where(table.c.digest.in_(keys[start : start + CHUNK])))


def _find_keys(connection: Connection, column: Column[_Key], holder: Holder) -> list[_Key]:
    """The values of a column in a holder's rows; compared again in Python: MariaDB finds "Alice" for "alice"."""
    wanted = holder.columns()
    fields = [column.table.c[name] for name in wanted]
    query = select(column, *fields).where(
        *(field == value for field, value in zip(fields, wanted.values(), strict=True))
    )
    rows = connection.execute(query)
    return [key for key, *found in rows if found == list(wanted.values())]
