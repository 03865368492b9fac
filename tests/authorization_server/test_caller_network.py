"""caller_network.py: whom a request comes from, for quotas."""

import pytest

from flask_private_key_jwt.authorization_server.caller_network import network_of, site_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("192.0.2.7:50123", "192.0.2.7"),
        ("[2001:db8:1:2::3]:50123", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::3]", "2001:db8:1:2::/64"),
        ("[::ffff:192.0.2.7]:1", "192.0.2.7"),
        ("999.0.2.7:50123", "999.0.2.7:50123"),
        ("[]:1", "[]:1"),
        ("::1", "::/64"),
        (None, "unknown"),
        ("", "unknown"),
        ("unix:", "unix:"),
        ("x" * 500, "x" * 100),
    ],
)
def test_address_counts_as(address, network):
    assert network_of(address) == network


def test_neighbours_count_apart():
    assert network_of("192.0.2.7") != network_of("192.0.2.8")
    assert network_of("2001:db8:1:2::1") != network_of("2001:db8:1:3::1")


@pytest.mark.parametrize(
    ("address", "site"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2::1", "2001:db8:1::/48"), ("::ffff:192.0.2.7", "192.0.2.7")],
)
def test_address_belongs_to_a_site(address, site):
    assert site_of(address) == site


def test_sites_count_apart():
    assert site_of("2001:db8:1:2::1") == site_of("2001:db8:1:3::1")
    assert site_of("2001:db8:1:2::1") != site_of("2001:db8:2:2::1")
