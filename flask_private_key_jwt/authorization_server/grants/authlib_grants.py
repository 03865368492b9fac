"""The application's own grants: Authlib grant classes, registered and run as Authlib's documentation teaches.

They are guests: earlier steps have read the request and authenticated the client, and the tokens follow the rules of
this server. Authlib's objects are made for these grants only, never for ours.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from ...dpop.proof import DPoPProof
from ...errors import ConfigurationError
from ..registered_client import RegisteredClient
from ..request import FormRequest
from .authlib_request import AuthenticatedClient, TokenRequest
from .base import GrantType

GrantRegistration = tuple[Any, Any]
"""An Authlib grant class, and its extensions."""

FORBIDDEN_GRANTS = {"password": "it hands a user's password to the client (RFC 9700 §2.4)"}
"""``grant_type`` -> why no application may register it."""


class AuthlibGrants:
    """The grants of one app.

    :param server: The server that Authlib's grants ask for the client and the tokens.
    :param declared: What was registered on the extension; more may come.
    :param registered: What was registered on the app's server; more may come.
    """

    def __init__(
        self, server: Any, declared: Sequence[GrantRegistration], registered: Sequence[GrantRegistration]
    ) -> None:
        self._server = server
        self._declared = declared
        self._registered = registered

    def grant_types(self) -> Iterator[str]:
        """The ``grant_type`` values they answer."""
        grants = chain(self._declared, self._registered)
        return (grant_class.GRANT_TYPE for grant_class, _ in grants if grant_class.GRANT_TYPE)

    def find(
        self, request: FormRequest, client: RegisteredClient, proof: DPoPProof | None, *, method: str
    ) -> "RegisteredGrant | None":
        """The grant that answers *request*, if any does: a grant class may have its own rule for that.

        :param method: How the client has authenticated.
        """
        if not self._declared and not self._registered:
            return None
        matchers = self._server.declarations.scope_matchers
        authenticated = AuthenticatedClient(client, request, proof, method=method, scope_matchers=matchers)
        authlib_request = TokenRequest(request, authenticated)
        for grant_class, extensions in chain(self._declared, self._registered):
            if grant_class.check_token_endpoint(authlib_request):
                return RegisteredGrant(grant_class, extensions, authlib_request, self._server)
        return None

    def note_authenticated(
        self, request: FormRequest, client: RegisteredClient, proof: DPoPProof | None, *, method: str, by: GrantType
    ) -> None:
        """Send Authlib's signal that a client has authenticated, for a grant of ours; Authlib's grants send it."""
        if self._server.is_authentication_heard():
            self._server.send_signal(
                "after_authenticate_client", client=AuthenticatedClient(client, request, proof, method=method), grant=by
            )


class RegisteredGrant:
    """A grant that will answer one request; it has not checked the request yet."""

    def __init__(self, grant_class: Any, extensions: Any, request: TokenRequest, server: Any) -> None:
        self._grant_class = grant_class
        self._extensions = extensions
        self._request = request
        self._server = server

    def check(self) -> "AcceptedGrant":
        """Let the grant check the request.

        :raises OAuth2Error: The grant refuses it, or does not accept clients that authenticate like this one.
        """
        # Not every grant of Authlib asks for this: its JWTBearerGrant looks up the client that the assertion names.
        client = self._server.authenticate_client(self._request, self._grant_class.TOKEN_ENDPOINT_AUTH_METHODS)
        grant = self._grant_class(self._request, self._server)
        for extend in self._extensions or ():
            extend(grant)
        grant.validate_token_request()
        found = self._request.client
        if isinstance(found, AuthenticatedClient) and found.client_id == client.client_id:
            self._request.client = client  # it has the proof, also if the grant has looked the client up
        return AcceptedGrant(grant)


class AcceptedGrant:
    """A grant that has accepted its request."""

    def __init__(self, grant: Any) -> None:
        self._grant = grant

    def create_token(self) -> dict[str, Any]:
        """The members of the answer; the grant gets its token from the server's ``generate_token``.

        :raises OAuth2Error: The grant refuses the request after all.
        """
        _, token, _ = self._grant.create_token_response()
        return token  # type: ignore[no-any-return]


def check_grant_class(grant_class: Any) -> None:
    """Refuse a grant that can never answer a token request here, or must not.

    :raises ConfigurationError: It does not answer token requests, ``private_key_jwt`` is not among its methods
        (Authlib's default is ``client_secret_basic``), or its type is forbidden.
    """
    name = grant_class.__name__
    if not hasattr(grant_class, "check_token_endpoint"):
        raise ConfigurationError(f"{name} does not answer token requests: derive it from Authlib's TokenEndpointMixin.")
    if (why := FORBIDDEN_GRANTS.get(grant_class.GRANT_TYPE)) is not None:
        raise ConfigurationError(f"{name} is for grant_type {grant_class.GRANT_TYPE}, which is never served: {why}.")
    methods = getattr(grant_class, "TOKEN_ENDPOINT_AUTH_METHODS", None)
    if "private_key_jwt" not in (methods or ()):
        raise ConfigurationError(
            f"{name} does not accept private_key_jwt, the way clients authenticate here. Add\n"
            f'    TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]\n'
            f"to the class. It has {methods!r}."
        )


def check_endpoint_class(endpoint: Any) -> None:
    """Refuse an endpoint that can never authenticate a client here.

    :raises ConfigurationError: It authenticates clients, but not with ``private_key_jwt``.
    """
    methods = getattr(endpoint, "CLIENT_AUTH_METHODS", None)
    if methods is not None and "private_key_jwt" not in methods:
        name = endpoint.__name__ if isinstance(endpoint, type) else type(endpoint).__name__
        raise ConfigurationError(
            f"{name} does not accept private_key_jwt, the way clients authenticate here. Add\n"
            f'    CLIENT_AUTH_METHODS = ["private_key_jwt"]\n'
            f"to the class. It has {methods!r}."
        )
