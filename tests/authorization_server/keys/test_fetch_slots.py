"""keys/fetch_slots.py: who may wait for clients' servers, and how many at a time."""

import functools
from contextlib import ExitStack

import pytest

from flask_private_key_jwt.authorization_server.keys.fetch_slots import FetchSlots
from flask_private_key_jwt.errors import FetchBusy


@pytest.fixture
def held():
    with ExitStack() as stack:
        yield stack


def count(held, take, hosts):
    """How many slots there are for these hosts."""
    for number, host in enumerate(hosts):
        try:
            held.enter_context(take(host))
        except FetchBusy:
            return number
    return len(hosts)


@pytest.mark.parametrize(("size", "for_others"), [(2, 1), (3, 2), (4, 3), (6, 4), (64, 43)])
def test_a_third_of_the_slots_at_least_one_is_for_the_operators_clients(size, for_others, held):
    slots = FetchSlots(size)
    known = functools.partial(slots.for_others, is_known=True)

    assert count(held, known, [f"{number}.example" for number in range(100)]) == for_others
    assert count(held, slots.for_operators_clients, ["a.example"] * 100) == size - for_others


@pytest.mark.parametrize(("size", "for_new_ones"), [(2, 1), (3, 1), (4, 2), (6, 3), (64, 42)])
def test_of_several_slots_one_is_for_documents_that_somebody_had_before(size, for_new_ones, held):
    slots = FetchSlots(size)
    known = functools.partial(slots.for_others, is_known=True)

    assert count(held, slots.for_others, [f"{number}.example" for number in range(100)]) == for_new_ones
    assert count(held, slots.for_others, [None]) == 0
    assert count(held, known, ["0.example"] * 9) == (0 if size == 2 else 1)


def test_the_operators_clients_may_have_all_of_them(held):
    slots = FetchSlots(3)

    assert count(held, slots.for_operators_clients, ["a.example"] * 9) == 3
    with pytest.raises(FetchBusy), slots.for_others("b.example"):
        pass


def test_of_one_host_others_fetch_one_at_a_time(held):
    slots = FetchSlots(6)

    assert count(held, slots.for_others, ["a.example", "a.example"]) == 1
    assert count(held, slots.for_others, ["b.example"]) == 1


def test_waiting_for_another_thread_takes_no_host(held):
    slots = FetchSlots(6)

    assert count(held, slots.for_others, ["a.example", None, None]) == 3
    assert count(held, functools.partial(slots.for_others, is_known=True), ["a.example"]) == 1


@pytest.mark.parametrize(("size", "of_address", "left"), [(2, 1, 0), (3, 1, 0), (6, 2, 1), (64, 22, 20)])
def test_one_address_has_half_of_what_others_have_whatever_its_threads_wait_for(size, of_address, left, held):
    address = ["192.0.2.1"]
    slots = FetchSlots(size, lambda: address[0])

    assert count(held, slots.for_others, ["a.example", *[None] * 99]) == of_address
    assert count(held, slots.for_others, [f"{number}.example" for number in range(100)]) == 0
    address[0] = "192.0.2.2"
    assert count(held, slots.for_others, [f"{number}.example" for number in range(100)]) == left


def test_ipv6_site_has_what_one_address_has(held):
    addresses = iter(["2001:db8::1", "2001:db8::2", "2001:db8:1::1"])
    slots = FetchSlots(3, lambda: next(addresses))
    known = functools.partial(slots.for_others, is_known=True)

    assert count(held, known, ["a.example", "b.example"]) == 1
    assert count(held, known, ["c.example"]) == 1


def test_address_gets_its_slots_back():
    slots = FetchSlots(3, lambda: "192.0.2.1")
    for _ in range(5):
        with slots.for_others("a.example"), pytest.raises(FetchBusy) as refused, slots.for_others(None):
            pass
        assert refused.value.reason == "1 threads wait for documents that '192.0.2.1' has asked for"

    with slots.for_others("a.example"):
        pass


def test_callers_without_an_address_are_not_told_apart(held):
    assert count(held, FetchSlots(6, str).for_others, [None] * 9) == 3


def test_slots_come_back_whatever_happens():
    slots = FetchSlots(2)
    for _ in range(5):
        with pytest.raises(ValueError, match="oh"), slots.for_others("a.example"):
            raise ValueError("oh")
        with (
            slots.for_operators_clients(),
            slots.for_operators_clients(),
            pytest.raises(FetchBusy),
            slots.for_others("a.example"),
        ):
            pass

    with slots.for_others("a.example"):
        pass


def test_whoever_finds_none_is_told_to_come_again_soon():
    slots = FetchSlots(2)
    with slots.for_others("a.example"), pytest.raises(FetchBusy) as refused, slots.for_others("b.example"):
        pass

    assert ("Retry-After", "1") in refused.value.get_headers()
