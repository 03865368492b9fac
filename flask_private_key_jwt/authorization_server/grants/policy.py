"""What the application adds: its own grants, and its token policy."""

from collections.abc import Callable, Mapping
from typing import Any

from ...errors import ConfigurationError, UnauthorizedClient
from ...settings.server import ServerSettings
from ..registered_client import RegisteredClient
from ..request import FormRequest
from ..tokens.access_token import Grant
from . import GRANTS

TokenPolicy = Callable[[RegisteredClient, FormRequest, Grant], Mapping[str, Any] | None]
"""Client, request and grant -> further claims; raise an :class:`~flask_private_key_jwt.errors.OAuthError` to refuse."""


FORBIDDEN_GRANTS = {"password": "it hands a user's password to the client (RFC 9700 §2.4)"}
"""``grant_type`` -> why no application may bring it."""


def is_open_to(client: RegisteredClient, grant_type: str, settings: ServerSettings) -> bool:
    """Whether *client* may be registered for a grant type, and use it: an application's own is not for strangers.

    It was made for somebody; a client that nobody vouches for gets the built-in ones and what
    ``OAUTH2_REGISTRATION_GRANT_TYPES`` names.
    """
    return grant_type in GRANTS or grant_type in settings.REGISTRATION_GRANT_TYPES or client.is_vouched_for(settings)


def check_may_use(client: RegisteredClient, grant_type: str, settings: ServerSettings) -> None:
    """Refuse a grant type that the client is not registered for, or that is not for strangers (any more).

    :raises UnauthorizedClient: It may not use it (RFC 7591 §2).
    """
    if grant_type not in client.grant_types:
        raise UnauthorizedClient(f"not registered for {grant_type!r}", client_id=client.client_id)
    if not is_open_to(client, grant_type, settings):
        reason = f"{grant_type!r} is for the operator's clients, and OAUTH2_REGISTRATION_GRANT_TYPES does not name it"
        raise UnauthorizedClient(reason, client_id=client.client_id)


def check_grant_class(grant_class: Any) -> None:
    """Refuse a grant that could never answer a token request here, or never should.

    :raises ConfigurationError: It has no part in the token endpoint, ``private_key_jwt`` is not among its methods
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
    """Refuse an endpoint that could never authenticate a client here.

    :raises ConfigurationError: It authenticates clients, but not by ``private_key_jwt``.
    """
    methods = getattr(endpoint, "CLIENT_AUTH_METHODS", None)
    if methods is not None and "private_key_jwt" not in methods:
        name = endpoint.__name__ if isinstance(endpoint, type) else type(endpoint).__name__
        raise ConfigurationError(
            f"{name} does not accept private_key_jwt, the way clients authenticate here. Add\n"
            f'    CLIENT_AUTH_METHODS = ["private_key_jwt"]\n'
            f"to the class. It has {methods!r}."
        )
