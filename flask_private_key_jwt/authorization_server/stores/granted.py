"""What people allowed, as the stores keep it; the contracts of those stores.

Every value that a caller shows us (``request_uri``, code, refresh token) is passed as a string and kept as its SHA-256.
A value that may be used once is used by one UPDATE; its row count says whether this caller was the first.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal, Protocol

from ...signals.events import Actor

KEEP_USED_SECONDS = 86400
"""How long a used code is kept after it expired: if it is shown again, its grant is revoked."""


@dataclass(frozen=True, slots=True)
class Granted:
    """What one person allowed one client, in one decision."""

    grant_id: str
    """The same for all tokens of this grant, so that they can be revoked together."""
    client_id: str
    subject: str
    scope: tuple[str, ...]
    resources: tuple[str, ...]
    auth_time: int | None = None
    """When the person signed in, in seconds since the epoch; ``None``: unknown."""
    granted_at: int | None = None
    """When the person allowed it, in seconds since the epoch; ``None``: the row is older than this column."""
    client_jkt: str | None = None
    """RFC 7638 thumbprint of the key with which the client authenticated when it pushed the request; ``None``: no key
    signed, the request was not pushed, or the row is older than this column."""


@dataclass(frozen=True, slots=True)
class PushedRequest:
    """An authorization request that a client pushed (RFC 9126)."""

    client_id: str
    parameters: Mapping[str, Any] = field(repr=False)
    """The checked parameters, as a JSON object."""
    expires_at: int
    used: bool = False
    pushed_by: str = ""
    """The quota that it counts against."""


@dataclass(frozen=True, slots=True)
class StoredCode:
    """An authorization code, and everything it is bound to."""

    granted: Granted
    redirect_uri: str
    code_challenge: str
    dpop_jkt: str | None
    """Thumbprint of the only key that may redeem it (RFC 9449 §10); ``None``: any."""
    expires_at: int
    used: bool = False
    nonce: str | None = field(default=None, repr=False)
    """The ID token repeats it (OpenID Connect Core §2), if the request had one."""


@dataclass(frozen=True, slots=True)
class StoredRefreshToken:
    """A refresh token."""

    granted: Granted
    dpop_jkt: str | None
    """Thumbprint of the only key that may use it, for public clients (RFC 9449 §5); ``None``: any."""
    dpop_bound: bool
    """Whether its access tokens are bound to a key; then all later ones must be too."""
    idle_until: int
    """When it ends unless it is used, in seconds since the epoch."""
    expires_at: int
    """When it ends even if it is used, in seconds since the epoch."""
    used_at: int | None = None
    """When it was replaced by another one, in seconds since the epoch; ``None``: never."""
    is_bearer: bool = False
    """Whether its client was public and proved no key: whoever has the token can use it."""

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
            raise ValueError("name a subject, a client_id or both")  # nobody means the tokens of everybody
        for name, value in self.columns().items():
            if not isinstance(value, str):  # a number would find no row, and revoke nothing
                raise TypeError(f"{name} has to be text, as tokens name it, not {type(value).__name__}")

    def columns(self) -> dict[str, str]:
        """The columns that name the holder, with their values."""
        columns = {"subject": self.subject, "client_id": self.client_id}
        return {name: value for name, value in columns.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person has allowed a client so far."""

    scope: frozenset[str]
    resources: frozenset[str]
    given_at: int
    """When they allowed the oldest part of it, in seconds since the epoch."""

    def covers(self, scope: tuple[str, ...], resources: tuple[str, ...]) -> bool:
        """Whether nothing of a request is new."""
        return self.scope.issuperset(scope) and self.resources.issuperset(resources)


@dataclass(frozen=True, slots=True)
class Trace:
    """What the database still has of something that a person allowed a client; times in seconds since the epoch."""

    kind: Literal["consent", "code", "refresh_token"]
    client_id: str
    subject: str
    scope: tuple[str, ...]
    resources: tuple[str, ...]
    grant_id: str | None = None
    """``None``: a consent, which is remembered for all grants."""
    allowed_at: int | None = None
    """When the person allowed it; ``None``: the row is older than this column."""
    used_at: int | None = None
    """When it last gave a token; ``None``: never, or the row is older than this column."""
    ends_at: int | None = None
    """When it can give no token any more unless it is used; ``None``: a consent, which has no end."""


