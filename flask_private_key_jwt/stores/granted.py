"""What people allowed, as the stores keep it; the contracts of those stores.

Every value a caller shows us (``request_uri``, code, refresh token) goes in as text and is kept as its SHA-256.
What may be used once is used by one UPDATE whose row count decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol

KEEP_USED_SECONDS = 86400
"""How long a used code is known after it expired: presented again, it revokes what came of it."""


@dataclass(frozen=True, slots=True)
class Granted:
    """What one person allowed one client, in one act."""

    grant_id: str
    """Ties together all that came of it, so that it can be revoked as one."""
    client_id: str
    subject: str
    scope: tuple[str, ...]
    resources: tuple[str, ...]
    auth_time: int | None = None
    """When the person signed in, in seconds since the epoch; ``None``: the application does not know."""


@dataclass(frozen=True, slots=True)
class PushedRequest:
    """An authorization request that a client pushed (RFC 9126)."""

    client_id: str
    parameters: Mapping[str, Any] = field(repr=False)
    """As checked, a JSON object."""
    expires_at: int
    used: bool = False


@dataclass(frozen=True, slots=True)
class StoredCode:
    """An authorization code, and all it is bound to."""

    granted: Granted
    redirect_uri: str
    code_challenge: str
    dpop_jkt: str | None
    """Thumbprint of the only key that may redeem it (RFC 9449 §10); ``None``: any."""
    expires_at: int
    used: bool = False
    nonce: str | None = None
    """What the ID token repeats (OpenID Connect Core §2), if the request had one."""


@dataclass(frozen=True, slots=True)
class StoredRefreshToken:
    """A refresh token."""

    granted: Granted
    dpop_jkt: str | None
    """Thumbprint of the only key that may use it: a public client's (RFC 9449 §5)."""
    dpop_bound: bool
    """Whether its access tokens are bound: then they always will be."""
    idle_until: int
    """When it ends unless it is used, in seconds since the epoch."""
    expires_at: int
    """When it ends in any case."""
    used_at: int | None = None
    """When another one took its place."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person has allowed a client so far."""

    scope: frozenset[str]
    resources: frozenset[str]

    def covers(self, scope: tuple[str, ...], resources: tuple[str, ...]) -> bool:
        """Whether nothing of a request is new."""
        return self.scope.issuperset(scope) and self.resources.issuperset(resources)


class AuthorizationStore(Protocol):
    """Keeps what happens between a client's request and the redemption of its code."""

    def push(self, reference: str, request: PushedRequest) -> None:
        """Keep a pushed request under *reference*, and drop those of its client that nobody can use any more.

        :raises StoreUnavailable: The database did not answer.
        """

    def find_pushed(self, reference: str) -> PushedRequest | None:
        """The request of *reference*, expired or used as it may be.

        :raises StoreUnavailable: The database did not answer.
        """

    def add_code(self, code: str, stored: StoredCode, *, reference: str | None) -> bool:
        """Keep a new code, and use the pushed request it answers, in one step.

        :param reference: The pushed request, if there was one.
        :return: ``False`` when that was used before: nothing is kept.
        :raises StoreUnavailable: The database did not answer.
        """

    def use_pushed(self, reference: str) -> bool:
        """Use a pushed request without a code: it was refused. ``False`` when it was used before.

        :raises StoreUnavailable: The database did not answer.
        """

    def find_code(self, code: str) -> StoredCode | None:
        """What *code* stands for, expired or used as it may be.

        :raises StoreUnavailable: The database did not answer.
        """

    def use_code(self, code: str) -> bool:
        """Use a code, in one atomic step; of several callers at once one gets ``True``.

        :raises StoreUnavailable: The database did not answer.
        """

    def find_consent(self, client_id: str, subject: str) -> Consent | None:
        """What *subject* has allowed exactly this client.

        :raises StoreUnavailable: The database did not answer.
        """

    def save_consent(self, client_id: str, subject: str, consent: Consent) -> None:
        """Remember what *subject* allowed, in the place of what was remembered before.

        :raises StoreUnavailable: The database did not answer.
        """


class RefreshTokenStore(Protocol):
    """Keeps refresh tokens, and what was revoked."""

    def add(self, token: str, stored: StoredRefreshToken) -> None:
        """Keep a new refresh token.

        :raises StoreUnavailable: The database did not answer.
        """

    def find(self, token: str) -> StoredRefreshToken | None:
        """What *token* stands for, expired, replaced or revoked as it may be; one of a revoked grant is not found.

        :raises StoreUnavailable: The database did not answer.
        """

    def keep_alive(self, token: str, *, idle_until: int) -> None:
        """Note that *token* is in use.

        :raises StoreUnavailable: The database did not answer.
        """

    def replace(self, token: str) -> bool:
        """Note that another one takes the place of *token*; ``False`` when one did before.

        :raises StoreUnavailable: The database did not answer.
        """

    def revoke(self, grant_id: str, *, until: int) -> None:
        """Revoke all that came of one grant, and what is still being made of it.

        :param until: When the last token of the grant has expired by itself, in seconds since the epoch.
        :raises StoreUnavailable: The database did not answer.
        """

    def is_revoked(self, grant_id: str) -> bool:
        """Whether a grant was revoked: its access tokens count no longer.

        :raises StoreUnavailable: The database did not answer.
        """

    def revoke_all(self, *, subject: str | None = None, client_id: str | None = None, until: int) -> int:
        """Revoke what a person has granted, or a client holds, or both, and forget the consents.

        :return: How many grants with refresh tokens there were.
        :raises StoreUnavailable: The database did not answer.
        """


def digest(text: str) -> bytes:
    """What is kept of a value that a caller shows us, or of a name that must be compared byte by byte."""
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
