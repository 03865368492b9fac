"""URIs of pages about a client, which a browser will show."""

import re
from urllib.parse import urlsplit

from .errors import InvalidClientMetadata

_ORIGIN = re.compile(r"https://[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::[0-9]{1,5})?(?=[/?#]|$)")
"""What may stand in a Content-Security-Policy as it is: no ``;``, no user name, no other alphabet."""


def find_picture_origin(uri: str) -> str | None:
    """The origin that a page must allow to show the picture at *uri*; ``None``: it is not shown."""
    match = _ORIGIN.match(uri)
    return match[0] if match else None


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
