"""RegisteredClient: the frozen value that all steps work with (RFC 7591 §2). Each member is declared here, once."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_type_hints

from ..errors import InvalidRedirectURI
from ..settings.server import ServerSettings
from .client_members import (
    ANYTHING,
    CONTACT_LIST,
    FLAG,
    GRANT_TYPE_LIST,
    ID_TOKEN_ALG,
    KEY_SET,
    NAME,
    ORDERED_SCOPE,
    PAGE,
    REQUEST_ALG,
    RESOURCE_LIST,
    SCOPE,
    SECONDS,
    SHORT_TEXT,
    TEXT,
    URI_LIST,
    URL,
    Kind,
    Member,
    Members,
    one_of,
)
from .redirect_uri import is_registered

AssertionAudience = Literal["issuer", "compatibility"]
ApplicationType = Literal["web", "native"]
RegisteredBy = Literal["operator", "client", "document"]

PUBLIC = "none"
"""The ``token_endpoint_auth_method`` of a client that holds no key to authenticate with (RFC 7591 §2)."""

MAX_CLIENT_ID_CHARACTERS = 255


def is_client_id(text: str) -> bool:
    """Whether *text* can be a client_id: 1 to 255 printable ASCII characters (RFC 6749 §A.1), no space at the ends."""
    return 0 < len(text) <= MAX_CLIENT_ID_CHARACTERS and text.isascii() and text.isprintable() and text == text.strip()


def _read_client_id(value: Any) -> str:
    if not isinstance(value, str) or not is_client_id(value):
        raise ValueError("is not a string of 1 to 255 printable ASCII characters")
    return value


_CLIENT_ID = Kind(read=_read_client_id)


@dataclass(frozen=True, slots=True, eq=False)
class RegisteredClient:
    """A client as it is registered right now. Never edited: a change makes a new one with a new version.

    Compared by identity: the store gives the same object until the registration changes, so what is computed from
    a client (its parsed keys) can be cached under it.
    """

    # A field with a Member is a member of the registration. Registering, showing and storing it need no other line.

    client_id: Annotated[str, Member(_CLIENT_ID, operator_only=True, shown="always", has_column=True)]
    """Its name, compared character by character (RFC 6749 §2.2)."""
    version: str
    """Changes with every change of the registration; never used twice, not even by another client."""
    enabled: Annotated[bool, Member(FLAG, operator_only=True, shown="always", has_column=True)] = True
    """Whether it may authenticate."""
    jwks: Annotated[Mapping[str, Any] | None, Member(KEY_SET, has_column=True)] = field(default=None, repr=False)
    """The registered JWK Set, by value (RFC 7517 §5); ``None``: see ``jwks_uri``."""
    jwks_uri: Annotated[str | None, Member(URL, has_column=True)] = None
    """Where the client publishes its JWK Set instead (RFC 7591 §2)."""
    client_name: Annotated[str | None, Member(NAME)] = None
    """The name that people read (RFC 7591 §2)."""
    grant_types: Annotated[frozenset[str], Member(GRANT_TYPE_LIST, shown="always")] = frozenset({"client_credentials"})
    """The grant types it may use (RFC 7591 §2)."""
    scope: Annotated[frozenset[str], Member(SCOPE)] = frozenset()
    """Scopes the client may ask for."""
    default_scope: Annotated[tuple[str, ...], Member(ORDERED_SCOPE, operator_only=True)] = ()
    """Scopes the client gets when it asks for none."""
    token_endpoint_auth_method: Annotated[str, Member(ANYTHING, shown="always", has_column=True)] = "private_key_jwt"  # noqa: S105 - a method, not a secret
    """``private_key_jwt``; ``none`` for a public client; or, for a client without keys, its method with a secret."""
    token_endpoint_auth_signing_alg: Annotated[str | None, Member(TEXT)] = None
    """The one algorithm its assertions may use; ``None``: any the server accepts."""
    dpop_bound_access_tokens: Annotated[bool, Member(FLAG, shown="always", has_column=True)] = False
    """Whether it gets no token without a proof (RFC 9449 §5.2)."""
    redirect_uris: Annotated[tuple[str, ...], Member(URI_LIST, refusal=InvalidRedirectURI)] = ()
    """Where authorization responses may go, compared character by character."""
    application_type: Annotated[
        ApplicationType, Member(one_of("web", "native"), shown="if people", has_column=True)
    ] = "web"
    """``native``: a program on a person's own device (RFC 8252)."""
    require_pushed_authorization_requests: Annotated[bool, Member(FLAG, shown="if people")] = False
    """Whether its authorization requests must be pushed (RFC 9126 §6)."""
    require_signed_request_object: Annotated[bool, Member(FLAG, shown="if people")] = False
    """Whether its authorization requests must be signed request objects (RFC 9101 §10.5)."""
    request_object_signing_alg: Annotated[str | None, Member(REQUEST_ALG)] = None
    """The one algorithm its request objects may use; ``None``: any the server accepts."""
    post_logout_redirect_uris: Annotated[tuple[str, ...], Member(URI_LIST)] = ()
    """Where a browser may go after sign-out, compared character by character (OpenID RP-Initiated Logout §3.1)."""
    default_max_age: Annotated[int | None, Member(SECONDS)] = None
    """Longest time since sign-in, in seconds, if a request has no ``max_age`` (OpenID Registration §2)."""
    require_auth_time: Annotated[bool, Member(FLAG, shown="if people")] = False
    """Whether its ID tokens must say when the person signed in."""
    introspection_resources: Annotated[tuple[str, ...], Member(RESOURCE_LIST, operator_only=True)] = ()
    """The resource servers that this client is: it may introspect their tokens. Only the operator can set it."""
    assertion_audience: Annotated[
        AssertionAudience,
        Member(one_of("issuer", "compatibility"), operator_only=True, shown="always", has_column=True),
    ] = "issuer"
    """With ``compatibility``, the endpoint's URL is accepted as ``aud`` too; only the operator can set it."""
    owner: Annotated[str | None, Member(SHORT_TEXT, operator_only=True, has_column=True)] = None
    """Who is responsible for the client; free text, or an id from the application."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """The other registered RFC 7591 members: ``client_uri``, ``contacts``, ``software_id`` …"""
    registered_by: RegisteredBy = "operator"
    """Who registered the client: the operator, the client itself (RFC 7591), or a document at its ``client_id``."""
    jwks_not_before: int = 0
    """A moment, in seconds since the epoch. Key sets whose fetch began then or before are not used: the client or the
    operator asked for a new fetch."""

    @property
    def is_public(self) -> bool:
        """Whether the client cannot authenticate (RFC 6749 §2.1)."""
        return self.token_endpoint_auth_method == PUBLIC

    @property
    def needs_bound_tokens(self) -> bool:
        """Whether the registration says that every token of the client must be bound to a DPoP key (RFC 9449 §5.2).

        That of a public client says so unless ``OAUTH2_PUBLIC_BEARER_TOKENS`` was on when it was made (RFC 9700 §2.2).
        """
        return self.dpop_bound_access_tokens

    def has_redirect_uri(self, uri: str) -> bool:
        """Whether an authorization response may go to *uri*."""
        return is_registered(uri, self.redirect_uris, native=self.application_type == "native")

    def has_post_logout_redirect_uri(self, uri: str) -> bool:
        """Whether a browser may go to *uri* after sign-out."""
        return is_registered(uri, self.post_logout_redirect_uris, native=self.application_type == "native")

    def is_vouched_for(self, settings: ServerSettings) -> bool:
        """Whether the operator stands behind the registration; otherwise the client registered itself."""
        return self.registered_by == "operator" or (self.registered_by == "client" and settings.REGISTRATION_TRUSTED)


_ONLY_KEPT: Members = {
    "client_uri": Member(PAGE, has_attribute=False),
    "logo_uri": Member(PAGE, has_attribute=False),
    "tos_uri": Member(PAGE, has_attribute=False),
    "policy_uri": Member(PAGE, has_attribute=False),
    "software_id": Member(TEXT, has_attribute=False),
    "software_version": Member(TEXT, has_attribute=False),
    "contacts": Member(CONTACT_LIST, has_attribute=False),
    "id_token_signed_response_alg": Member(ID_TOKEN_ALG, has_attribute=False),
}
"""Members that this server only keeps, in :attr:`RegisteredClient.metadata`."""


def find_declared(client: type[RegisteredClient]) -> Members:
    """The members that the fields of a class declare."""
    hints = get_type_hints(client, include_extras=True)
    declared = {}
    for attribute in dataclasses.fields(client):
        for member in getattr(hints[attribute.name], "__metadata__", ()):
            declared[attribute.name] = dataclasses.replace(member, default=attribute.default)
    return declared


MEMBERS: Members = {**find_declared(RegisteredClient), **_ONLY_KEPT}
"""Every member that this server keeps, by its name in RFC 7591 and related specifications."""
OPERATOR_MEMBERS = tuple(name for name, member in MEMBERS.items() if member.operator_only)
"""Members a client cannot choose for itself."""
