"""keys/newcomers.py: the pace of new documents, for all and for one address."""

import pytest

from flask_private_key_jwt.authorization_server.keys.newcomers import (
    A_MINUTE,
    A_MINUTE_OF_ADDRESS,
    BURST,
    BURST_OF_ADDRESS,
    RESERVED_PART,
    RETRY_SECONDS,
    Newcomers,
)
from flask_private_key_jwt.errors import FetchBusy

NOT_RESERVED = BURST_OF_ADDRESS - BURST_OF_ADDRESS // RESERVED_PART


class Caller:
    """Where requests come from."""

    address = "192.0.2.1"


@pytest.fixture
def caller():
    return Caller()


@pytest.fixture
def newcomers(caller):
    return Newcomers(lambda: caller.address)


def admit(newcomers, count, start=0):
    """How many of so many made-up URLs are let in."""
    admitted = 0
    for number in range(start, start + count):
        try:
            newcomers.admit(f"https://app.example/{number}")
            admitted += 1
        except FetchBusy:
            pass
    return admitted


def test_one_address_gets_so_many_at_once_and_so_many_a_minute(newcomers, clock):
    assert admit(newcomers, 1000) == NOT_RESERVED
    clock.move(30)
    assert admit(newcomers, 1000, start=5000) == A_MINUTE_OF_ADDRESS // 2


def test_whoever_is_turned_away_hears_when_to_come_again(newcomers):
    admit(newcomers, NOT_RESERVED)

    with pytest.raises(FetchBusy) as refused:
        newcomers.admit("https://app.example/genuine")
    assert ("Retry-After", str(RETRY_SECONDS)) in refused.value.get_headers()


def test_another_address_is_not_concerned(newcomers, caller):
    admit(newcomers, 1000)
    caller.address = "192.0.2.2"

    assert admit(newcomers, 10, start=5000) == 10


def test_all_addresses_together_have_a_limit(newcomers, caller, clock):
    admitted = 0
    for number in range(20):
        caller.address = f"192.0.2.{number}"
        admitted += admit(newcomers, 200, start=200 * number)
    assert admitted == BURST - BURST // RESERVED_PART

    clock.move(60)
    caller.address = "192.0.2.99"
    assert admit(newcomers, 1000, start=50_000) == min(A_MINUTE, NOT_RESERVED)


def test_a_genuine_newcomer_that_comes_again_is_in_though_its_own_address_makes_up_urls(newcomers, clock):
    admit(newcomers, 1000)
    genuine = "https://app.example/genuine"
    with pytest.raises(FetchBusy):
        newcomers.admit(genuine)
    clock.move(RETRY_SECONDS)
    admit(newcomers, 400, start=5000)

    newcomers.admit(genuine)


def test_coming_again_in_the_same_second_is_no_better(newcomers):
    admit(newcomers, 1000)

    for _ in range(3):
        with pytest.raises(FetchBusy):
            newcomers.admit("https://app.example/genuine")


@pytest.mark.parametrize(
    ("other", "admitted"),
    [("2001:db8:1:2:ffff::1", 0), ("2001:db8:1:3::1", 0), ("2001:db8:2:2::1", 5)],
)
def test_a_site_has_many_networks_of_ipv6(other, admitted, newcomers, caller):
    caller.address = "2001:db8:1:2::1"
    admit(newcomers, 1000)
    caller.address = other

    assert admit(newcomers, 5, start=5000) == admitted


@pytest.mark.parametrize("address", ["", "unix", "x" * 10_000])
def test_what_is_no_address_has_a_budget_as_well(address, newcomers, caller):
    caller.address = address

    assert admit(newcomers, 1000) == NOT_RESERVED


def test_a_clock_that_was_set_back_lets_nobody_in_for_free(newcomers, clock):
    admit(newcomers, 1000)
    clock.move(-3600)
    assert admit(newcomers, 10, start=5000) == 0
    clock.move(1)
    assert admit(newcomers, 10, start=6000) == A_MINUTE_OF_ADDRESS // 60
