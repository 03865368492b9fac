"""The caller that a quota counts: an IPv4 address, or the IPv6 network that one caller has for itself."""

import re
from ipaddress import IPv6Address, ip_address, ip_network

IPV6_PREFIX = 64
"""A caller with IPv6 usually has a whole /64, which is 2**64 addresses (RFC 6177): they count as one."""
IPV6_SITE_PREFIX = 48
"""One site may get a /48 (RFC 6177 §2), and anybody can have one easily: it holds 65,536 networks of size /64."""
_LONGEST = 100
_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]*)\](?::\d+)?|(?P<v4>[0-9.]+):\d+")
"""Some proxies add the caller's port, which differs for each connection."""


def network_of(address: str | None) -> str:
    """What counts as one caller: an IPv4 address, or the /64 network of an IPv6 address.

    :param address: ``REMOTE_ADDR`` of the WSGI server; behind a proxy, ``ProxyFix`` corrects it. A server on a Unix
        socket gives none: then all callers count as one.
    """
    return _name(address, ipv6_prefix=IPV6_PREFIX)


def site_of(address: str | None) -> str:
    """What may belong to one party: an IPv4 address, or the /48 network of an IPv6 address.

    For limits that all callers share: one party with many networks must not use them up. Neighbours may be in the
    same /48.
    """
    return _name(address, ipv6_prefix=IPV6_SITE_PREFIX)


def _name(address: str | None, *, ipv6_prefix: int) -> str:
    """The address without its port, or its IPv6 network; any other string stays, truncated to 100 characters."""
    match = _WITH_PORT.fullmatch(address or "")
    try:
        parsed = ip_address((match["v6"] or match["v4"]) if match else address or "")
    except ValueError:
        return (address or "unknown")[:_LONGEST]
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ip_network((int(parsed), ipv6_prefix), strict=False))
    return str(parsed)
