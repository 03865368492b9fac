"""URIs of a registration that a browser will show: pages about the client, and its logo."""

import re

from ..web.url import find_web_url

_NAME = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*")


def find_picture_origin(uri: str) -> str | None:
    """The origin that a page must allow to show the picture at *uri*; ``None``: it is not shown.

    It is copied into a Content-Security-Policy, which cannot name addresses in brackets (CSP 3 §2.3.1).
    """
    url = find_web_url(uri)
    return url.origin if url is not None and url.scheme == "https" and _NAME.fullmatch(url.host) else None


def check_page(uri: str) -> None:
    """Check the URI of a page or picture that people will be shown: a browser must not run it (RFC 7591 §5).

    :raises ValueError: It is not the URL of a web page.
    """
    if find_web_url(uri) is None:
        raise ValueError(f"{uri[:200]!r} is not the URL of a web page")
