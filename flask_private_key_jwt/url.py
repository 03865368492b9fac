"""The one reader of URLs (RFC 3986): what it refuses, no part of this package takes for a URL.

Readers of URLs disagree about the odd ones, and an attacker lives on that: one checks a host, another connects to
another. So this one is strict, and does not mend what it reads. What else a URL must be (https, public, registered) is
the rule of the place that asks.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address

DEFAULT_PORTS = {"http": 80, "https": 443}
LARGEST_PORT = 65535
# What a URI is made of (RFC 3986 §2), with whole escapes. No space, quote, backslash, "<" or control character: some
# readers drop them, some take them for others, and a page would be ended by them.
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
    """A text is not the URL it should be; the message is the end of a sentence about it, and quotes none of it."""


@dataclass(frozen=True, slots=True)
class URL:
    """An absolute URI, taken apart; a URL where it has a host."""

    scheme: str
    """In lower case."""
    authority: str
    """Host and port as they are written; empty where there are none, as in ``urn:example:api``."""
    host: str
    """In lower case, an IPv6 address without its brackets; empty where there is none."""
    port: int | None
    """As it is written; ``None``: the scheme's own."""
    path: str
    query: str | None
    """``None``: there is none, not even an empty one."""
    fragment: str | None
    """As :attr:`query`."""

    @property
    def origin(self) -> str:
        """Scheme, host and port in one spelling (RFC 6454 §6.2); two URLs with the same one lead to the same server."""
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
        """Check that nobody on the way can read or change what is sent there: https, or http within this machine.

        :raises BadURL: Somebody could.
        """
        if not self.is_web:
            raise BadURL("must be an absolute https URL")
        if self.scheme == "http" and not self.is_loopback:
            raise BadURL("must use https; http is accepted on 127.0.0.1, [::1] and localhost only")


def is_loopback_host(host: str) -> bool:
    """Whether *host* names this machine only."""
    return host in _LOOPBACK


def read_url(text: str, *, international: bool = False) -> URL:
    """Take an absolute URI apart.

    A user name is refused: it is read as the host, as in ``https://bank.example@evil.example``. An escape in a host is
    refused: browsers decode it, and show one host and go to another.

    :param international: Whether the host may hold other letters than ASCII's; the caller has to make A-labels of it.
    :raises BadURL: It is none, by one of the rules above.
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
    """As :func:`read_url`; ``None`` for what it refuses."""
    try:
        return read_url(text)
    except BadURL:
        return None


def find_web_url(text: str) -> URL | None:
    """As :func:`find_url`; ``None`` also for what is not http or https."""
    url = find_url(text)
    return url if url is not None and url.is_web else None


def read_proxy_url(text: str) -> URL:
    """Take the URL of a proxy apart, which may hold a user name and a password; they are not in what is returned.

    :raises BadURL: It is none; the message quotes nothing, for it may hold a password.
    """
    bare = _USER.sub("", text, count=1)
    url = find_url(bare)
    # A slash in a password would make its first half the port, and the user name the host.
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
