"""The IP addresses that this server may connect to for a URL that a client chose: global unicast only (RFC 6890).

Not ``ipaddress.is_global``: its result depends on the version of Python, it ignores IPv4 addresses inside IPv6
addresses, and it treats multicast and much of the IPv6 space as global.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_BLOCKED_V4 = {
    IPv4Network(text): why
    for text, why in {
        "0.0.0.0/8": "this host",
        "10.0.0.0/8": "private",
        "100.64.0.0/10": "shared by carriers",
        "127.0.0.0/8": "loopback",
        "168.63.129.16/32": "the host of an Azure machine",  # serves metadata and keys, at a public address
        "169.254.0.0/16": "link-local",  # the metadata service of most clouds
        "172.16.0.0/12": "private",
        "192.0.0.0/24": "protocol assignments",
        "192.0.2.0/24": "documentation",
        "192.88.99.0/24": "6to4 relays",
        "192.168.0.0/16": "private",
        "198.18.0.0/15": "benchmarks",
        "198.51.100.0/24": "documentation",
        "203.0.113.0/24": "documentation",
        "224.0.0.0/4": "multicast",
        "240.0.0.0/4": "reserved or broadcast",
    }.items()
}
_GLOBAL_V6 = IPv6Network("2000::/3")
"""All global unicast addresses (RFC 4291 §2.4), without loopback, ULA, link-local and multicast."""
_BLOCKED_V6 = {
    IPv6Network(text): why
    for text, why in {
        "2001::/23": "protocol assignments",  # includes Teredo, which contains an IPv4 address
        "2001:db8::/32": "documentation",
        "2002::/16": "6to4",  # contains an IPv4 address; retired by RFC 7526
        "3fff::/20": "documentation",
    }.items()
}
_NAT64 = IPv6Network("64:ff9b::/96")
"""How an IPv6-only host reaches IPv4 (RFC 6052 §2.1). 64:ff9b:1::/48 is for local use (RFC 8215), so it is blocked."""


def why_not_public(text: str) -> str | None:
    """Why a connection to the address *text* is refused, in a few words; ``None`` if it is global unicast.

    :param text: As ``getaddrinfo`` returns it; may have a zone (``fe80::1%eth0``).
    """
    try:
        address = ip_address(text)
    except ValueError:
        return "not an IP address"
    if isinstance(address, IPv6Address):
        carried = _carried_v4(address)
        if carried is None:
            return _why_not_public_v6(address)
        address = carried
    return next((why for network, why in _BLOCKED_V4.items() if address in network), None)


def is_loopback(text: str) -> bool:
    """Whether *text* is an address of this machine only."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return address in IPv4Network("127.0.0.0/8") if isinstance(address, IPv4Address) else address == IPv6Address("::1")


def _carried_v4(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a packet to *address* goes to, for ``::ffff:a.b.c.d`` and NAT64; else ``None``."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


def _why_not_public_v6(address: IPv6Address) -> str | None:
    if address.scope_id is not None:
        return "bound to a network interface"
    if address not in _GLOBAL_V6:
        return "not global unicast"
    return next((why for network, why in _BLOCKED_V6.items() if address in network), None)
