"""Which clients may use which grant, and what the application adds to each token."""

from collections.abc import Callable, Mapping
from typing import Any

from ...errors import UnauthorizedClient
from ...settings.server import ServerSettings
from ..registered_client import RegisteredBy, RegisteredClient
from ..request import FormRequest
from ..tokens.access_token import Grant
from . import BUILT_IN, BY_PEOPLE

TokenPolicy = Callable[[RegisteredClient, FormRequest, Grant], Mapping[str, Any] | None]
"""Client, request and grant -> further claims; raise an :class:`~flask_private_key_jwt.errors.OAuthError` to refuse."""


def is_open_to(client: RegisteredClient, grant_type: str, settings: ServerSettings) -> bool:
    """Whether *client* may be registered for a grant type, and use it."""
    return client.is_vouched_for(settings) or grant_type in list_open_grants(client.registered_by, settings)


def list_open_grants(registered_by: RegisteredBy, settings: ServerSettings) -> frozenset[str]:
    """The grants that are open to clients which the operator does not stand behind.

    An application made its own grants for certain clients. So others get only the built-in grants, and those that
    ``OAUTH2_REGISTRATION_GRANT_TYPES`` names. Where anybody can be such a client, the built-in ones are only those that
    a person has to allow: otherwise everybody would get a token without asking anyone.
    """
    built_in = BY_PEOPLE if _can_be_anybody(registered_by, settings) else BUILT_IN
    return built_in.union(settings.REGISTRATION_GRANT_TYPES)


def _can_be_anybody(registered_by: RegisteredBy, settings: ServerSettings) -> bool:
    if registered_by == "document":
        return settings.takes_any_document or settings.PROFILE == "atproto"
    return settings.PROFILE == "mcp" and settings.REGISTRATION == "open"


def check_may_use(client: RegisteredClient, grant_type: str, settings: ServerSettings) -> None:
    """Refuse a grant type that the client is not registered for, or that is not open to it (any more).

    :raises UnauthorizedClient: The client may not use it (RFC 7591 §2).
    """
    if grant_type not in client.grant_types:
        raise UnauthorizedClient(f"not registered for {grant_type!r}", cause="grant_type_not_registered")
    if not is_open_to(client, grant_type, settings):
        reason = f"{grant_type!r} is for the operator's clients, and OAUTH2_REGISTRATION_GRANT_TYPES does not name it"
        raise UnauthorizedClient(reason, cause="grant_type_not_open")
