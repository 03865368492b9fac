"""Where a client may send a browser: redirect URIs, URIs after sign-out, and the response types (RFC 7591 §2.1)."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from ...errors import InvalidClientMetadata, InvalidRedirectURI
from ...settings.server import ServerSettings
from ..redirect_uri import check_redirect_uri, is_on_device
from ..registered_client import RegisteredClient

CODE_GRANT = "authorization_code"


def find_application_type(given: Mapping[str, Any], settings: ServerSettings) -> object:
    """The ``application_type`` of a registration; RFC 7591 does not define this member, so many name none.

    If all redirect URIs lead to the person's own device, it is a native application (RFC 8252 §7.1, §7.3). Where any
    client may have such URIs, it is one if any of them does, whatever it says: the port may differ then.

    :param given: The registration, without members that are ``None`` or empty.
    """
    said: object = given.get("application_type")
    uris = given.get("redirect_uris") or given.get("post_logout_redirect_uris")
    on_device = [isinstance(uri, str) and is_on_device(uri) for uri in uris] if isinstance(uris, list) else []
    if settings.ALLOWED_REDIRECTS == "https_or_loopback" and any(on_device) and said in (None, "web"):
        return "native"
    if said is not None:
        return said
    return "native" if on_device and all(on_device) else "web"


def check_redirects(client: RegisteredClient, response_types: object, settings: ServerSettings) -> None:
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
    check = partial(
        check_redirect_uri,
        native=client.application_type == "native",
        private_schemes=settings.ALLOWED_REDIRECTS == "application_type",
    )
    _check_uris(client.redirect_uris, "redirect_uris", check, refusal=InvalidRedirectURI)
    if uses_code and not client.redirect_uris:
        raise InvalidRedirectURI(
            "redirect_uris is missing: authorization_code needs at least one", cause="redirect_uris_missing"
        )
    after_sign_out = client.post_logout_redirect_uris
    _check_uris(after_sign_out, "post_logout_redirect_uris", check, refusal=InvalidClientMetadata)


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


def _check_uris(
    uris: Collection[str], name: str, check: Callable[[str], None], *, refusal: type[InvalidClientMetadata]
) -> None:
    for uri in uris:
        try:
            check(uri)
        except ValueError as error:
            raise refusal(f"{name}: {uri[:200]!r} {error}", cause=f"{name}_not_accepted") from None
