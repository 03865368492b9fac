"""fetching/public_address.py: each blocked range from its first to its last address, and what lies next to it."""

import pytest

from flask_private_key_jwt.fetching.public_address import is_loopback, why_not_public

BLOCKED = [
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("168.63.129.16", "168.63.129.16"),
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "239.255.255.255"),
    ("240.0.0.0", "255.255.255.255"),
    ("::", "::1"),
    ("::2", "::ffff:ffff"),  # IPv4-compatible, long retired
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
    ("100::", "100::ffff:ffff:ffff:ffff"),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),  # Teredo, ORCHID, benchmarks
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),  # not assigned
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
]
PUBLIC = [
    "1.0.0.0",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.1.255",
    "192.0.3.0",
    "192.88.98.255",
    "192.88.100.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.99.255",
    "198.51.101.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "2000::",
    "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:200::",
    "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db9::",
    "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2003::",
    "2606:4700:4700::1111",
    "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "3fff:1000::",
]


@pytest.mark.parametrize("address", [end for ends in BLOCKED for end in ends])
def test_the_ends_of_a_blocked_range_are_not_public(address):
    assert why_not_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_the_neighbours_of_a_blocked_range_are_public(address):
    assert why_not_public(address) is None


@pytest.mark.parametrize("prefix", ["::ffff:", "64:ff9b::"])
@pytest.mark.parametrize("address", [end for ends in BLOCKED for end in ends if "." in end])
def test_a_blocked_address_inside_another_is_not_public(prefix, address):
    assert why_not_public(prefix + address) == why_not_public(address)


@pytest.mark.parametrize("prefix", ["::ffff:", "64:ff9b::"])
@pytest.mark.parametrize("address", ["93.184.215.14", "9.255.255.255", "223.255.255.255"])
def test_a_public_address_inside_another_is_public(prefix, address):
    assert why_not_public(prefix + address) is None


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("2002:7f00:1::", id="6to4 of 127.0.0.1"),
        pytest.param("2002:a9fe:a9fe::", id="6to4 of 169.254.169.254"),
        pytest.param("2002:5db8:d70e::", id="6to4 of a public address"),
        pytest.param("2001:0:7f00:1::", id="Teredo by a server at 127.0.0.1"),
        pytest.param("2001::80ff:fffe", id="Teredo to 127.0.0.1"),
        pytest.param("64:ff9b:1::7f00:1", id="a network's own NAT64"),
        pytest.param("64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", id="before NAT64"),
        pytest.param("64:ff9b::1:0:0", id="after NAT64"),
        pytest.param("::fffe:5db8:d70e", id="before IPv4-mapped"),
        pytest.param("::1:0:5db8:d70e", id="after IPv4-mapped"),
    ],
)
def test_a_tunnel_is_not_public_wherever_it_ends(address):
    assert why_not_public(address)


@pytest.mark.parametrize("address", ["fe80::1%eth0", "2606:4700:4700::1111%eth0", "::1%lo"])
def test_an_address_of_one_interface_is_not_public(address):
    assert why_not_public(address)


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "0x7f000001", "1.2.3.4.5", "93.184.215.14 ", "é", "\x00"])
def test_what_is_no_address_is_not_public(text):
    assert why_not_public(text) == "not an IP address"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.255.255.255", "::1"])
def test_loopback_is_told(address):
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["126.255.255.255", "128.0.0.0", "0.0.0.0", "::", "::2", "::ffff:10.0.0.1", "x"])
def test_what_is_not_loopback_is_told(address):
    assert not is_loopback(address)
