"""What an authorization server is made of, in the order of its steps."""

from collections.abc import Callable
from dataclasses import dataclass, field

from flask.typing import ResponseReturnValue

from ..tokens.scope_matching import ScopeMatcher
from .binding import TokenBinding
from .client_auth.base import ClientAuthenticationMethod
from .grants.authlib_grants import GrantRegistration
from .grants.base import GrantParts
from .grants.client_key import ClientKeyBinding
from .grants.policy import TokenPolicy
from .once_only import AfterAuthentication, OnceOnly
from .stores.contracts import ClientStore
from .tokens.access_token import AccessTokenIssuer
from .tokens.id_token import IdTokenIssuer
from .tokens.introspection import IntrospectionPolicy, TokenIntrospector
from .tokens.revocation import TokenRevoker

BeforeMachineRequest = Callable[[str], ResponseReturnValue | None]
"""Name of an endpoint -> what to answer in its place, or ``None`` to let the endpoint answer."""


@dataclass(frozen=True, slots=True)
class Declarations:
    """What the application registers on the extension, before or after ``init_app``: shared by its apps' servers."""

    grants: list[GrantRegistration] = field(default_factory=list)
    policies: list[TokenPolicy] = field(default_factory=list)
    introspection: list[IntrospectionPolicy] = field(default_factory=list)
    before_requests: list[BeforeMachineRequest] = field(default_factory=list)
    after_authentication: list[AfterAuthentication] = field(default_factory=list)
    scope_matchers: list[ScopeMatcher] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CallerChecks:
    """Steps 2 to 4, the same at every machine endpoint: who asks, which key they hold, and that it is used once."""

    clients: ClientStore
    client_auth: ClientAuthenticationMethod
    dpop: TokenBinding
    once_only: OnceOnly


@dataclass(frozen=True, slots=True)
class TokenParts:
    """Steps 5 and 6, introspection and revocation."""

    grants: GrantParts
    client_key_binding: ClientKeyBinding
    access_tokens: AccessTokenIssuer
    id_tokens: IdTokenIssuer
    introspection: TokenIntrospector
    revoker: TokenRevoker
