"""RFC 7591 metadata -> RegisteredClient: one set of rules for the command, for Python and for the endpoint.

Members that are not known are ignored (RFC 7591 §2), never stored. What only the operator may set is listed in
:data:`OPERATOR_MEMBERS`.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import InvalidClientMetadata, UnapprovedSoftwareStatement
from ...jose.unset import is_unset, without_unset
from ...settings.server import ServerSettings
from ...settings.values import OFFLINE_ACCESS, scope_tokens
from ..grants.policy import is_open_to
from ..grants.scope import MAX_SCOPE_CHARACTERS, split_scope
from ..readable_text import is_plain, is_visible_name
from ..registered_client import PUBLIC, RegisteredBy, RegisteredClient, is_client_id
from ..registered_uris import check_page
from .key_source import check_key_source
from .openid import (
    OPENID_MEMBERS,
    check_introspection_resources,
    check_max_age,
    check_openid,
    check_post_logout,
    check_signed_requests,
    describe_openid,
)
from .redirects import CODE_GRANT, check_public_client, check_redirects, find_application_type, supported_methods
from .unsupported_members import UNSUPPORTED, check_unsupported

OPERATOR_MEMBERS = (
    "client_id",
    "default_scope",
    "assertion_audience",
    "introspection_resources",
    "owner",
    "enabled",
)
"""Members a client cannot choose for itself."""

PAGE_MEMBERS = ("client_uri", "logo_uri", "tos_uri", "policy_uri")
TEXT_MEMBERS = (*PAGE_MEMBERS, "software_id", "software_version")
MAX_TEXT_CHARACTERS = 2048
MAX_CONTACTS = 20
OPERATOR_MAX_BYTES = 262144
"""Largest registration that the operator makes, in bytes: room for the most keys there may be, with certificates."""


def build_client(
    metadata: Mapping[str, Any],
    *,
    settings: ServerSettings,
    grant_types: Sequence[str],
    version: str,
    registered_by: RegisteredBy = "operator",
    max_bytes: int = OPERATOR_MAX_BYTES,
) -> RegisteredClient:
    """Check a registration and make the client of it (RFC 7591 §2, RFC 9449 §5.2).

    :param metadata: The members, as JSON gives them; null or empty counts as absent, and an absent ``client_id`` is
        made.
    :param grant_types: What the server's token endpoint answers.
    :param version: The new client's version.
    :param registered_by: Whose word the registration is.
    :param max_bytes: Largest registration, as JSON of what is kept of it.
    :raises InvalidClientMetadata: A member is not acceptable; the reason says which and why.
    """
    metadata = without_unset(metadata, keep=("response_types",))
    if "software_statement" in metadata:
        raise UnapprovedSoftwareStatement("a software_statement, whoever signed it: this server trusts no issuer")
    check_unsupported(metadata, is_document=registered_by == "document")
    alg = _text(metadata, "token_endpoint_auth_signing_alg")
    method = _one_of(metadata, "token_endpoint_auth_method", supported_methods(settings, grant_types))
    public = method == PUBLIC
    if public:
        check_public_client(metadata)
    jwks, jwks_uri = (None, None) if public else check_key_source(metadata, alg, settings)
    audience = _one_of(metadata, "assertion_audience", ("issuer", "compatibility"))
    if audience != "issuer" and settings.PROFILE == "fapi2":
        raise InvalidClientMetadata(f"assertion_audience {audience!r} contradicts OAUTH2_PROFILE = 'fapi2'")
    granted_types = _check_grant_types(metadata, grant_types)
    metadata.setdefault("application_type", find_application_type(metadata))
    application_type = _one_of(metadata, "application_type", ("web", "native"))
    scope = _check_scope(metadata, "scope", _registrable_scopes(settings, grant_types))
    default_scope = _check_scope(metadata, "default_scope", ())
    if missing := [token for token in default_scope if token not in scope]:
        raise InvalidClientMetadata(f"default_scope holds {missing[0]!r}, which is not in scope")
    client = RegisteredClient(
        client_id=_check_client_id(metadata),
        version=version,
        enabled=_flag(metadata, "enabled", default=True),
        jwks=jwks,
        jwks_uri=jwks_uri,
        grant_types=granted_types,
        scope=frozenset(scope),
        default_scope=default_scope,
        token_endpoint_auth_method=method,
        token_endpoint_auth_signing_alg=alg,
        dpop_bound_access_tokens=_flag(metadata, "dpop_bound_access_tokens", default=public),
        assertion_audience=audience,  # type: ignore[arg-type]
        client_name=_check_name(metadata),
        owner=_text(metadata, "owner", longest=255),
        redirect_uris=check_redirects(metadata, granted_types, native=application_type == "native"),
        application_type=application_type,  # type: ignore[arg-type]
        require_pushed_authorization_requests=_flag(metadata, "require_pushed_authorization_requests", default=False),
        require_signed_request_object=_flag(metadata, "require_signed_request_object", default=False),
        request_object_signing_alg=check_signed_requests(metadata, settings, public=public),
        post_logout_redirect_uris=check_post_logout(metadata, native=application_type == "native"),
        default_max_age=check_max_age(metadata),
        require_auth_time=_flag(metadata, "require_auth_time", default=False),
        introspection_resources=check_introspection_resources(metadata, settings),
        registered_by=registered_by,
        metadata={**_check_descriptions(metadata), **check_openid(metadata, settings)},
    )
    _check_own_grants(client, settings)
    _check_size(client, max_bytes)
    return client


def describe_client(client: RegisteredClient) -> dict[str, Any]:
    """The registration as RFC 7591 metadata, with the operator's members; :func:`build_client` takes it back."""
    members: dict[str, Any] = {
        "client_id": client.client_id,
        "client_name": client.client_name,
        "token_endpoint_auth_method": client.token_endpoint_auth_method,
        "token_endpoint_auth_signing_alg": client.token_endpoint_auth_signing_alg,
        "grant_types": sorted(client.grant_types),
        "scope": " ".join(sorted(client.scope)),
        "default_scope": " ".join(client.default_scope),
        "dpop_bound_access_tokens": client.dpop_bound_access_tokens,
        "jwks": client.jwks,
        "jwks_uri": client.jwks_uri,
        **_describe_redirects(client),
        **describe_openid(client),
        **client.metadata,
        "assertion_audience": client.assertion_audience,
        "owner": client.owner,
        "enabled": client.enabled,
    }
    return {name: value for name, value in members.items() if value not in (None, "")}


