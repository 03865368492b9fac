"""Who sends a request, for quotas: an IPv4 address, or the IPv6 network (/64) that one caller has for itself."""

import re
from ipaddress import IPv6Address, ip_address, ip_network

IPV6_PREFIX = 64
"""A caller with one IPv6 address has 2**64 of them (RFC 6177): they count as one."""
IPV6_SITE_PREFIX = 48
"""What one site may be given (RFC 6177 §2), and anybody may have for the asking: 65,536 such networks."""
_LONGEST = 100
_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]*)\](?::\d+)?|(?P<v4>[0-9.]+):\d+")
"""Some proxies write the caller's port as well, which is another one for each connection."""


def network_of(address: str | None) -> str:
    """What counts as one caller: an IPv4 address, or the /64 network of an IPv6 address.

    :param address: As the WSGI server gives it (``REMOTE_ADDR``), which ``ProxyFix`` sets right behind a proxy; a
        server on a Unix socket gives none, and then all callers are one.
    """
    return _name(address, ipv6_prefix=IPV6_PREFIX)


def site_of(address: str | None) -> str:
    """All that may be one party's: an IPv4 address, or the /48 of an IPv6 address, with neighbours perhaps.

    For what all callers share: their limits must not be used up by one party with many networks.
    """
    return _name(address, ipv6_prefix=IPV6_SITE_PREFIX)


def _name(address: str | None, *, ipv6_prefix: int) -> str:
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
