"""The audit trail: who changed who may do what, in rows that are only added (``OAUTH2_AUDIT = "sql"``).

Each row has an HMAC of itself and of the HMAC before it, under a key derived from the application's secrets. Whoever
can write to the database but knows no secret can neither alter a row, nor leave one out, nor add one. They can cut off
the end, together with the row that says where it is; that shows against an end that was kept elsewhere.
"""

import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from hashlib import sha256

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from .... import clock
from ....database.batches import BATCH_ROWS, Rest, no_rest
from ....database.database import Database
from ....database.purging import delete_in_batches
from ....jose.derived import Secrets
from ....signals.events import AuditPurged, Event
from ...registered_client import MAX_CLIENT_ID_CHARACTERS
from ..tables.audit import MAX_SUBJECT_CHARACTERS, AuditTables

START = bytes(32)
"""What the first row follows."""
_SLOT = 1
_READ_ROWS = 1000


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One row of the trail."""

    number: int
    """1 for the first event, and one more for each further one."""
    recorded_at: int
    """In seconds since the epoch, by the clock of the process that wrote it."""
    event: str
    """The name of the event's signal."""
    client_id: str | None
    subject: str | None
    details: str
    """What the signal was sent with, as JSON."""
    previous: bytes = field(repr=False)
    """The ``mac`` of the row before."""
    mac: bytes = field(repr=False)

    def sign(self, key: bytes) -> bytes:
        """The HMAC that the row must have under *key*."""
        content = [self.number, self.recorded_at, self.event, self.client_id, self.subject, self.details]
        text = json.dumps([*content, self.previous.hex()], separators=(",", ":"))
        return hmac.digest(key, text.encode(), sha256)


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The end of the chain, to keep elsewhere."""

    number: int
    mac: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"{self.number}:{self.mac.hex()}"


class AuditTrail:
    """Adds rows, reads them and verifies them.

    :param database: The application's.
    :param tables: The application's tables.
    :param secrets: The key is derived from these; rows made with an older one are valid while that is among them.
    :param keep_seconds: How old a row may become before :meth:`purge` deletes it; ``None``: it is kept for ever.
    """

    def __init__(self, database: Database, tables: AuditTables, secrets: Secrets, *, keep_seconds: int | None) -> None:
        self._database = database
        self._rows = tables.audit
        self._head = tables.audit_head
        self._secrets = secrets
        self._keep_seconds = keep_seconds
        self._columns = [tables.audit.c[column.name] for column in fields(AuditEntry)]

    @cached_property
    def _keys(self) -> tuple[bytes, ...]:
        return self._secrets.derive("audit trail")  # at first use: a set-up command needs no secret

    def write(self, connection: Connection, events: Sequence[Event]) -> None:
        """Add rows in the caller's transaction, as its last statements: from here on others wait for its end.

        :param events: At least one.
        """
        last = self._extend(connection, len(events))
        number, previous, rows = last.number - len(events), last.mac, []
        for event in events:
            number += 1
            entry = _build_entry(event, number=number, previous=previous)
            previous = entry.sign(self._keys[0])
            rows.append({**asdict(entry), "mac": previous})
        connection.execute(insert(self._rows), rows)
        connection.execute(update(self._head).where(self._head.c.slot == _SLOT).values(mac=previous))

    def read(self, *, after: int = 0) -> Iterator[AuditEntry]:
        """Every row, in order; in short transactions, so that nobody waits for a reader.

        :param after: Only the rows with larger numbers.
        :raises StoreUnavailable: The database did not answer.
        """
        while True:
            query = select(*self._columns).where(self._rows.c.number > after).order_by(self._rows.c.number)
            with self._database.begin() as connection:
                found = connection.execute(query.limit(_READ_ROWS)).all()
            if not found:
                return
            for row in found:
                yield AuditEntry(*row)
            after = found[-1].number

    def find_end(self) -> ChainEnd:
        """Where the chain ends, by the row that says so; 0 if nothing was recorded yet.

        :raises StoreUnavailable: The database did not answer.
        """
        with self._database.begin() as connection:
            row = connection.execute(select(self._head.c.number, self._head.c.mac)).one_or_none()
        return ChainEnd(0, START) if row is None else ChainEnd(*row)

    def is_signed(self, entry: AuditEntry) -> bool:
        """Whether a row is as one of our processes wrote it."""
        return any(hmac.compare_digest(entry.sign(key), entry.mac) for key in self._keys)

    def purge(self, *, older_than: int | None = None, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Delete the rows at the beginning that are older than they are kept, and return how many.

        A row says first up to which number rows may be missing; so nobody else can cut off the beginning.

        :param older_than: In seconds; ``None``: as the settings say.
        :raises StoreUnavailable: The database did not answer.
        """
        keep = self._keep_seconds if older_than is None else older_than
        if keep is None:
            return 0
        number, before = self._rows.c.number, clock.now() - keep
        with self._database.begin() as connection:
            first, last = connection.execute(select(func.min(number), func.max(number))).one()
            young = connection.scalar(select(func.min(number)).where(self._rows.c.recorded_at >= before))
        up_to = last if young is None else young - 1
        if first is None or up_to < first:
            return 0
        with self._database.begin() as connection:
            self.write(connection, [AuditPurged(up_to)])
        return delete_in_batches(self._database, self._rows, number <= up_to, batch=batch, rest=rest)

    def _extend(self, connection: Connection, count: int) -> ChainEnd:
        """Lock the end of the chain and move it by *count*; its ``mac`` is still that of the last row."""
        head = self._head
        move = update(head).where(head.c.slot == _SLOT).values(number=head.c.number + count)
        if not connection.execute(move).rowcount:
            try:
                with connection.begin_nested():  # otherwise PostgreSQL aborts the whole transaction
                    connection.execute(insert(head), {"slot": _SLOT, "number": 0, "mac": START})
            except IntegrityError:
                pass  # another process wrote the very first event
            connection.execute(move)
        row = connection.execute(select(head.c.number, head.c.mac).where(head.c.slot == _SLOT)).one()
        return ChainEnd(*row)


