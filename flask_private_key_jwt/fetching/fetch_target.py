"""Rules for a URL that a client chose, before this server connects to it (RFC 3986, RFC 5890).

These rules need no name lookup; registration applies them too. The addresses of the host are checked at each fetch.
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address

from ..settings.server import ServerSettings
from ..web.url import DEFAULT_PORTS, URL, BadURL, is_loopback_host, read_url
from .public_address import why_not_public

MAX_URL_CHARACTERS = 2048
MAX_BYTES_OF_STRANGERS = 1 << 16
"""Largest key set of a client that the operator did not register, in bytes."""


class FetchProblem(Exception):
    """There is no document. The *reason* is private, because a caller could use it to scan ports; it quotes with
    ``!r``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FetchRefused(FetchProblem):
    """The URL, or an address of its host, breaks a rule; nothing was sent.

    :param cause: The code of the reason, such as ``not_https``.
    """

    def __init__(self, reason: str, *, cause: str) -> None:
        super().__init__(reason)
        self.cause = cause


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPolicy:
    """What may be fetched, and how much of it."""

    timeout_seconds: float = 3.0
    """Longest wait, from the name lookup to the last byte."""
    max_bytes: int = 1 << 18
    """Largest document, in bytes, counted after decompression."""
    max_concurrent: int = 16
    """Most threads that fetch in this process, including abandoned ones that still wait for a name server."""
    ports: frozenset[int] = frozenset({443})
    hosts: frozenset[str] = frozenset()
    """The only hosts that may be named, as A-labels; empty: any."""
    ca_bundle: str | None = None
    """Path of the certificate authorities to trust; default: certifi's, as with requests."""
    allow_loopback: bool = False
    """For development: also fetch from 127.0.0.1, [::1] and localhost, on any port and without TLS."""


def fetch_policy(settings: ServerSettings, *, hosts: Sequence[str]) -> FetchPolicy:
    """The policy that *settings* describe.

    :param hosts: The only hosts that may be named; empty: any.
    """
    return FetchPolicy(
        timeout_seconds=settings.FETCH_TIMEOUT_SECONDS,
        ports=frozenset({443, *map(int, settings.FETCH_PORTS)}),
        hosts=frozenset(hosts),
        ca_bundle=settings.FETCH_CA_BUNDLE,
        allow_loopback=settings.FETCH_FROM_LOOPBACK,
    )


@dataclass(frozen=True, slots=True)
class FetchTarget:
    """Where one GET goes."""

    scheme: str
    host: str
    """Lower-case A-labels without a final dot, or an IP address without brackets."""
    port: int
    path: str
    """Path and query, as they are in the URL."""

    @property
    def authority(self) -> str:
        """The ``Host`` header (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether the URL names this machine by a loopback address or ``localhost``."""
        return is_loopback_host(self.host)


def read_target(url: str, policy: FetchPolicy) -> FetchTarget:
    """Parse *url* and check it against *policy*.

    :raises FetchRefused: The URL breaks a rule; the reason says which.
    """
    read = _read(url)
    host, port = _read_host(read), DEFAULT_PORTS.get(read.scheme, 0) if read.port is None else read.port
    path = (read.path or "/") + (f"?{read.query}" if read.query else "")
    target = FetchTarget(read.scheme, host, port, path)
    if target.is_loopback and policy.allow_loopback and read.is_web:
        return target
    if read.scheme != "https":
        raise FetchRefused("the URL is not https", cause="not_https")
    if port not in policy.ports:
        raise FetchRefused(f"port {port} is not one of {', '.join(map(str, sorted(policy.ports)))}", cause="port")
    if policy.hosts and host not in policy.hosts:
        raise FetchRefused(f"host {host!r} is not one that may be named", cause="host")
    _check_literal(host)
    return target


def host_of(url: str) -> str:
    """The host of *url*, as it is looked up; empty for a URL that is never fetched."""
    try:
        return _read_host(_read(url))
    except FetchRefused:
        return ""


def _read(text: str) -> URL:
    if len(text) > MAX_URL_CHARACTERS:
        raise FetchRefused(f"the URL is longer than {MAX_URL_CHARACTERS} characters", cause="too_long")
    try:
        url = read_url(text, international=True)
    except BadURL as problem:
        raise FetchRefused(f"the URL {problem}", cause="malformed") from None
    if url.fragment is not None:
        raise FetchRefused("the URL has a fragment", cause="fragment")
    return url


def _read_host(url: URL) -> str:
    import idna  # a third of a megabyte of tables, and many servers never fetch

    if ":" in url.host:
        return str(IPv6Address(url.host))
    try:
        # UTS 46 also converts full-width digits and dots, so that the same name is checked and looked up.
        return idna.encode(url.host, uts46=True, std3_rules=True).decode().removesuffix(".")
    except (idna.IDNAError, UnicodeError):
        raise FetchRefused("the URL's host is not a host name", cause="host_malformed") from None


def _check_literal(host: str) -> None:
    """Refuse what needs no lookup: localhost, and any spelling of an address that is not public."""
    if host == "localhost" or host.endswith(".localhost"):
        raise FetchRefused("the URL names this machine", cause="this_machine")
    address = host if ":" in host else _read_numeric(host)
    if address and (why := why_not_public(address)):
        raise FetchRefused(f"address {address} is not public: {why}", cause="not_public")


def _read_numeric(host: str) -> str | None:
    """The address that the resolver makes of a host such as ``127.1``, ``0x7f.1`` or ``2130706433``."""
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None
