"""What was revoked before its time, as the store keeps it. JWT access tokens are not stored (RFC 9068), so this is.

A token bears several names (its own, its grant's, its client's, its person's); one that was revoked is enough. Names
are kept as SHA-256: whoever reads the table learns nobody's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .granted import Holder, digest


@dataclass(frozen=True, slots=True)
class Revocation:
    """That the tokens of one name count no longer."""

    name: bytes
    """One of the names below."""
    expires_at: int
    """When the last of them has expired by itself, in seconds since the epoch."""
    issued_until: int | None = None
    """The last second whose tokens are meant, since the epoch; ``None``: every token of that name, for good."""


class RevocationStore(Protocol):
    """Remembers what was revoked until it has expired, for every process of the application."""

    def add(self, revocation: Revocation) -> None:
        """Remember it; where the name was revoked before, the later of the two counts.

        :raises StoreUnavailable: The database did not answer.
        """

    def covers(self, names: Sequence[bytes], *, issued_at: int) -> bool:
        """Whether a token that bears these names was revoked.

        :param issued_at: When it was issued, in seconds since the epoch.
        :raises StoreUnavailable: The database did not answer.
        """


# Each kind of name has a beginning of its own, and \x00 ends it: no jti passes for a client_id.
def token_name(jti: str) -> bytes:
    """The name of one access token."""
    return digest(f"jti\x00{jti}")


def grant_name(grant_id: str) -> bytes:
    """The name of all that came of one act of granting."""
    return digest(f"grant_id\x00{grant_id}")


def holder_name(holder: Holder) -> bytes:
    """The name of all that a person granted, that a client holds, or that this person granted this client."""
    if holder.client_id is None:
        return digest(f"sub\x00{holder.subject}")
    if holder.subject is None:
        return digest(f"client_id\x00{holder.client_id}")
    return digest(f"client_id sub\x00{holder.client_id}\x00{holder.subject}")  # a client_id holds no NUL