def _build_entry(event: Event, *, number: int, previous: bytes) -> AuditEntry:
    client_id, subject = (getattr(event, name, None) for name in ("client_id", "subject"))
    return AuditEntry(
        number=number,
        recorded_at=clock.now(),
        event=event.name,
        client_id=None if client_id is None else _make_storable(client_id, MAX_CLIENT_ID_CHARACTERS),
        subject=None if subject is None else _make_storable(subject, MAX_SUBJECT_CHARACTERS),
        details=json.dumps(event.arguments()),
        previous=previous,
        mac=b"",
    )


def _make_storable(text: str, longest: int) -> str:
    """What every database takes: the operator may name anybody, and the details have the name as it is."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "?")[:longest]


class ChainCheck:
    """Verifies a chain, row after row.

    :param trail: Knows the keys.
    """

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail
        self._first: int | None = None
        self._last = ChainEnd(0, START)
        self._purged_to = 0
        self.problems: list[str] = []
        """What is wrong, in sentences."""

    @property
    def end(self) -> ChainEnd:
        """The last row so far."""
        return self._last

    def take(self, entry: AuditEntry) -> None:
        """Verify the next row."""
        if self._first is None:
            self._first = entry.number
        elif entry.number != self._last.number + 1:
            self._say_missing(self._last.number + 1, entry.number - 1)
        elif entry.previous != self._last.mac:
            self.problems.append(
                f"Row {entry.number} does not follow row {self._last.number}: one of them was replaced."
            )
        if not self._trail.is_signed(entry):
            self.problems.append(
                f"Row {entry.number} was altered, or made with a secret that is no longer among the application's."
            )
        elif entry.event == "audit_purged":
            self._purged_to = max(self._purged_to, int(json.loads(entry.details)["up_to"]))
        self._last = ChainEnd(entry.number, entry.mac)

    def finish(self, end: ChainEnd, *, kept: ChainEnd | None = None, kept_mac: bytes | None = None) -> None:
        """Look at both ends of the chain, after its last row.

        :param end: The end that the database says.
        :param kept: An end that was printed earlier and kept elsewhere.
        :param kept_mac: The ``mac`` of the row with its number, if that is still there.
        """
        if self._first is not None and self._first > self._purged_to + 1:
            self._say_missing(self._purged_to + 1, self._first - 1)
        if end.number > self._last.number:
            self._say_missing(self._last.number + 1, end.number)
        elif end != self._last:
            self.problems.append("The end of the chain is not the one that the database remembers.")
        if kept is None:
            return
        if kept.number > self._last.number:
            self._say_missing(self._last.number + 1, kept.number)
        elif kept_mac is None and kept.number > self._purged_to:
            self.problems.append(f"Row {kept.number}, an end that you kept, is missing.")
        elif kept_mac is not None and not hmac.compare_digest(kept_mac, kept.mac):
            self.problems.append(f"Row {kept.number} is not the end that you kept: the chain was replaced.")

    def _say_missing(self, first: int, last: int) -> None:
        which = f"Row {first} is" if first == last else f"Rows {first} to {last} are"
        self.problems.append(f"{which} missing.")
