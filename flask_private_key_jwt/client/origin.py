"""The origin a token belongs to (RFC 6454 §4), and nowhere else."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import ConfigurationError
from ..settings.values import is_loopback_host

_PORTS = {"http": 80, "https": 443}
# A plain host and port. User names, escapes, backslashes and letters beyond ASCII are where URL parsers disagree about
# which host is meant, so none of them is compared: they are no origin of ours.
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{0,5})?")


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")


def find_origin(url: str | None) -> Origin | None:
    """The origin of *url*, or ``None`` when it has none that every URL parser agrees on."""
    if not url or any(character <= " " or character > "~" or character == "\\" for character in url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or not _AUTHORITY.fullmatch(parts.netloc):
        return None
    return Origin(parts.scheme, parts.hostname, _PORTS[parts.scheme] if port is None else port)


def load_origin(url: str) -> Origin:
    """The origin that tokens will be sent to.

    :raises ConfigurationError: It is no http(s) URL, or one that would carry tokens in the clear.
    """
    origin = find_origin(url)
    if origin is None:
        raise ConfigurationError(
            f"{url!r} has no origin to bind tokens to: give the API's URL, such as https://api.example, as resource; "
            "or as origin, where resource is not a URL."
        )
    if origin.scheme == "http" and not is_loopback_host(origin.host):
        raise ConfigurationError(f"{url!r} must use https; http is accepted on 127.0.0.1, [::1] and localhost only.")
    return origin