class PersonGrantStore(Protocol):
    """Knows what people allowed, and when that was last used. It is only for information."""

    def find_traces(self, holder: Holder | None) -> Sequence[Trace]:
        """The consents, the codes, and the refresh tokens that can be used, of *holder*; ``None``: of everybody.

        :raises StoreUnavailable: The database did not answer.
        """

    def find_revoked(self, names: Collection[bytes]) -> Mapping[bytes, int | None]:
        """Those of these names that were revoked -> until when their tokens were issued; ``None``: all of them.

        :raises StoreUnavailable: The database did not answer.
        """


class AuthorizationStore(Protocol):
    """Keeps what happens between a client's request and the redemption of its code."""

    def push(self, reference: str, request: PushedRequest) -> None:
        """Keep a pushed request under *reference*, and delete those of its client that can no longer be used.

        :raises StoreUnavailable: The database did not answer.
        """

    def count_open(self, pushed_by: str, *, most: int) -> int:
        """How many requests of this quota are neither used nor expired; counted up to *most*.

        :raises StoreUnavailable: The database did not answer.
        """

    def find_pushed(self, reference: str) -> PushedRequest | None:
        """The request under *reference*, also if it is expired or used.

        :raises StoreUnavailable: The database did not answer.
        """

    def add_code(self, code: str, stored: StoredCode, *, reference: str | None) -> bool:
        """Keep a new code, and use the pushed request that it answers, in one step.

        :param reference: The pushed request, if there was one.
        :return: ``False`` if the pushed request was used before, or the code is kept already: nothing has changed.
        :raises StoreUnavailable: The database did not answer.
        """

    def use_pushed(self, reference: str) -> bool:
        """Use a pushed request that was refused, without a code; ``False`` if it was used before.

        :raises StoreUnavailable: The database did not answer.
        """

    def find_code(self, code: str) -> StoredCode | None:
        """What is stored for *code*, also if it is expired or used.

        :raises StoreUnavailable: The database did not answer.
        """

    def use_code(self, code: str) -> bool:
        """Use a code, in one atomic step; only one of several callers at the same time gets ``True``.

        :raises StoreUnavailable: The database did not answer.
        """

    def find_consent(self, client_id: str, subject: str, *, place: str | None = None) -> Consent | None:
        """What *subject* has allowed exactly this client.

        :param place: Where answers go, if the consent is for this place only; it holds no NUL.
        :raises StoreUnavailable: The database did not answer.
        """

    def save_consent(self, client_id: str, subject: str, consent: Consent, *, place: str | None = None) -> None:
        """Remember what *subject* allowed; it replaces what was remembered before, for the same place.

        :param place: Where answers go, if the consent is for this place only; it holds no NUL.
        :raises StoreUnavailable: The database did not answer.
        """


class RefreshTokenStore(Protocol):
    """Keeps refresh tokens, and knows their grants."""

    def add(self, token: str, stored: StoredRefreshToken) -> None:
        """Keep a new refresh token, and note that its grant is used now.

        :raises StoreUnavailable: The database did not answer.
        """

    def find(self, token: str) -> StoredRefreshToken | None:
        """What is stored for *token*, also if it is expired or replaced.

        It may have been written after its grant was revoked, by a request that was running at that time.

        :raises StoreUnavailable: The database did not answer.
        """

    def keep_alive(self, token: str, *, idle_until: int) -> None:
        """Extend the life of *token*, because it is used now; that is noted too, in the same row.

        :raises StoreUnavailable: The database did not answer.
        """

    def replace(self, token: str, successor: str, stored: StoredRefreshToken) -> bool:
        """Replace *token* with *successor*, in one atomic step; only one of several callers gets ``True``.

        :param stored: What is stored for *successor*.
        :return: ``False`` if *token* was replaced or revoked before: nothing is stored.

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

    def forget_consents(self, holder: Holder, *, by: Actor) -> None:
        """Forget the consents of *holder*, given or received.

        :param by: Who withdraws them.
        :raises StoreUnavailable: The database did not answer.
        """


def digest(text: str) -> bytes:
    """The SHA-256 that is kept instead of a value that a caller shows us, or of a name to compare byte by byte."""
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
