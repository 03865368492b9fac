"""Authlib's Flask server, as far as it goes without us: what may be registered on it, and what it must not store."""

from typing import Any, NoReturn

from authlib.integrations.flask_oauth2 import AuthorizationServer

from ..errors import ConfigurationError
from .grants.authlib_request import TokenRequest
from .grants.policy import check_endpoint_class, check_grant_class


class AuthlibServer(AuthorizationServer):  # type: ignore[misc]  # Authlib has no type hints
    """Takes grants and endpoints as Authlib's documentation teaches, those that fit clients without a secret."""

    def register_grant(self, grant_cls: Any, extensions: Any = None) -> None:
        """Register a grant, as in Authlib.

        :raises ConfigurationError: It does not accept ``private_key_jwt``; the message says what to add.
        """
        check_grant_class(grant_cls)
        super().register_grant(grant_cls, extensions)

    def register_endpoint(self, endpoint: Any) -> None:
        """Register an endpoint of the application's own, as in Authlib; a view calls ``create_endpoint_response``.

        :raises ConfigurationError: It does not accept ``private_key_jwt``; the message says what to add.
        """
        check_endpoint_class(endpoint)
        super().register_endpoint(endpoint)

    def register_client_auth_method(self, method: str, func: Any) -> NoReturn:
        """Refuse: ``private_key_jwt`` is the only way in.

        :raises ConfigurationError: Always.
        """
        raise ConfigurationError(
            f"Client authentication method {method!r} cannot be added: clients authenticate with private_key_jwt only."
        )

    def save_token(self, token: dict[str, Any], request: TokenRequest) -> None:
        """Nothing: JWT access tokens are not stored (RFC 9068)."""
