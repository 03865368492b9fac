"""Where an authorization response may go: what a client may register, and what then matches (RFC 9700 §2.1)."""

import re
from collections.abc import Collection

from ..url import URL, find_url, read_url

MAX_REDIRECT_URI_CHARACTERS = 2048
_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::[0-9]{1,5})?((?:[/?].*)?)")
"""RFC 8252 §7.3. An address is better than ``localhost``, which a resolver may send elsewhere (§8.3), but that is what
command-line programs register (OpenID Registration §2 names it)."""
_ON_LOOPBACK = "127.0.0.1, [::1] or localhost"


def check_redirect_uri(uri: str, *, native: bool) -> None:
    """Refuse what no client may register (RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §2.1).

    :param native: Whether it is an application on a person's own device: loopback http and private schemes are its.
    :raises ValueError: The end of a sentence that says why.
    """
    if len(uri) > MAX_REDIRECT_URI_CHARACTERS:
        raise ValueError(f"is longer than {MAX_REDIRECT_URI_CHARACTERS} characters")
    if "#" in uri or "*" in uri:  # some take an asterisk for a wildcard
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
        _check_native(uri, url)


def _check_native(uri: str, url: URL) -> None:
    if url.scheme == "http":
        if not _LOOPBACK.fullmatch(uri):
            raise ValueError(f"is http, but not on {_ON_LOOPBACK}")
    elif "." not in url.scheme:
        # RFC 8252 §7.1: a domain the author holds, reversed. It also keeps javascript:, data: and file: out.
        raise ValueError("has a scheme that is not a reversed domain name, such as com.example.app:/callback")
    elif url.authority:
        raise ValueError("names a host after its own scheme: one slash, not two, as in com.example.app:/callback")


def is_on_device(uri: str) -> bool:
    """Whether *uri* leads to a program on a person's own device: http on loopback, or a scheme of its own.

    A look, not a check: what a registration may hold is :func:`check_redirect_uri`.
    """
    scheme, colon, _ = uri.partition(":")
    return colon != "" and ("." in scheme if scheme != "http" else _LOOPBACK.fullmatch(uri) is not None)


def is_registered(uri: str, registered: Collection[str], *, native: bool) -> bool:
    """Whether *uri* is, character by character, one of *registered* (RFC 9700 §2.1).

    Of a native application's loopback address, or ``localhost``, the port may differ: the system gives it out
    (RFC 8252 §7.3).
    """
    if uri in registered:
        return True
    return native and (bare := _without_port(uri)) is not None and bare in {_without_port(item) for item in registered}


def is_claimed(uri: str) -> bool:
    """Whether a redirect URI belongs to one party on every device: what arrives there is not some other program's."""
    return uri.startswith("https://")


def _without_port(uri: str) -> str | None:
    """A loopback address without its port; ``None`` for any other URI, or a port that there is none of."""
    match = _LOOPBACK.fullmatch(uri)
    return match[1] + match[2] if match and find_url(uri) else None
