"""What a grant is: it looks at one request and says what it allows. What it uses up is used later, with the tokens."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from ...dpop.proof import DPoPProof
from ..needs import Need
from ..registered_client import RegisteredClient
from ..request import FormRequest
from ..stores.granted import AuthorizationStore, Granted
from ..tokens.issued import IssuedTokens
from ..tokens.refresh_token import RefreshTokens
from ..tokens.revoked import Revocations

Spend = Callable[[], str | None]
"""Uses up what the request brought, in one atomic step; the refresh token that the client gets besides, if any.

Called once, after everything that can refuse the request. Raises ``InvalidGrant`` if another request was faster.
"""


def spend_nothing() -> None:
    """The :data:`Spend` of a grant that uses nothing up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What a grant allows: tokens for whom, to do what. Nothing is spent yet."""

    grant_type: str
    client: RegisteredClient
    request: FormRequest = field(repr=False)
    """What was asked: ``resource`` narrows the tokens, and the token policy may read the rest."""
    proof: DPoPProof | None
    """The proof of the request: the tokens are bound to its key."""
    granted: Granted | None = None
    """What a person allowed before; ``None``: the client acts for itself, or for :attr:`subject`."""
    subject: str | None = None
    """The person, if the grant knows them and keeps nothing of what they allowed; of no meaning with `granted`."""
    scope: str | None = None
    """The scopes that are asked for, space-separated; ``None``: all that was granted, or the client's default."""
    lifetime: int | None = None
    """Of the access token, in seconds; ``None``: ``OAUTH2_ACCESS_TOKEN_LIFETIME_SECONDS``."""
    nonce: str | None = field(default=None, repr=False)
    """What the ID token repeats (OpenID Connect Core §2)."""
    spend: Spend = field(default=spend_nothing, repr=False)


class GrantType(Protocol):
    """One way to be allowed a token (RFC 6749 §1.3); made once for each app."""

    def check(self, request: FormRequest, client: RegisteredClient, proof: DPoPProof | None) -> Allowed:
        """Find out what the request is allowed. Nothing is spent, so that a later refusal leaves all as it was.

        :param client: Has authenticated, and is registered for this grant type.
        :raises OAuthError: The request is refused.
        """


@dataclass(frozen=True, slots=True)
class GrantParts:
    """What a grant of ours may be made of."""

    authorizations: AuthorizationStore
    refresh_tokens: RefreshTokens
    revocations: Revocations
    issued: IssuedTokens
    """Recognizes the tokens of this server, for a grant that takes one."""


@dataclass(frozen=True, slots=True)
class BuiltInGrant:
    """One line of the table of grants."""

    name: str
    """Its ``grant_type``."""
    build: Callable[[GrantParts], GrantType]
    needs: frozenset[Need] = frozenset()
    """What the application must have for it to be served."""
    for_public_clients: bool = False
    """Whether a client that cannot authenticate may use it."""