def _describe_redirects(client: RegisteredClient) -> dict[str, Any]:
    """The members of a client that acts for people; of another one those that differ from what their absence says."""
    uses_code = CODE_GRANT in client.grant_types
    members: dict[str, Any] = {}
    if client.redirect_uris:
        members["redirect_uris"] = list(client.redirect_uris)
    if uses_code:
        members["response_types"] = ["code"]
    if uses_code or client.application_type != "web":
        members["application_type"] = client.application_type
    if uses_code or client.require_pushed_authorization_requests:
        members["require_pushed_authorization_requests"] = client.require_pushed_authorization_requests
    return members


def unknown_members(metadata: Mapping[str, Any]) -> list[str]:
    """The members of a registration that are ignored, for a warning to the operator."""
    known = {
        "client_name",
        "token_endpoint_auth_method",
        "token_endpoint_auth_signing_alg",
        "grant_types",
        "scope",
        "dpop_bound_access_tokens",
        "jwks",
        "jwks_uri",
        "redirect_uris",
        "response_types",
        "application_type",
        "require_pushed_authorization_requests",
        "contacts",
        *TEXT_MEMBERS,
        *OPENID_MEMBERS,
        *OPERATOR_MEMBERS,
        *UNSUPPORTED,
    }
    return sorted(set(metadata) - known)


def _check_client_id(metadata: Mapping[str, Any]) -> str:
    client_id = metadata.get("client_id")
    if client_id is None:
        return secrets.token_hex(16)  # never opens with "-", which a command line takes for an option
    if not isinstance(client_id, str) or not is_client_id(client_id):
        raise InvalidClientMetadata("client_id is not a string of 1 to 255 printable ASCII characters")
    return client_id


def _check_name(metadata: Mapping[str, Any]) -> str | None:
    """The name people read on the consent page: no line breaks, and nothing that turns the text around it."""
    name = _text(metadata, "client_name", longest=255)
    if name is not None and not is_visible_name(name):
        raise InvalidClientMetadata("client_name is blank, or holds characters that cannot be seen")
    return name


def _check_scope(metadata: Mapping[str, Any], name: str, allowed: Sequence[str]) -> tuple[str, ...]:
    text = metadata.get(name)
    if text is None:
        return ()
    if not isinstance(text, str):
        raise InvalidClientMetadata(f"{name} is not a string of scopes with spaces between")
    if len(text) > MAX_SCOPE_CHARACTERS:
        raise InvalidClientMetadata(f"{name} is longer than {MAX_SCOPE_CHARACTERS} characters")
    tokens = split_scope(text)
    try:
        scope_tokens(tokens)
    except ValueError as error:
        raise InvalidClientMetadata(f"{name} {error}") from None
    if allowed and (unknown := [token for token in tokens if token not in allowed]):
        raise InvalidClientMetadata(f"{name} holds {unknown[0]!r}, which is not in OAUTH2_SCOPES")
    return tokens


