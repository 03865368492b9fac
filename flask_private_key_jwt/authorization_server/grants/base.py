"""What a grant is: it checks one request and says what it allows. A code or token is spent later, with the answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ...dpop.proof import DPoPProof
from ...settings.server import ServerSettings
from ...tokens.scope_matching import ScopeMatcher
from ..needs import Need
from ..registered_client import RegisteredClient
from ..request import FormRequest
from ..stores.granted import AuthorizationStore, Granted
from ..tokens.issued import IssuedTokens
from ..tokens.refresh_token import RefreshTokens
from ..tokens.revoked import Revocations

Spend = Callable[[], str | None]
"""Spends the code or refresh token of the request, in one atomic step; returns the client's refresh token, if any.

Called once, after everything that can refuse the request. Raises ``InvalidGrant`` if another request was first.
"""


def spend_nothing() -> None:
    """The :data:`Spend` of a grant that has nothing to spend."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a grant allows: for whom the tokens are, and what they may do. Nothing is spent yet."""

    grant_type: str
    client: RegisteredClient
    request: FormRequest = field(repr=False)
    """The request: its ``resource`` narrows the tokens, and the token policy may read the rest."""
    proof: DPoPProof | None
    """The proof of the request: the tokens are bound to its key."""
    granted: Granted | None = None
    """What a person allowed before; ``None``: the client acts for itself, or for :attr:`subject`."""
    subject: str | None = None
    """The person, if the grant knows them but did not store what they allowed; ignored if :attr:`granted` is set."""
    scope: str | None = None
    """The requested scopes, separated by spaces; ``None``: all that was granted, or the client's default."""
    lifetime: int | None = None
    """The access token's, in seconds; ``None``: ``OAUTH2_ACCESS_TOKEN_LIFETIME_SECONDS``."""
    nonce: str | None = field(default=None, repr=False)
    """The ID token repeats it (OpenID Connect Core §2)."""
    spend: Spend = field(default=spend_nothing, repr=False)

    @property
    def is_for_anybody(self) -> bool:
        """Whether nothing shows that a token is used by its client: it is public, and has proved no key."""
        return self.client.is_public and self.proof is None


class GrantType(Protocol):
    """One way to be allowed a token (RFC 6749 §1.3); made once for each app."""

    def check(self, request: FormRequest, client: RegisteredClient, proof: DPoPProof | None) -> Allowed:
        """Find out what the request is allowed. Nothing is spent, so a later refusal changes nothing.

        :param client: It has authenticated, and it is registered for this grant type.
        :raises OAuthError: The request is refused.
        """


@dataclass(frozen=True, slots=True)
class GrantParts:
    """What a grant of ours can be built from."""

    settings: ServerSettings
    authorizations: AuthorizationStore
    refresh_tokens: RefreshTokens
    revocations: Revocations
    issued: IssuedTokens
    """Recognizes the tokens of this server, for a grant that takes one."""
    scope_matchers: Sequence[ScopeMatcher] = ()
    """The application's, also those that it registers later."""


@dataclass(frozen=True, slots=True)
class BuiltInGrant:
    """One line of the table of grants."""

    name: str
    """Its ``grant_type``."""
    build: Callable[[GrantParts], GrantType]
    needs: frozenset[Need] = frozenset()
    """What the application must have for the grant to be served."""
    for_public_clients: bool = False
    """Whether a client that cannot authenticate may use it."""
