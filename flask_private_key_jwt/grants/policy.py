"""What the application adds: its own grants, and its token policy."""

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ConfigurationError
from ..registered_client import RegisteredClient
from ..request import FormRequest
from ..tokens.access_token import Grant

TokenPolicy = Callable[[RegisteredClient, FormRequest, Grant], Mapping[str, Any] | None]
"""Client, request and grant -> further claims; raise an :class:`~flask_private_key_jwt.errors.OAuthError` to refuse."""


def check_grant_class(grant_class: Any) -> None:
    """Refuse a grant that could never authenticate a client here.

    :raises ConfigurationError: ``private_key_jwt`` is not among its methods (Authlib's default is
        ``client_secret_basic``).
    """
    methods = getattr(grant_class, "TOKEN_ENDPOINT_AUTH_METHODS", None)
    if hasattr(grant_class, "check_token_endpoint") and "private_key_jwt" not in (methods or ()):
        raise ConfigurationError(
            f"{grant_class.__name__} does not accept private_key_jwt, the way clients authenticate here. Add\n"
            f'    TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]\n'
            f"to the class. It has {methods!r}."
        )
