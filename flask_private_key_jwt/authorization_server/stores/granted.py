"""What people allowed, as the stores keep it; the contracts of those stores.

Every value a caller shows us (``request_uri``, code, refresh token) goes in as text and is kept as its SHA-256.
What may be used once is used by one UPDATE whose row count decides.
"""

from collections.abc import Mapping, Set
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
    pushed_by: str = ""
    """In whose quota it counts."""


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
    nonce: str | None = field(default=None, repr=False)
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

    @property
    def ends_at(self) -> int:
        """When it ends unless it is used, in seconds since the epoch."""
        return min(self.idle_until, self.expires_at)


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose tokens: a person's, a client's, or those that this person granted this client."""

    subject: str | None = None
    client_id: str | None = None

    def __post_init__(self) -> None:
        if self.subject is None and self.client_id is None:
            raise ValueError("name a subject, a client_id or both")  # everybody's is never meant
        for name, value in self.columns().items():
            if not isinstance(value, str):  # a number finds no row, and nothing would be revoked
                raise TypeError(f"{name} has to be text, as tokens name it, not {type(value).__name__}")

    def columns(self) -> dict[str, str]:
        """The columns that name it, with their values."""
        columns = {"subject": self.subject, "client_id": self.client_id}
        return {name: value for name, value in columns.items() if value is not None}


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

    def count_open(self, pushed_by: str, *, most: int) -> int:
        """How many requests in this quota are neither used nor expired; counted up to *most*.

        :raises StoreUnavailable: The database did not answer.
        """

    def find_pushed(self, reference: str) -> PushedRequest | None:
        """The request of *reference*, expired or used as it may be.

        :raises StoreUnavailable: The database did not answer.
        """

    def add_code(self, code: str, stored: StoredCode, *, reference: str | None) -> bool:
        """Keep a new code, and use the pushed request it answers, in one step.

        :param reference: The pushed request, if there was one.
        :return: ``False`` when that was used before, or the code is kept already: nothing has changed.
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
    """Keeps refresh tokens, and knows the grants they came of."""

    def add(self, token: str, stored: StoredRefreshToken) -> None:
        """Keep a new refresh token.

        :raises StoreUnavailable: The database did not answer.
        """

    def find(self, token: str) -> StoredRefreshToken | None:
        """What *token* stands for, expired or replaced as it may be.

        It may have been written after its grant was revoked: the request that made it was under way.

        :raises StoreUnavailable: The database did not answer.
        """

    def keep_alive(self, token: str, *, idle_until: int) -> None:
        """Note that *token* is in use.

        :raises StoreUnavailable: The database did not answer.
        """

    def replace(self, token: str, successor: str, stored: StoredRefreshToken) -> bool:
        """Put *successor* in the place of *token*, in one atomic step; of several callers at once one gets ``True``.

        :param stored: What *successor* stands for.
        :return: ``False`` when *token* was replaced or revoked before: nothing is kept.

        :raises StoreUnavailable: The database did not answer.
        """

    def remove_grant(self, grant_id: str) -> None:
        """Delete the refresh tokens of a grant that was revoked.

        :raises StoreUnavailable: The database did not answer.
        """

    def find_grants(self, holder: Holder) -> Set[str]:
        """The grants of *holder* that have a code or a refresh token.

        :raises StoreUnavailable: The database did not answer.
        """

    def forget_consents(self, holder: Holder) -> None:
        """Forget what *holder* allowed, or was allowed.

        :raises StoreUnavailable: The database did not answer.
        """


def digest(text: str) -> bytes:
    """What is kept of a value that a caller shows us, or of a name that must be compared byte by byte."""
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
