"""URIs of pages about a client, which a browser will show."""

import re
from urllib.parse import urlsplit

# What a URI may hold at all (RFC 3986 §2): no quote, which could end the attribute of a page it is written into.
_URI = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")
_ORIGIN = re.compile(r"https://[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::[0-9]{1,5})?(?=[/?#]|$)")
"""What may stand in a Content-Security-Policy as it is: no ``;``, no user name, no other alphabet."""


def find_picture_origin(uri: str) -> str | None:
    """The origin that a page must allow to show the picture at *uri*; ``None``: it is not shown."""
    match = _ORIGIN.match(uri)
    return match[0] if match else None


def check_page(uri: str) -> None:
    """Check the URI of a page or picture that people will be shown: a browser must not run it (RFC 7591 §5).

    :raises ValueError: It is not the URL of a web page.
    """
    try:
        parts = urlsplit(uri)
        is_page = parts.scheme in ("https", "http") and bool(parts.hostname)
    except ValueError:
        is_page = False
    # A user name would be read as the host, https://bank.example@evil.example; an escape there is decoded by browsers.
    if not is_page or not _URI.fullmatch(uri) or "@" in parts.netloc or "%" in parts.netloc:
        raise ValueError(f"{uri[:200]!r} is not the URL of a web page")
