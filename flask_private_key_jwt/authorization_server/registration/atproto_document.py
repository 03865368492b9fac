"""The client metadata documents of ``OAUTH2_PROFILE = "atproto"`` (§ Clients of https://atproto.com/specs/oauth).

These rules come before those that hold for every registration, and are stricter. A :class:`ValueError` says which one a
document breaks; the log has it, and the client is unknown.
"""

from collections.abc import Collection, Mapping
from ipaddress import ip_address
from typing import Any

from ...settings.profiles import ATPROTO_SCOPE
from ...web.url import URL, find_url, find_web_url, read_url
from ..client_members import split_scope
from ..registered_client import PUBLIC

NAMES = ("client_name", "client_uri", "logo_uri", "tos_uri", "policy_uri")
"""What a client says of itself to people."""
_PAGES = NAMES[1:]
_GRANT_TYPES = ("authorization_code", "refresh_token")
"""All that a document's client may use: it never acts for itself."""
_REQUIRED = ("scope", "grant_types", "response_types", "redirect_uris", "dpop_bound_access_tokens")


def check_document(url: str, members: Mapping[str, Any], *, trusted: Collection[str]) -> dict[str, Any]:
    """Check a document by the rules of the profile; return its members as they count.

    :param url: Where it was fetched: the ``client_id``.
    :param members: Without those that are null or empty.
    :param trusted: ``OAUTH2_TRUSTED_CLIENT_IDS``. What any other client says of itself to people is left out, so that
        nobody can pass for another client.
    :raises ValueError: It breaks a rule; the message is a whole sentence, without a full stop.
    """
    client = read_url(url)
    if client.port is not None or _is_address(client.host) or client.path.endswith("/"):
        raise ValueError(
            "the client_id names a port, an address in place of a host name, or a path that ends in a slash"
        )
    if missing := [name for name in _REQUIRED if name not in members]:
        raise ValueError(f"{missing[0]} is missing")
    if members["dpop_bound_access_tokens"] is not True:
        raise ValueError("dpop_bound_access_tokens is not true")
    _check_holds("grant_types", members["grant_types"], "authorization_code")
    _check_holds("response_types", members["response_types"], "code")
    _check_scope(members["scope"])
    _check_pages(client, members)
    counting = {"application_type": "web", "token_endpoint_auth_method": PUBLIC, **members}
    counting["grant_types"] = [name for name in _GRANT_TYPES if name in members["grant_types"]]
    _check_redirect_uris(client, counting["redirect_uris"], native=counting["application_type"] == "native")
    if url in trusted:
        return counting
    return {name: value for name, value in counting.items() if name not in NAMES}


def _is_address(host: str) -> bool:
    try:
        return ip_address(host) is not None
    except ValueError:
        return False


def _check_holds(name: str, values: object, wanted: str) -> None:
    if not isinstance(values, list) or wanted not in values:
        raise ValueError(f"{name} does not hold {wanted!r}")


def _check_scope(scope: object) -> None:
    tokens = split_scope(scope) if isinstance(scope, str) else ()
    if ATPROTO_SCOPE not in tokens:
        raise ValueError(f"scope does not hold {ATPROTO_SCOPE!r}")


def _check_pages(client: URL, members: Mapping[str, Any]) -> None:
    """All pages are https; ``client_uri`` is at the host of the ``client_id``."""
    for name in _PAGES:
        if (value := members.get(name)) is None:
            continue
        page = find_web_url(value) if isinstance(value, str) else None
        if page is None or page.scheme != "https":
            raise ValueError(f"{name} is not an https URL")
        if name == "client_uri" and page.host != client.host:
            raise ValueError("client_uri is at another host than the client_id")


def _check_redirect_uris(client: URL, uris: object, *, native: bool) -> None:
    if not isinstance(uris, list) or not uris:
        raise ValueError("redirect_uris is not a list with at least one")
    for uri in uris:
        _check_redirect_uri(client, uri, native=native)


def _check_redirect_uri(client: URL, text: object, *, native: bool) -> None:
    """§ Request Fields: https; of a native client at its own origin, or with the scheme that is its host reversed."""
    if not isinstance(text, str) or (url := find_url(text)) is None:
        raise ValueError("a redirect URI is not a URI")
    if url.scheme == "https":
        if url.port == 443:  # written out; the origin of a URL never has it
            raise ValueError("a redirect URI names the default port")
        if native and url.origin != client.origin:
            raise ValueError("an https redirect URI of a native client is at another origin than the client_id")
    elif not native:
        raise ValueError("a redirect URI of a web client is not https")
    elif url.scheme != reverse_name(client.host):
        raise ValueError("the scheme of a redirect URI is not the host of the client_id in reverse order")
    elif text[len(url.scheme) :][:2] != ":/" or text[len(url.scheme) :][:3] == "://":
        raise ValueError("after its scheme, a redirect URI has not exactly one slash")


def reverse_name(host: str) -> str:
    """The labels of a host name in reverse order: ``com.example.app`` for ``app.example.com``."""
    return ".".join(reversed(host.split(".")))
