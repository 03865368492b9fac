"""The one URL parser of this package (RFC 3986): what it refuses is no URL anywhere in this package.

Parsers disagree about unusual URLs, and an attacker can use that: one parser checks a host, another connects to a
different host. So this one is strict, and repairs nothing. Each caller adds its own rules: https, public, registered.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address

DEFAULT_PORTS = {"http": 80, "https": 443}
LARGEST_PORT = 65535
# The characters of a URI (RFC 3986 §2), with complete escapes. No space, quote, backslash, "<" or control character:
# some parsers drop or replace them, and in an HTML page they could end the attribute that holds the URL.
_TEXT = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*")
_PARTS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?")
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::(.*))?")
_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?")
_INTERNATIONAL_NAME = re.compile(r"[A-Za-z0-9._\-\u0080-\U0010ffff]+")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]+")  # no zone: it names an interface of the machine that connects
_PORT = re.compile(r"[0-9]{0,5}")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_USER = re.compile(r"(?<=://)[^/?#]*@")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PROXIES = ("http", "https", "socks5", "socks5h")


class BadURL(ValueError):
    """A string is not an acceptable URL. The message is the end of a sentence about it, and quotes none of it."""


@dataclass(frozen=True, slots=True)
class URL:
    """A parsed absolute URI; it is a URL if it has a host."""

    scheme: str
    """In lower case."""
    authority: str
    """Host and port as they are written; empty if there is no host, as in ``urn:example:api``."""
    host: str
    """In lower case, an IPv6 address without its brackets; empty if there is none."""
    port: int | None
    """As it is written; ``None`` means the scheme's default port."""
    path: str
    query: str | None
    """``None`` if there is no query, not even an empty one."""
    fragment: str | None
    """As :attr:`query`."""

    @property
    def origin(self) -> str:
        """Scheme, host and port, normalized (RFC 6454 §6.2): two URLs with the same origin lead to the same server."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        shown_port = "" if self.port in (None, DEFAULT_PORTS.get(self.scheme)) else f":{self.port}"
        return f"{self.scheme}://{host}{shown_port}"

    @property
    def is_web(self) -> bool:
        """Whether it is http or https, with a host."""
        return self.scheme in DEFAULT_PORTS and self.host != ""

    @property
    def is_loopback(self) -> bool:
        """Whether it names this machine only."""
        return is_loopback_host(self.host)

    def check_protected(self) -> None:
        """Check that nobody on the network can read or change what is sent there: https, or http on loopback.

        :raises BadURL: The URL is neither.
        """
        if not self.is_web:
            raise BadURL("must be an absolute https URL")
        if self.scheme == "http" and not self.is_loopback:
            raise BadURL("must use https; http is accepted on 127.0.0.1, [::1] and localhost only")


def is_loopback_host(host: str) -> bool:
    """Whether *host* names this machine only."""
    return host in _LOOPBACK


def read_url(text: str, *, international: bool = False) -> URL:
    """Parse an absolute URI.

    A user name is refused, because people read it as the host: ``https://bank.example@evil.example``. An escape in the
    host is refused, because browsers decode it: they show one host and connect to another.

    :param international: Whether the host may contain non-ASCII letters; the caller must convert them to A-labels.
    :raises BadURL: *text* is not an absolute URI, or breaks one of these rules.
    """
    if not _TEXT.fullmatch(_BEYOND_ASCII.sub("", text) if international else text):
        raise BadURL("holds a character that no URL has")
    match = _PARTS.fullmatch(text)
    if match is None:
        raise BadURL("must be an absolute URL")
    scheme, authority, path, query, fragment = match.groups()
    if any(part and not part.isascii() for part in (path, query, fragment)):
        raise BadURL("holds a character that no URL has")
    host, port = _read_authority(authority or "", _INTERNATIONAL_NAME if international else _NAME)
    return URL(scheme.lower(), authority or "", host, port, path, query, fragment)


def find_url(text: str) -> URL | None:
    """As :func:`read_url`, but return ``None`` instead of raising."""
    try:
        return read_url(text)
    except BadURL:
        return None


def find_web_url(text: str) -> URL | None:
    """As :func:`find_url`; ``None`` also for a URL that is not http or https."""
    url = find_url(text)
    return url if url is not None and url.is_web else None


def read_proxy_url(text: str) -> URL:
    """Parse the URL of a proxy. It may contain a user name and a password; the result does not.

    :raises BadURL: It is not the URL of a proxy. The message quotes nothing of it, because it may contain a password.
    """
    bare = _USER.sub("", text, count=1)
    url = find_url(bare)
    # With a slash in the password, the user name would be parsed as the host and the start of the password as the port.
    if url is None or not url.host or url.port == 0 or url.scheme not in _PROXIES or "@" in bare:
        raise BadURL("must be the URL of a proxy, such as http://proxy.example:3128")
    return url


def _read_authority(authority: str, name: re.Pattern[str]) -> tuple[str, int | None]:
    if not authority:
        return "", None
    if "@" in authority:
        raise BadURL("holds a user name")
    match = _AUTHORITY.fullmatch(authority)
    host, port = match.groups() if match else ("", None)
    if not (_is_ipv6(host[1:-1]) if host.startswith("[") else name.fullmatch(host)):
        raise BadURL("has a host that is neither a name nor an IP address")
    if port is not None and (not _PORT.fullmatch(port) or int(port or 0) > LARGEST_PORT):
        raise BadURL(f"has a port that is not a number up to {LARGEST_PORT}")
    return host.strip("[]").lower(), int(port) if port else None


def _is_ipv6(text: str) -> bool:
    try:
        return _IPV6.fullmatch(text) is not None and IPv6Address(text) is not None
    except ValueError:
        return False
