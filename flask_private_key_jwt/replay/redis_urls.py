"""What the URLs of Redis say: one server, the sentinels that watch over one, or a cluster; without redis-py.

The last two name several hosts, which redis-py does not read. Everything else is redis-py's own: the options of the
query, and how a user name and a password are written.
"""

import re
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import NoReturn
from urllib.parse import parse_qsl, unquote, urlencode

from ..errors import ConfigurationError

SENTINEL_PORT = 26379
REDIS_PORT = 6379
EXAMPLES = {
    "sentinel": "{}+sentinel://host1,host2,host3/service/0",
    "cluster": "{}+cluster://host1,host2,host3",
}

_HOST = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]%\s]+))(?::(?P<port>[0-9]{1,5}))?")
_NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f#]")

Address = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True, slots=True)
class SentinelURL:
    """``redis+sentinel://``: the sentinels, and what they watch over."""

    sentinels: tuple[Address, ...]
    service: str
    """The name of the master in the configuration of the sentinels."""
    server: str = field(repr=False)
    """How to connect to the master: a URL that redis-py reads, whose host and port mean nothing."""
    sentinel: str = field(repr=False)
    """The same for the sentinels."""


@dataclass(frozen=True, slots=True)
class ClusterURL:
    """``redis+cluster://``: some of its nodes."""

    nodes: tuple[Address, ...]
    server: str = field(repr=False)
    """How to connect to a node: a URL that redis-py reads, whose host and port mean nothing."""


def is_for_several(url: str) -> bool:
    """Whether a URL names sentinels or a cluster, and not one server."""
    return _kind_of(url) in EXAMPLES


def read_url(url: str) -> SentinelURL | ClusterURL:
    """Read a URL that names sentinels or a cluster.

    :raises ConfigurationError: It is malformed; the message says what to write, and never quotes it.
    """
    kind, (scheme, _, rest) = _kind_of(url), url.partition("://")
    plain = scheme.partition("+")[0]

    def refuse(why: str) -> NoReturn:
        example = EXAMPLES[kind].format(plain)
        raise ConfigurationError(f"OAUTH2_REPLAY_STORE is a {scheme}:// URL, and {why}. Write {example}.")

    if _NOT_IN_A_URL.search(rest):
        refuse("it has a space or a # in it, which a URL writes as %20 or %23")
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    account, at, hosts = authority.rpartition("@")
    port = SENTINEL_PORT if kind == "sentinel" else REDIS_PORT
    addresses = tuple(
        _read_address(host, port) or refuse("it names no host, or one that is none") for host in hosts.split(",")
    )
    options = parse_qsl(query, keep_blank_values=True)
    of_sentinels = {name.removeprefix("sentinel_"): value for name, value in options if name in _OF_SENTINELS}
    others = urlencode([option for option in options if option[0] not in _OF_SENTINELS])
    if kind == "cluster":
        if path.strip("/") not in ("", "0"):
            refuse("a cluster has the database 0 and no other")
        if of_sentinels:
            refuse("a cluster has no sentinels")
        return ClusterURL(addresses, f"{plain}://{account}{at}host/0?{others}")
    service, _, database = path.partition("/")
    if not service:
        refuse("it does not name the service that the sentinels watch over")
    if not re.fullmatch(r"[0-9]{0,9}", database):
        refuse("its database is not a number")
    limits = urlencode(
        [*of_sentinels.items(), *(option for option in options if option[0].startswith(("ssl_", "socket_")))]
    )
    return SentinelURL(
        addresses,
        unquote(service),
        server=f"{plain}://{account}{at}host/{database or 0}?{others}",
        sentinel=f"{plain}://host?{limits}",
    )


_OF_SENTINELS = ("sentinel_username", "sentinel_password")


def _kind_of(url: str) -> str:
    return url.partition("://")[0].partition("+")[2]


def _read_address(text: str, port: int) -> Address | None:
    found = _HOST.fullmatch(text)
    if found is None:
        return None
    given = int(found["port"]) if found["port"] else port
    if not 0 < given < 65536:
        return None
    if found["ipv6"] is None:
        return found["name"], given
    try:
        return str(IPv6Address(found["ipv6"])), given
    except ValueError:
        return None
