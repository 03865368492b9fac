"""Authlib's Flask server on top of our steps: what can be registered on it, and what its guests call."""

from abc import abstractmethod
from collections.abc import Collection
from typing import Any, NoReturn

import flask
from authlib.integrations.flask_oauth2 import AuthorizationServer, client_authenticated
from authlib.oauth2 import OAuth2Error

from ..errors import ConfigurationError, UnauthorizedClient
from ..signals.refusal import Answer, attributed_to, error_response
from .authorization.interaction import find_subject
from .client_auth.base import ClientAuthenticationMethod
from .client_lookup import NotAdmitted, load_enabled
from .grants.authlib_grants import check_endpoint_class, check_grant_class
from .grants.authlib_request import AuthenticatedClient, TokenRequest
from .grants.base import Allowed
from .once_only import OnceOnly
from .request import FormRequest, HTTPRequest
from .response import translate
from .stores.contracts import ClientStore


class AuthlibServer(AuthorizationServer):  # type: ignore[misc]  # Authlib has no type hints
    """Accepts grants and endpoints as Authlib's documentation teaches, if they work for clients without a secret."""

    clients: ClientStore
    client_auth: ClientAuthenticationMethod
    once_only: OnceOnly

    @abstractmethod
    def read_request(self, request: HTTPRequest | None = None) -> FormRequest:
        """Step 1."""

    @abstractmethod
    def issue(self, allowed: Allowed) -> dict[str, Any]:
        """Step 6."""

    @abstractmethod
    def send(self, answer: Answer) -> flask.Response:
        """Step 7."""

    # --- what is registered --------------------------------------------------------------------------------
    def register_grant(self, grant_cls: Any, extensions: Any = None) -> None:
        """Register a grant, as in Authlib.

        :raises ConfigurationError: It does not accept ``private_key_jwt``; the message says what to add.
        """
        check_grant_class(grant_cls)
        super().register_grant(grant_cls, extensions)

    def register_endpoint(self, endpoint: Any) -> None:
        """Register the application's own endpoint, as in Authlib; a view calls ``create_endpoint_response``.

        :raises ConfigurationError: It does not accept ``private_key_jwt``; the message says what to add.
        """
        check_endpoint_class(endpoint)
        super().register_endpoint(endpoint)

    def register_client_auth_method(self, method: str, func: Any) -> NoReturn:
        """Refuse: clients authenticate with ``private_key_jwt`` only.

        :raises ConfigurationError: Always.
        """
        raise ConfigurationError(
            f"Client authentication method {method!r} cannot be added: clients authenticate with private_key_jwt only."
        )

    # --- what the registered grants and endpoints call -----------------------------------------------------
    def create_oauth2_request(self, request: HTTPRequest | None = None) -> TokenRequest:
        """The current request in Authlib's shape, for the application's own endpoint."""
        return TokenRequest(self.read_request(request), None)

    def authenticate_client(self, request: TokenRequest, methods: Collection[str], endpoint: str = "token") -> Any:
        """The authenticated client of the request.

        The token endpoint has authenticated it already. Elsewhere it is authenticated here, and its assertion spent.

        :raises InvalidClient: The caller does not prove who it is.
        :raises UnauthorizedClient: The grant does not accept clients that authenticate like this one.
        """
        if request.authenticated is None:
            caller = self.client_auth.verify(request.read)
            with attributed_to(caller.client.client_id):
                self.once_only.remember(request.read, caller, None)
            request.authenticated = AuthenticatedClient(caller.client, request.read, None, method=caller.method)
        if request.authenticated.method not in methods:
            raise UnauthorizedClient(
                f"the grant accepts {list(methods)!r} only",
                cause="grant_auth_method",
                client_id=request.authenticated.client_id,
            )
        return request.authenticated

    def query_client(self, client_id: str) -> AuthenticatedClient | None:
        """A registered client in Authlib's shape, without authenticating it; :meth:`generate_token` refuses it."""
        try:
            registered = load_enabled(self.clients, client_id)
        except NotAdmitted:
            return None
        return AuthenticatedClient(registered, None, None)

    def generate_token(
        self,
        grant_type: str,
        client: AuthenticatedClient,
        user: Any = None,
        scope: str | None = None,
        expires_in: int | None = None,
        include_refresh_token: bool = True,
    ) -> dict[str, Any]:
        """Make the token of the application's own grant, by the rules for our grants. The arguments are Authlib's.

        :raises OAuthError: See :meth:`.issuing.TokenMaker.make`.
        :raises ConfigurationError: The client did not make the request: the grant has only looked it up.
        """
        if not isinstance(client, AuthenticatedClient) or client.request is None:
            # Its token would be bound to no key, though the caller has proved one.
            raise ConfigurationError(
                "A grant of the application issues a token to a client that did not make the request. "
                "Use the client that self.authenticate_token_endpoint_client() returns."
            )
        allowed = Allowed(
            grant_type=grant_type,
            client=client.registered,
            request=client.request,
            proof=client.proof,
            subject=None if user is None else find_subject(user),
            scope=scope,
            lifetime=expires_in,
        )
        with attributed_to(client.client_id):
            return self.issue(allowed)

    def save_token(self, token: dict[str, Any], request: TokenRequest) -> None:
        """Do nothing: JWT access tokens are not stored (RFC 9068)."""

    def is_authentication_heard(self) -> bool:
        """Whether anybody listens to Authlib's signal that a client has authenticated."""
        return bool(client_authenticated.receivers)

    def create_endpoint_response(self, name: str, request: Any = None) -> Any:
        """Answer at an endpoint registered with :meth:`register_endpoint`, as in Authlib."""
        try:
            return super().create_endpoint_response(name, request)
        except OAuth2Error as error:  # Authlib reads the request outside its own try block
            return self.handle_error_response(request, error)

    def handle_error_response(self, request: Any, error: OAuth2Error) -> flask.Response:
        """Answer a refusal at the application's own endpoint with the public sentence; the log gets the reason."""
        sender = flask.current_app._get_current_object()  # type: ignore[attr-defined]
        return self.send(error_response(translate(error), endpoint="application", sender=sender))
