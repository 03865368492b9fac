"""What a client that acts for people registers besides: where responses go, and what it does without a key."""

from collections.abc import Collection, Mapping, Set
from typing import Any

from ...errors import InvalidClientMetadata, InvalidRedirectURI
from ...settings.server import ServerSettings
from ..client_auth import CLIENT_AUTH_METHODS
from ..grants import GRANTS
from ..redirect_uri import check_redirect_uri, is_on_device
from ..registered_client import ApplicationType

CODE_GRANT = "authorization_code"
MAX_REDIRECT_URIS = 20


def supported_methods(settings: ServerSettings, grant_types: Collection[str]) -> tuple[str, ...]:
    """The ways to authenticate that a client may be registered for.

    :param grant_types: What the server's token endpoint answers.
    """
    return tuple(method.name for method in CLIENT_AUTH_METHODS if method.is_open(settings, grant_types))


def find_application_type(metadata: Mapping[str, Any]) -> ApplicationType:
    """What kind of application a client is that does not say so; RFC 7591 knows no ``application_type``.

    One whose redirect URIs all lead to the person's own device is a native application (RFC 8252 §7.1, §7.3).

    :param metadata: The registration, without members that are ``None`` or empty.
    """
    given = metadata.get("redirect_uris") or metadata.get("post_logout_redirect_uris")
    if isinstance(given, list) and all(isinstance(uri, str) and is_on_device(uri) for uri in given):
        return "native"
    return "web"


def check_redirects(metadata: Mapping[str, Any], grant_types: Set[str], *, native: bool) -> tuple[str, ...]:
    """Check ``redirect_uris`` and ``response_types`` against the grant types (RFC 7591 §2.1), and return the former.

    :param metadata: The registration, without members that are ``None``.
    :param native: Whether ``application_type`` is ``native``.
    :raises InvalidRedirectURI: A redirect URI is not acceptable, or there is none.
    :raises InvalidClientMetadata: The response types do not fit the grant types.
    """
    uses_code = CODE_GRANT in grant_types
    _check_response_types(metadata.get("response_types", ["code"] if uses_code else []), uses_code=uses_code)
    if "refresh_token" in grant_types and not uses_code:
        raise InvalidClientMetadata("grant type 'refresh_token' goes with authorization_code only")
    given = metadata.get("redirect_uris", [])
    uris = check_uris(given, name="redirect_uris", native=native, refusal=InvalidRedirectURI)
    if uses_code and not uris:
        raise InvalidRedirectURI("redirect_uris is missing: authorization_code needs at least one")
    return uris


def check_uris(given: object, *, name: str, native: bool, refusal: type[InvalidClientMetadata]) -> tuple[str, ...]:
    """Check a list of places that a browser may be sent to, and return it without doubles.

    :param name: The member.
    :raises InvalidClientMetadata: As *refusal*: one is not acceptable (RFC 9700 §2.1).
    """
    if not isinstance(given, list) or len(given) > MAX_REDIRECT_URIS or not all(isinstance(uri, str) for uri in given):
        raise refusal(f"{name} is not a list of at most {MAX_REDIRECT_URIS} strings")
    for uri in given:
        try:
            check_redirect_uri(uri, native=native)
        except ValueError as error:
            raise refusal(f"{name}: {uri[:200]!r} {error}") from None
    return tuple(dict.fromkeys(given))


def _check_response_types(response_types: object, *, uses_code: bool) -> None:
    """RFC 7591 §2.1: ``code`` with authorization_code, and none without."""
    if uses_code and response_types != ["code"]:
        raise InvalidClientMetadata(f"response_types {str(response_types)[:100]!r} is not ['code']")
    if not uses_code and response_types != []:
        raise InvalidClientMetadata("response_types is not empty, and none of the grant types has one")


def check_public_client(metadata: Mapping[str, Any]) -> None:
    """Refuse what a client that cannot authenticate must not have (RFC 6749 §4.4, RFC 9700 §2.2).

    :param metadata: The registration, without members that are ``None``.
    :raises InvalidClientMetadata: It has keys, or asks for unbound tokens or for tokens of its own.
    """
    for name in ("jwks", "jwks_uri", "token_endpoint_auth_signing_alg"):
        if name in metadata:
            raise InvalidClientMetadata(f"{name} is there, but token_endpoint_auth_method is 'none'")
    if metadata.get("dpop_bound_access_tokens") is False:
        raise InvalidClientMetadata("dpop_bound_access_tokens is false, but a public client's tokens are always bound")
    given = metadata.get("grant_types", ["client_credentials"])
    kept_back = [grant for grant in GRANTS if not grant.for_public_clients]
    for grant in kept_back if isinstance(given, list) else ():  # what is no list is refused later
        if grant.name in given:
            raise InvalidClientMetadata(f"grant type {grant.name!r} is not for a public client; name its grant_types")
