"""Pushed requests, codes and consents in the application's database; see :class:`.granted.AuthorizationStore`."""

import json
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from .... import clock
from ....database.batches import BATCH_ROWS, KEEP_ENDED_SECONDS, Rest, no_rest
from ....database.database import Database
from ....database.purging import delete_in_batches
from ....signals.events import CodeIssued, ConsentGiven, RequestPushed
from ..granted import KEEP_USED_SECONDS, Consent, Granted, PushedRequest, StoredCode, digest
from ..tables.grants import GrantTables
from .recorder import Recorder

_GRANTED = ("grant_id", "client_id", "subject", "scope", "resources", "auth_time", "granted_at", "client_jkt")
_PURGED_AT_ONCE = 500


class SQLAlchemyAuthorizationStore:
    """Keeps what happens between a client's request and the redemption of its code.

    :param database: The application's.
    :param tables: The application's tables.
    :param keep_seconds: How long a pushed request may still be in use after it expired.
    :param recorder: Opens the transactions that have events; without one nobody is told of them.
    """

    def __init__(
        self, database: Database, tables: GrantTables, *, keep_seconds: int, recorder: Recorder | None = None
    ) -> None:
        self._database = database
        self._recorder = recorder or Recorder(database)
        self._pushed = tables.pushed_request
        self._code = tables.authorization_code
        self._consent = tables.consent
        self._insert_consent = insert(tables.consent)
        self._keep_seconds = keep_seconds
        self._count_open = _build_count_open(tables.pushed_request)

    def push(self, reference: str, request: PushedRequest) -> None:
        """See :meth:`.granted.AuthorizationStore.push`."""
        row = {
            "digest": digest(reference),
            "client_id": request.client_id,
            "parameters": json.dumps(request.parameters),
            "expires_at": request.expires_at,
            "pushed_by": digest(request.pushed_by),
        }
        self._purge_pushed(request.client_id)
        with self._recorder.begin() as change:
            change.connection.execute(insert(self._pushed), row)
            change.note(RequestPushed(request.client_id, request.expires_at))

    def count_open(self, pushed_by: str, *, most: int) -> int:
        """See :meth:`.granted.AuthorizationStore.count_open`."""
        values = {"quota": digest(pushed_by), "now": clock.now(), "most": most}
        row = self._database.fetch(self._count_open, values)
        return int(row[0]) if row else 0

    def find_pushed(self, reference: str) -> PushedRequest | None:
        """See :meth:`.granted.AuthorizationStore.find_pushed`."""
        row = self._find(self._pushed, reference)
        if row is None:
            return None
        return PushedRequest(row.client_id, json.loads(row.parameters), row.expires_at, row.used_at is not None)

    def use_pushed(self, reference: str) -> bool:
        """See :meth:`.granted.AuthorizationStore.use_pushed`."""
        with self._database.begin() as connection:
            return _use(connection, self._pushed, reference)

    def add_code(self, code: str, stored: StoredCode, *, reference: str | None) -> bool:
        """See :meth:`.granted.AuthorizationStore.add_code`."""
        row = {
            "digest": digest(code),
            **granted_columns(stored.granted),
            "redirect_uri": stored.redirect_uri,
            "code_challenge": stored.code_challenge,
            "dpop_jkt": stored.dpop_jkt,
            "nonce": stored.nonce,
            "expires_at": stored.expires_at,
        }
        try:
            with self._recorder.begin() as change:
                if reference is not None and not _use(change.connection, self._pushed, reference):
                    return False
                try:
                    change.connection.execute(insert(self._code), row)
                except IntegrityError:
                    raise _Kept from None  # the rollback also undoes the use
                change.note(_describe_code(stored))
        except _Kept:
            return False
        return True

    def find_code(self, code: str) -> StoredCode | None:
        """See :meth:`.granted.AuthorizationStore.find_code`."""
        row = self._find(self._code, code)
        if row is None:
            return None
        return StoredCode(
            granted=read_granted(row),
            redirect_uri=row.redirect_uri,
            code_challenge=row.code_challenge,
            dpop_jkt=row.dpop_jkt,
            expires_at=row.expires_at,
            used=row.used_at is not None,
            nonce=row.nonce,
        )

    def use_code(self, code: str) -> bool:
        """See :meth:`.granted.AuthorizationStore.use_code`."""
        with self._database.begin() as connection:
            return _use(connection, self._code, code)

    def find_consent(self, client_id: str, subject: str, *, place: str | None = None) -> Consent | None:
        """See :meth:`.granted.AuthorizationStore.find_consent`."""
        row = self._find(self._consent, _name_consent(client_id, subject, place))
        if row is None:
            return None
        return Consent(frozenset(row.scope.split()), frozenset(row.resources.split()), row.given_at)

    def save_consent(self, client_id: str, subject: str, consent: Consent, *, place: str | None = None) -> None:
        """See :meth:`.granted.AuthorizationStore.save_consent`."""
        allowed = {
            "scope": " ".join(sorted(consent.scope)),
            "resources": " ".join(sorted(consent.resources)),
            "given_at": consent.given_at,
        }
        key = digest(_name_consent(client_id, subject, place))
        row = {"digest": key, "client_id": client_id, "subject": subject, **allowed}
        given = ConsentGiven(client_id, subject, tuple(sorted(consent.scope)), tuple(sorted(consent.resources)))
        if not self._recorder.insert(self._insert_consent, row, given):
            with self._recorder.begin() as change:
                statement = update(self._consent).where(self._consent.c.digest == key).values(allowed)
                if change.connection.execute(statement).rowcount:
                    change.note(given)

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Delete what expired long ago, and return how many rows; see :meth:`.replay.base.ReplayStore.purge`.

        :raises StoreUnavailable: The database did not answer.
        """
        now = clock.now()
        pushed = self._pushed.c.expires_at < now - self._keep_seconds - KEEP_ENDED_SECONDS
        code = self._code.c.expires_at < now - KEEP_USED_SECONDS
        return sum(
            delete_in_batches(self._database, table, ended, batch=batch, rest=rest)
            for table, ended in ((self._pushed, pushed), (self._code, code))
        )

    def _purge_pushed(self, client_id: str) -> None:
        """Keep a client's requests from piling up between two purges."""
        key, table = self._pushed.c.digest, self._pushed
        over = (table.c.client_id == client_id) & (table.c.expires_at < clock.now() - self._keep_seconds)
        with self._database.begin() as connection:
            ended = connection.execute(select(key).where(over).limit(_PURGED_AT_ONCE)).scalars().all()
        if ended:
            # By primary key, because on MariaDB a DELETE that has to search locks all rows it reads.
            with self._database.begin() as connection:
                connection.execute(delete(table).where(key.in_(ended)))

    def _find(self, table: Table, text: str) -> Row[Any] | None:
        with self._database.begin() as connection:
            return connection.execute(select(table).where(table.c.digest == digest(text))).one_or_none()