def with_default_scope(metadata: Mapping[str, Any], settings: ServerSettings) -> Mapping[str, Any]:
    """A new registration, with ``OAUTH2_DEFAULT_SCOPES`` where it names no ``scope`` (RFC 7591 §2).

    Of those ``offline_access`` is for clients that use refresh tokens.
    """
    scope = metadata.get("scope")
    if not settings.DEFAULT_SCOPES or not is_unset(scope.strip(" ") if isinstance(scope, str) else scope):
        return metadata
    grant_types = metadata.get("grant_types")
    refreshes = isinstance(grant_types, list) and "refresh_token" in grant_types
    default = (token for token in settings.DEFAULT_SCOPES if refreshes or token != OFFLINE_ACCESS)
    return {**metadata, "scope": " ".join(default)}


def _registrable_scopes(settings: ServerSettings, grant_types: Sequence[str]) -> Sequence[str]:
    """``OAUTH2_SCOPES``, and ``offline_access`` wherever refresh tokens are offered; empty: any scope."""
    if settings.SCOPES and "refresh_token" in grant_types:
        return (*settings.SCOPES, OFFLINE_ACCESS)
    return settings.SCOPES


def _check_grant_types(metadata: Mapping[str, Any], supported: Sequence[str]) -> frozenset[str]:
    given = metadata.get("grant_types", ["client_credentials"])
    if not isinstance(given, list) or not given or not all(isinstance(item, str) for item in given):
        raise InvalidClientMetadata("grant_types is not a list of grant types")
    if unknown := [item for item in given if item not in supported]:
        raise InvalidClientMetadata(f"grant type {unknown[0]!r} is not supported; it may be {', '.join(supported)}")
    return frozenset(given)


def _check_own_grants(client: RegisteredClient, settings: ServerSettings) -> None:
    if kept_back := [name for name in sorted(client.grant_types) if not is_open_to(client, name, settings)]:
        raise InvalidClientMetadata(
            f"grant type {kept_back[0]!r} is the application's own, for the operator's clients; others may use it if "
            "the operator vouches for the client, or OAUTH2_REGISTRATION_GRANT_TYPES names it"
        )


def _check_size(client: RegisteredClient, max_bytes: int) -> None:
    """Every worker that meets a client keeps it in memory, before anybody has proved to be that client."""
    size = len(json.dumps(describe_client(client), ensure_ascii=False).encode())
    if size > max_bytes:
        raise InvalidClientMetadata(f"the registration has {size} bytes, and at most {max_bytes} are kept")


def _check_descriptions(metadata: Mapping[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {name: text for name in TEXT_MEMBERS if (text := _text(metadata, name)) is not None}
    for name in PAGE_MEMBERS:
        if name in described:
            check_page(name, described[name])
    contacts = metadata.get("contacts")
    if contacts is None:
        return described
    if not isinstance(contacts, list) or len(contacts) > MAX_CONTACTS or not all(_is_text(item) for item in contacts):
        raise InvalidClientMetadata(
            f"contacts is not a list of at most {MAX_CONTACTS} strings, or one holds control characters"
        )
    return {**described, "contacts": contacts}


def _is_text(value: object, longest: int = MAX_TEXT_CHARACTERS) -> bool:
    """No control characters: an operator's terminal would obey them. Nor lone surrogates, which no database takes."""
    return isinstance(value, str) and 0 < len(value) <= longest and is_plain(value)


def _text(metadata: Mapping[str, Any], name: str, *, longest: int = MAX_TEXT_CHARACTERS) -> str | None:
    value = metadata.get(name)
    if value is not None and not _is_text(value, longest):
        raise InvalidClientMetadata(f"{name} is not a string of 1 to {longest} characters, or holds control characters")
    return value


def _flag(metadata: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = metadata.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise InvalidClientMetadata(f"{name} is not true or false")
    return value


def _one_of(metadata: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    value = metadata.get(name, allowed[0])
    if value not in allowed:
        raise InvalidClientMetadata(f"{name} {str(value)[:100]!r} is not supported; it may be {', '.join(allowed)}")
    return str(value)
