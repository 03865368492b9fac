"""Redirect URIs: which ones a client may register, and which URIs match a registered one (RFC 9700 §2.1)."""

import re
from collections.abc import Collection

from ..web.url import URL, find_url, read_url

MAX_REDIRECT_URI_CHARACTERS = 2048
_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::[0-9]{1,5})?((?:[/?].*)?)")
"""RFC 8252 §7.3. An address is safer than ``localhost``, which a resolver may send elsewhere (§8.3). But command-line
programs register ``localhost``, and OpenID Registration §2 names it."""
_ON_LOOPBACK = "127.0.0.1, [::1] or localhost"


def check_redirect_uri(uri: str, *, native: bool, private_schemes: bool = True) -> None:
    """Refuse a redirect URI that no client may register (RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §2.1).

    :param native: Whether the client is a program on a person's own device: only such a client may use http on loopback
        or a private scheme.
    :param private_schemes: Whether such a client may use a private scheme.
    :raises ValueError: It may not be registered; the message is the end of a sentence that says why.
    """
    if len(uri) > MAX_REDIRECT_URI_CHARACTERS:
        raise ValueError(f"is longer than {MAX_REDIRECT_URI_CHARACTERS} characters")
    if "#" in uri or "*" in uri:  # some people expect an asterisk to work as a wildcard
        raise ValueError("is not a URI without a fragment and without a wildcard")
    url = read_url(uri)
    if url.scheme == "https":
        if not url.host:
            raise ValueError("names no host")
    elif not native:
        raise ValueError(
            f"is not https; application_type native may use http on {_ON_LOOPBACK}, or a scheme of its "
            "own that is a reversed domain name, such as com.example.app:/callback"
        )
    else:
        _check_native(uri, url, private_schemes=private_schemes)


def _check_native(uri: str, url: URL, *, private_schemes: bool) -> None:
    if url.scheme == "http":
        if not _LOOPBACK.fullmatch(uri):
            raise ValueError(f"is http, but not on {_ON_LOOPBACK}")
    elif not private_schemes:
        raise ValueError(f"is neither https nor http on {_ON_LOOPBACK}")
    elif "." not in url.scheme:
        # RFC 8252 §7.1: the author's domain, reversed. This rule also refuses javascript:, data: and file:.
        raise ValueError("has a scheme that is not a reversed domain name, such as com.example.app:/callback")
    elif url.authority:
        raise ValueError("names a host after its own scheme: one slash, not two, as in com.example.app:/callback")


def is_https_or_loopback(uri: str) -> bool:
    """Whether *uri* is https, or http on loopback."""
    return uri.startswith("https://") or _LOOPBACK.fullmatch(uri) is not None


def is_on_device(uri: str) -> bool:
    """Whether *uri* leads to a program on a person's own device: http on loopback, or a scheme of its own.

    It does not say whether *uri* may be registered: :func:`check_redirect_uri` does.
    """
    scheme, colon, _ = uri.partition(":")
    return colon != "" and ("." in scheme if scheme != "http" else _LOOPBACK.fullmatch(uri) is not None)


def is_registered(uri: str, registered: Collection[str], *, native: bool) -> bool:
    """Whether *uri* is, character by character, one of *registered* (RFC 9700 §2.1).

    The port of a native client's loopback URI may differ, because the operating system assigns it (RFC 8252 §7.3).
    """
    if uri in registered:
        return True
    return native and (bare := _without_port(uri)) is not None and bare in {_without_port(item) for item in registered}


def is_claimed(uri: str) -> bool:
    """Whether a redirect URI belongs to one party on every device: no other program can receive what is sent there."""
    return uri.startswith("https://")


def _without_port(uri: str) -> str | None:
    """A loopback URI without its port; ``None`` for any other URI, or for an impossible port."""
    match = _LOOPBACK.fullmatch(uri)
    return match[1] + match[2] if match and find_url(uri) else None