class _Kept(Exception):
    """The code is in the table already."""


def _build_count_open(table: Table) -> Select[Any]:
    columns = table.c
    zero: ColumnElement[int] = literal_column("0")  # otherwise SQLAlchemy adds a parameter for SQLite's offset
    is_open = (columns.pushed_by == bindparam("quota")) & (columns.expires_at > bindparam("now"))
    some = select(columns.expires_at).where(is_open, columns.used_at.is_(None)).limit(bindparam("most")).offset(zero)
    return select(func.count()).select_from(some.subquery())


def granted_columns(granted: Granted) -> dict[str, object]:
    """The columns that :func:`read_granted` reads back."""
    return {
        "grant_id": granted.grant_id,
        "client_id": granted.client_id,
        "subject": granted.subject,
        "scope": " ".join(granted.scope),
        "resources": " ".join(granted.resources),
        "auth_time": granted.auth_time,
        "granted_at": granted.granted_at,
        "client_jkt": granted.client_jkt,
    }


def read_granted(row: Row[Any]) -> Granted:
    """The grant that a row describes."""
    values = {name: getattr(row, name) for name in _GRANTED}
    return Granted(**{**values, "scope": tuple(row.scope.split()), "resources": tuple(row.resources.split())})


def _describe_code(stored: StoredCode) -> CodeIssued:
    granted = stored.granted
    return CodeIssued(
        client_id=granted.client_id,
        subject=granted.subject,
        scope=granted.scope,
        resources=granted.resources,
        grant_id=granted.grant_id,
        expires_at=stored.expires_at,
    )


def _use(connection: Connection, table: Table, text: str) -> bool:
    """Mark the row of *text* as used; only one of several transactions at the same time changes it."""
    unused = (table.c.digest == digest(text)) & table.c.used_at.is_(None)
    return connection.execute(update(table).where(unused).values(used_at=clock.now())).rowcount == 1


def _name_consent(client_id: str, subject: str, place: str | None) -> str:
    # Neither a client_id nor a place holds a NUL, and a client_id is never empty.
    return f"{client_id}\x00{subject}" if place is None else f"\x00{place}\x00{client_id}\x00{subject}"
