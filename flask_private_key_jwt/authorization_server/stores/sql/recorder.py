"""A change and its event belong together: the event is told when the change is committed, and only then."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import UpdateBase

from ....database.database import Database
from ....signals.events import Event, Tell, tell_nobody
from .audit import AuditTrail


class Change:
    """One transaction that changes something, and the events that it makes.

    :param connection: Its connection.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.events: list[Event] = []

    def note(self, event: Event | None) -> None:
        """Add an event, if there is one."""
        if event is not None:
            self.events.append(event)


class Recorder:
    """Opens the transactions that have events.

    :param database: The application's.
    :param tell: Called for each event after its transaction.
    :param trail: Keeps the events that change who may do what; ``None``: nobody does.
    """

    def __init__(self, database: Database, tell: Tell = tell_nobody, trail: AuditTrail | None = None) -> None:
        self._database = database
        self._trail = trail
        self.tell = tell

    @contextmanager
    def begin(self) -> Iterator[Change]:
        """A transaction; what is noted in it is told after the commit.

        :raises StoreUnavailable: The database did not answer, or refused; nothing has changed, and nothing is told.
        """
        with self._database.begin() as connection:
            change = Change(connection)
            yield change
            if self._trail is not None and (kept := [event for event in change.events if event.changes_rights]):
                self._trail.write(connection, kept)
        for event in change.events:
            self.tell(event)

    def insert(self, statement: UpdateBase, values: Mapping[str, object], event: Event | None) -> bool:
        """Run one INSERT; ``False`` if a constraint refused it: nothing was written, and nothing is told.

        :raises StoreUnavailable: The database did not answer.
        """
        if self._is_kept(event):
            try:
                with self.begin() as change:
                    _insert(change.connection, statement, values)
                    change.note(event)
            except _AlreadyThere:
                return False
            return True
        written = self._database.insert(statement, values)
        if written and event is not None:
            self.tell(event)
        return written

    def update(self, statement: UpdateBase, values: Mapping[str, object], event: Event | None) -> int:
        """Run one UPDATE and return how many rows it matched; without any, nothing is told.

        :raises StoreUnavailable: The database did not answer.
        """
        if self._is_kept(event):
            with self.begin() as change:
                found = change.connection.execute(statement, values).rowcount
                change.note(event if found else None)
            return found
        found = self._database.update(statement, values)
        if found and event is not None:
            self.tell(event)
        return found

    def _is_kept(self, event: Event | None) -> bool:
        return self._trail is not None and event is not None and event.changes_rights


class _AlreadyThere(Exception):
    """A constraint refused a row; the transaction is rolled back."""


def _insert(connection: Connection, statement: UpdateBase, values: Mapping[str, object]) -> None:
    try:
        connection.execute(statement, values)
    except IntegrityError:
        raise _AlreadyThere from None
