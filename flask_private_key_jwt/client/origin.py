"""The origin that a token may be sent to (RFC 6454 §4)."""

from ..errors import ConfigurationError
from ..web.url import BadURL, find_web_url


def find_origin(url: str | None) -> str | None:
    """The origin of *url*; ``None`` if :mod:`..url` refuses it, because URL parsers may disagree about it."""
    found = find_web_url(url or "")
    return found.origin if found is not None else None


def load_origin(url: str) -> str:
    """The origin that tokens will be sent to.

    :raises ConfigurationError: It is not an http(s) URL, or tokens would be sent there unencrypted.
    """
    found = find_web_url(url)
    if found is None:
        raise ConfigurationError(
            f"{url!r} has no origin to bind tokens to: give the API's URL, such as https://api.example, as resource; "
            "or as origin, where resource is not a URL."
        )
    try:
        found.check_protected()
    except BadURL as problem:
        raise ConfigurationError(f"{url!r} {problem}.") from None
    return found.origin
