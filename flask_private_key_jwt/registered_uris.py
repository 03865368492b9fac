"""URIs a client registers for people's browsers: where they are sent back to, and pages about the client."""

from urllib.parse import urlsplit

from .errors import InvalidClientMetadata, InvalidRedirectURI
from .settings import https_url

MAX_REDIRECT_URIS = 20
MAX_URI_CHARACTERS = 2048


def check_redirect_uris(uris: object) -> list[str]:
    """Check the ``redirect_uris`` of a registration (RFC 7591 §2, RFC 6749 §3.1.2).

    https, or http on this very machine for a native client (RFC 8252 §7.3); no fragment, user name or wildcard. They
    are returned as they are: later they are compared character by character (RFC 9700 §4.1.3).

    :raises InvalidRedirectURI: One of them is not acceptable.
    """
    if not isinstance(uris, list) or len(uris) > MAX_REDIRECT_URIS:
        raise InvalidRedirectURI(f"redirect_uris is not a list of at most {MAX_REDIRECT_URIS} URIs")
    for uri in uris:
        _check_redirect_uri(uri)
    return uris


def _check_redirect_uri(uri: object) -> None:
    if not isinstance(uri, str) or len(uri) > MAX_URI_CHARACTERS:
        raise InvalidRedirectURI(f"a redirect URI is not a text of at most {MAX_URI_CHARACTERS} characters")
    base, _, query = uri.partition("?")
    try:
        https_url(base)
    except ValueError as error:
        raise InvalidRedirectURI(f"redirect URI {uri[:200]!r} {error}") from None
    if "*" in uri or any(not "!" <= c <= "~" or c in '"\\<>#' for c in query):
        raise InvalidRedirectURI(
            f"redirect URI {uri[:200]!r} has a wildcard, a fragment or a character that no URI has"
        )


def check_page(name: str, uri: str) -> None:
    """Check the URI of a page or picture that people will be shown: a browser must not run it (RFC 7591 §5).

    :param name: The member, e.g. ``logo_uri``.
    :raises InvalidClientMetadata: It is not the URL of a web page.
    """
    try:
        parts = urlsplit(uri)
        is_page = parts.scheme in ("https", "http") and bool(parts.hostname)
    except ValueError:
        is_page = False
    # urlsplit passes over line ends and tabs, as browsers do.
    if not is_page or not uri.isprintable() or " " in uri:
        raise InvalidClientMetadata(f"{name} {uri[:200]!r} is not the URL of a web page")
