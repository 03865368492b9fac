"""Registration tokens, with which a client registers itself (initial access tokens, RFC 7591 §3), kept as hashes."""

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from .... import clock
from ....database.batches import BATCH_ROWS, KEEP_ENDED_SECONDS, Rest, no_rest
from ....database.database import Database
from ....database.purging import delete_in_batches
from ....signals.events import RegistrationTokenCreated, RegistrationTokenRevoked
from ..tables.all_tables import Tables
from .recorder import Recorder

ID_CHARACTERS = 12


def make_token() -> str:
    """A new secret, to register or to manage a registration (RFC 7592 §3): 32 random bytes, base64url."""
    return secrets.token_urlsafe(32)


def token_digest(token: str) -> bytes:
    """The hash of a token. A token is too random to be guessed, so a fast hash without salt is enough."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class RegistrationToken:
    """A registration token as the database has it; the token itself was shown once and is not kept."""

    digest: bytes = field(repr=False)
    label: str
    """The operator's note: whom it is for."""
    uses_left: int
    """How many clients may still register with it."""
    may_choose_client_id: bool
    """Whether these clients may choose their ``client_id``."""
    created_at: int
    """When it was made, in seconds since the epoch."""
    expires_at: int
    """When it stops working, in seconds since the epoch."""

    @property
    def id(self) -> str:
        """A name for lists and logs, from which nobody can find the token."""
        return self.digest.hex()[:ID_CHARACTERS]


class RegistrationTokens:
    """Makes registration tokens, and counts their uses (RFC 7591 §3).

    :param database: The application's.
    :param tables: The application's tables.
    :param recorder: Opens the transactions that have events; without one nobody is told of them.
    """

    def __init__(self, database: Database, tables: Tables, recorder: Recorder | None = None) -> None:
        self._database = database
        self._recorder = recorder or Recorder(database)
        self._table = table = tables.registration_token
        self._select = select(*(table.c[column.name] for column in fields(RegistrationToken)))

    def create(
        self, *, uses: int, lifetime: int, label: str = "", may_choose_client_id: bool = False
    ) -> tuple[str, RegistrationToken]:
        """Make a token; return the token itself, which is shown once, and the record that is kept.

        :param uses: How many clients may register with it.
        :param lifetime: How long it works, in seconds.
        :param label: The operator's note: whom it is for.
        :param may_choose_client_id: Whether these clients may choose their ``client_id``.
        :raises StoreUnavailable: The database did not answer.
        """
        token, now = make_token(), clock.now()
        kept = RegistrationToken(
            digest=token_digest(token),
            label=label,
            uses_left=uses,
            may_choose_client_id=may_choose_client_id,
            created_at=now,
            expires_at=now + lifetime,
        )
        with self._recorder.begin() as change:
            change.connection.execute(insert(self._table), asdict(kept))
            change.note(RegistrationTokenCreated(kept.id, uses, may_choose_client_id, kept.expires_at))
        return token, kept

    def find(self, token: str) -> RegistrationToken | None:
        """The token, if a client can register with it now; this does not use it.

        :raises StoreUnavailable: The database did not answer.
        """
        with self._database.begin() as connection:
            row = connection.execute(self._select.where(self._is_usable(token_digest(token)))).one_or_none()
        return None if row is None else RegistrationToken(*row)

    def consume(self, token: RegistrationToken, connection: Connection) -> bool:
        """Use the token once, in the transaction of *connection*; ``False`` if others have used it up meanwhile.

        It is one UPDATE: if two callers want the last use, the second waits for the first and then changes nothing.
        """
        table = self._table
        statement = update(table).where(self._is_usable(token.digest)).values(uses_left=table.c.uses_left - 1)
        return connection.execute(statement).rowcount == 1

    def all(self) -> Sequence[RegistrationToken]:
        """Every token that is kept, also used up and expired ones, in the order in which they were made.

        :raises StoreUnavailable: The database did not answer.
        """
        table = self._table
        with self._database.begin() as connection:
            rows = connection.execute(self._select.order_by(table.c.created_at, table.c.digest)).all()
        return [RegistrationToken(*row) for row in rows]

    def revoke(self, token: RegistrationToken) -> bool:
        """Delete a token; ``False`` when it is gone already. Clients that registered with it stay.

        :raises StoreUnavailable: The database did not answer.
        """
        with self._recorder.begin() as change:
            statement = delete(self._table).where(self._table.c.digest == token.digest)
            if change.connection.execute(statement).rowcount != 1:
                return False
            change.note(RegistrationTokenRevoked(token.id))
        return True

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Delete tokens that expired long ago and return how many; see :meth:`.replay.base.ReplayStore.purge`.

        :raises StoreUnavailable: The database did not answer.
        """
        ended = self._table.c.expires_at <= clock.now() - KEEP_ENDED_SECONDS
        return delete_in_batches(self._database, self._table, ended, batch=batch, rest=rest)

    def _is_usable(self, digest: bytes) -> ColumnElement[bool]:
        table = self._table
        return (table.c.digest == digest) & (table.c.uses_left > 0) & (table.c.expires_at > clock.now())
