"""Where a client may send a browser: redirect URIs, URIs after sign-out, and the response types (RFC 7591 §2.1)."""

from collections.abc import Collection, Mapping
from typing import Any

from ...errors import InvalidClientMetadata, InvalidRedirectURI
from ..redirect_uri import check_redirect_uri, is_on_device
from ..registered_client import ApplicationType, RegisteredClient

CODE_GRANT = "authorization_code"


def find_application_type(given: Mapping[str, Any]) -> ApplicationType:
    """The ``application_type`` of a client that names none: RFC 7591 does not define this member.

    If all redirect URIs lead to the person's own device, it is a native application (RFC 8252 §7.1, §7.3).

    :param given: The registration, without members that are ``None`` or empty.
    """
    uris = given.get("redirect_uris") or given.get("post_logout_redirect_uris")
    if isinstance(uris, list) and all(isinstance(uri, str) and is_on_device(uri) for uri in uris):
        return "native"
    return "web"


def check_redirects(client: RegisteredClient, response_types: object) -> None:
    """Check redirect URIs and response types against the grant types, and the form of each URI (RFC 9700 §2.1).

    :param response_types: As given in the registration; ``None``: absent.
    :raises InvalidRedirectURI: A redirect URI is not acceptable, or there is none.
    :raises InvalidClientMetadata: The response types do not fit the grant types, or a URI after sign-out is not
        acceptable (OpenID RP-Initiated Logout §3.1).
    """
    uses_code = CODE_GRANT in client.grant_types
    _check_response_types(response_types, uses_code=uses_code)
    if "refresh_token" in client.grant_types and not uses_code:
        raise InvalidClientMetadata(
            "grant type 'refresh_token' goes with authorization_code only", cause="refresh_token_without_code"
        )
    native = client.application_type == "native"
    _check_uris(client.redirect_uris, "redirect_uris", native=native, refusal=InvalidRedirectURI)
    if uses_code and not client.redirect_uris:
        raise InvalidRedirectURI(
            "redirect_uris is missing: authorization_code needs at least one", cause="redirect_uris_missing"
        )
    after_sign_out = client.post_logout_redirect_uris
    _check_uris(after_sign_out, "post_logout_redirect_uris", native=native, refusal=InvalidClientMetadata)


def _check_response_types(given: object, *, uses_code: bool) -> None:
    """RFC 7591 §2.1: ``code`` with authorization_code, and none without."""
    if given is None:
        return
    if uses_code and given != ["code"]:
        raise InvalidClientMetadata(
            f"response_types {str(given)[:100]!r} is not ['code']", cause="response_types_not_code"
        )
    if not uses_code and given != []:
        raise InvalidClientMetadata(
            "response_types is not empty, and none of the grant types has one", cause="response_types_without_grant"
        )


def _check_uris(uris: Collection[str], name: str, *, native: bool, refusal: type[InvalidClientMetadata]) -> None:
    for uri in uris:
        try:
            check_redirect_uri(uri, native=native)
        except ValueError as error:
            raise refusal(f"{name}: {uri[:200]!r} {error}", cause=f"{name}_not_accepted") from None
