"""RFC 7591 metadata -> RegisteredClient: one set of rules for the command, for Python and for the endpoint.

The members are declared in :mod:`..registered_client`. Unknown members are ignored (RFC 7591 §2), never stored.
"""

import dataclasses
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import InvalidClientMetadata
from ...jose.unset import is_unset, without_unset
from ...settings.server import ServerSettings
from ...settings.values import OFFLINE_ACCESS
from ..client_members import check_members, describe_members
from ..grants import BUILT_IN
from ..grants.policy import is_open_to
from ..registered_client import MEMBERS, PUBLIC, RegisteredBy, RegisteredClient
from .authentication import check_authentication
from .redirects import CODE_GRANT, check_redirects, find_application_type
from .unsupported_members import UNSUPPORTED, check_unsupported

OPERATOR_MAX_BYTES = 262144
"""Largest registration by the operator, in bytes: enough for the largest number of keys, with certificates."""

_NEVER_KEPT = ("response_types", "subject_type", "client_secret")
"""Members that are checked but not kept: the server knows the value of the first two anyway, and refuses the third."""


def build_client(
    metadata: Mapping[str, Any],
    *,
    settings: ServerSettings,
    grant_types: Sequence[str],
    version: str,
    registered_by: RegisteredBy = "operator",
    max_bytes: int = OPERATOR_MAX_BYTES,
) -> RegisteredClient:
    """Check a registration and make a client of it (RFC 7591 §2, RFC 9449 §5.2).

    :param metadata: The members as JSON values; null or empty counts as absent. An absent ``client_id`` is made.
    :param grant_types: What the server's token endpoint answers.
    :param version: The new client's version.
    :param registered_by: Who registers the client.
    :param max_bytes: Largest registration: the size of the kept members as JSON.
    :raises InvalidClientMetadata: A member is not acceptable; the reason says which and why.
    """
    given = _complete(without_unset(metadata, keep=("response_types",)), settings, registered_by)
    check_unsupported(given, is_document=registered_by == "document")
    members = check_members(MEMBERS, given, settings)
    client = RegisteredClient(**members, version=version, registered_by=registered_by)
    client = dataclasses.replace(client, jwks=check_authentication(client, settings, grant_types))
    _check_assertion_audience(client, settings)
    _check_grant_types(client, grant_types)
    _check_scopes(client, settings, grant_types)
    check_redirects(client, given.get("response_types"), settings)
    _check_own_grants(client, settings)
    _check_size(given, client, max_bytes)
    return client


def describe_client(client: RegisteredClient) -> dict[str, Any]:
    """The registration as RFC 7591 metadata, with the operator's members; :func:`build_client` accepts it again."""
    for_people = CODE_GRANT in client.grant_types
    described = describe_members(MEMBERS, client, for_people=for_people)
    return {**described, "response_types": ["code"]} if for_people else described


def unknown_members(metadata: Mapping[str, Any]) -> list[str]:
    """The members of a registration that are ignored, for a warning to the operator."""
    return sorted(set(metadata).difference(MEMBERS, _NEVER_KEPT, UNSUPPORTED))


def with_default_scope(metadata: Mapping[str, Any], settings: ServerSettings) -> Mapping[str, Any]:
    """A new registration, with ``OAUTH2_DEFAULT_SCOPES`` if it names no ``scope`` (RFC 7591 §2).

    Only clients that use refresh tokens get the default scope ``offline_access``.
    """
    scope = metadata.get("scope")
    if not settings.DEFAULT_SCOPES or not is_unset(scope.strip(" ") if isinstance(scope, str) else scope):
        return metadata
    grant_types = metadata.get("grant_types")
    refreshes = isinstance(grant_types, list) and "refresh_token" in grant_types
    default = (token for token in settings.DEFAULT_SCOPES if refreshes or token != OFFLINE_ACCESS)
    return {**metadata, "scope": " ".join(default)}


# --- inside ------------------------------------------------------------------------------------------------
def _complete(given: dict[str, Any], settings: ServerSettings, registered_by: RegisteredBy) -> dict[str, Any]:
    """The registration with missing members added: a new ``client_id``, and defaults that depend on other members."""
    # Hex, so that a new client_id never starts with "-": a command line would read it as an option.
    defaults: dict[str, Any] = {"client_id": secrets.token_hex(16)}
    if settings.PROFILE == "mcp" and registered_by == "client" and not {"jwks", "jwks_uri"} & given.keys():
        # An MCP client that names no method and has no keys means to be told one (RFC 7591 §3.2.1).
        given = {"token_endpoint_auth_method": PUBLIC, **given}
    if given.get("token_endpoint_auth_method") == PUBLIC and not settings.PUBLIC_BEARER_TOKENS:
        defaults["dpop_bound_access_tokens"] = True
    return {**defaults, **given, "application_type": find_application_type(given, settings)}


def _check_assertion_audience(client: RegisteredClient, settings: ServerSettings) -> None:
    if client.assertion_audience != "issuer" and settings.PROFILE == "fapi2":
        raise InvalidClientMetadata(
            f"assertion_audience {client.assertion_audience!r} contradicts OAUTH2_PROFILE = 'fapi2'",
            cause="assertion_audience_fapi2",
        )


def _check_grant_types(client: RegisteredClient, served: Sequence[str]) -> None:
    if unknown := sorted(client.grant_types.difference(served)):
        raise InvalidClientMetadata(
            f"grant type {unknown[0]!r} is not supported; it may be {', '.join(served)}",
            cause="grant_type_not_supported",
        )


def _check_scopes(client: RegisteredClient, settings: ServerSettings, grant_types: Sequence[str]) -> None:
    """Allow ``OAUTH2_SCOPES``, and ``offline_access`` if refresh tokens are offered; without the setting, any scope."""
    if settings.SCOPES:
        allowed = {*settings.SCOPES, *([OFFLINE_ACCESS] if "refresh_token" in grant_types else ())}
        if unknown := sorted(client.scope - allowed):
            raise InvalidClientMetadata(
                f"scope holds {unknown[0]!r}, which is not in OAUTH2_SCOPES", cause="scope_not_offered"
            )
    if missing := [token for token in client.default_scope if token not in client.scope]:
        raise InvalidClientMetadata(
            f"default_scope holds {missing[0]!r}, which is not in scope", cause="default_scope_not_in_scope"
        )


def _check_own_grants(client: RegisteredClient, settings: ServerSettings) -> None:
    if kept_back := [name for name in sorted(client.grant_types) if not is_open_to(client, name, settings)]:
        why = "asks no person, and is" if kept_back[0] in BUILT_IN else "is the application's own,"
        raise InvalidClientMetadata(
            f"grant type {kept_back[0]!r} {why} for the operator's clients; others may use it if "
            "the operator vouches for the client, or OAUTH2_REGISTRATION_GRANT_TYPES names it",
            cause="grant_type_not_open",
        )


def _check_size(given: Mapping[str, Any], client: RegisteredClient, max_bytes: int) -> None:
    """Refuse a registration that is too large, because every worker keeps clients in memory."""
    kept = {name: value for name, value in given.items() if name in MEMBERS} | {"jwks": client.jwks}
    size = len(json.dumps(kept, ensure_ascii=False).encode())
    if size > max_bytes:
        raise InvalidClientMetadata(
            f"the registration has {size} bytes, and at most {max_bytes} are kept", cause="registration_too_large"
        )
