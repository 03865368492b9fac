"""What was revoked, as the store keeps it: JWT access tokens are not stored (RFC 9068), their revocations are.

A token has several names (its own, its grant's, its client's, its person's); it ends if one of them is revoked. Names
are kept as SHA-256, so that a reader of the table learns none of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ...signals.events import Event
from .granted import Holder, digest


@dataclass(frozen=True, slots=True)
class Revocation:
    """The tokens of one name are no longer valid."""

    name: bytes
    """One of the names below."""
    expires_at: int
    """When the last of these tokens has expired by itself, in seconds since the epoch."""
    issued_until: int | None = None
    """Only tokens issued up to then are revoked, in seconds since the epoch; ``None``: all, later ones too."""


class RevocationStore(Protocol):
    """Remembers what was revoked until it has expired, for every process of the application."""

    def add(self, revocation: Revocation, event: Event | None = None) -> None:
        """Remember a revocation; if the name was revoked before, the later times count.

        :param event: What to tell, if it is an event of its own.
        :raises StoreUnavailable: The database did not answer.
        """

    def covers(self, names: Sequence[bytes], *, issued_at: int) -> bool:
        """Whether a token with these names was revoked.

        :param issued_at: When it was issued, in seconds since the epoch.
        :raises StoreUnavailable: The database did not answer.
        """


# Each kind of name starts differently, up to a \x00, so that a jti never equals a client_id.
def token_name(jti: str) -> bytes:
    """The name of one access token."""
    return digest(f"jti\x00{jti}")


def grant_name(grant_id: str) -> bytes:
    """The name of all tokens of one grant."""
    return digest(f"grant_id\x00{grant_id}")


def holder_name(holder: Holder) -> bytes:
    """The name of all tokens of a person, of a client, or of this person at this client."""
    if holder.client_id is None:
        return digest(f"sub\x00{holder.subject}")
    if holder.subject is None:
        return digest(f"client_id\x00{holder.client_id}")
    return digest(f"client_id sub\x00{holder.client_id}\x00{holder.subject}")  # a client_id holds no NUL
