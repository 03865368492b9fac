"""RegisteredClient: the frozen value every step speaks about (RFC 7591 §2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..settings.server import ServerSettings
from .redirect_uri import is_registered

AssertionAudience = Literal["issuer", "compatibility"]
ApplicationType = Literal["web", "native"]
RegisteredBy = Literal["operator", "client", "document"]

PUBLIC = "none"
"""The ``token_endpoint_auth_method`` of a client that holds no key to authenticate with (RFC 7591 §2)."""

MAX_CLIENT_ID_CHARACTERS = 255


def is_client_id(text: str) -> bool:
    """Whether *text* can be a client_id: 1 to 255 printable ASCII characters (RFC 6749 §A.1), no blank outside."""
    return 0 < len(text) <= MAX_CLIENT_ID_CHARACTERS and text.isascii() and text.isprintable() and text == text.strip()


@dataclass(frozen=True, slots=True, eq=False)
class RegisteredClient:
    """A client as it is registered right now. Never edited: a change makes a new one with a new version.

    Compared by identity: the store gives the same object until the registration changes, so what is computed from
    a client (its parsed keys) can be cached under it.
    """

    client_id: str
    """Its name, compared character by character (RFC 6749 §2.2)."""
    version: str
    """Changes with every change of the registration; never used twice, not even by another client."""
    enabled: bool
    """Whether it may authenticate."""
    jwks: Mapping[str, Any] | None = field(repr=False)
    """The registered JWK Set, by value (RFC 7517 §5); ``None``: see ``jwks_uri``."""
    jwks_uri: str | None = None
    """Where the client publishes its JWK Set instead (RFC 7591 §2)."""
    grant_types: frozenset[str] = frozenset({"client_credentials"})
    """The grant types it may use (RFC 7591 §2)."""
    scope: frozenset[str] = frozenset()
    """Scopes the client may ask for."""
    default_scope: tuple[str, ...] = ()
    """Scopes it gets when it asks for none."""
    token_endpoint_auth_method: str = "private_key_jwt"  # noqa: S105 - a method, not a secret
    """``private_key_jwt``, or ``none`` for a public client."""
    token_endpoint_auth_signing_alg: str | None = None
    """The one algorithm its assertions may use; ``None``: any the server accepts."""
    dpop_bound_access_tokens: bool = False
    """RFC 9449 §5.2: no token without a proof."""
    assertion_audience: AssertionAudience = "issuer"
    """``compatibility`` also takes the endpoint's URL as ``aud``; only the operator can set it."""
    client_name: str | None = None
    """What people know it by (RFC 7591 §2)."""
    owner: str | None = None
    """Who in the application answers for the client; free text or a foreign id."""
    redirect_uris: tuple[str, ...] = ()
    """Where authorization responses may go, compared character by character."""
    application_type: ApplicationType = "web"
    """``native``: a program on a person's own device (RFC 8252)."""
    require_pushed_authorization_requests: bool = False
    """RFC 9126 §6: no authorization request but a pushed one."""
    require_signed_request_object: bool = False
    """RFC 9101 §10.5: no authorization request but in a signed request object."""
    request_object_signing_alg: str | None = None
    """The one algorithm its request objects may use; ``None``: any the server accepts."""
    post_logout_redirect_uris: tuple[str, ...] = ()
    """Where a browser may go after sign-out, compared character by character (OpenID RP-Initiated Logout §3.1)."""
    default_max_age: int | None = None
    """Longest time since sign-in, in seconds, where a request names no ``max_age`` (OpenID Registration §2)."""
    require_auth_time: bool = False
    """Whether its ID tokens must say when the person signed in."""
    introspection_resources: tuple[str, ...] = ()
    """The resource servers it is: it may introspect the tokens made for them. Only the operator can set it."""
    registered_by: RegisteredBy = "operator"
    """Whose word the registration is: the operator's, the client's own (RFC 7591), or a document's at its client_id."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """The other registered RFC 7591 members: ``client_uri``, ``contacts``, ``software_id`` …"""
    jwks_not_before: int = 0
    """Key sets whose fetch began no later than this are not used, in seconds since the epoch: the client, or the
    operator, has had it fetched anew."""

    @property
    def is_public(self) -> bool:
        """Whether the client cannot authenticate (RFC 6749 §2.1): its tokens are bound to its DPoP key instead."""
        return self.token_endpoint_auth_method == PUBLIC

    def has_redirect_uri(self, uri: str) -> bool:
        """Whether an authorization response may go to *uri*."""
        return is_registered(uri, self.redirect_uris, native=self.application_type == "native")

    def has_post_logout_redirect_uri(self, uri: str) -> bool:
        """Whether a browser may go to *uri* after sign-out."""
        return is_registered(uri, self.post_logout_redirect_uris, native=self.application_type == "native")

    def is_vouched_for(self, settings: ServerSettings) -> bool:
        """Whether the operator stands behind the registration; a stranger made every other one."""
        return self.registered_by == "operator" or (self.registered_by == "client" and settings.REGISTRATION_TRUSTED)
