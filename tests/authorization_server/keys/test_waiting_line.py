"""keys/waiting_line.py: who is next, alone and with slots and budgets, while strangers ask without end."""

import functools

import pytest

from flask_private_key_jwt.authorization_server.keys.fetch_slots import FetchSlots
from flask_private_key_jwt.authorization_server.keys.newcomers import Newcomers
from flask_private_key_jwt.authorization_server.keys.waiting_line import (
    ALIVE_SECONDS,
    REMEMBERED,
    SLOW_FOR_SECONDS,
    WaitingLine,
)
from flask_private_key_jwt.errors import FetchBusy

HOST = "app.example"


@pytest.fixture
def line():
    return WaitingLine()


# --- the order ----------------------------------------------------------------------------------------------------
def test_whoever_was_turned_away_first_has_the_first_turn(line):
    for site in ("a", "b", "c"):
        line.wait(site, HOST)

    assert [line.has_turn(site, "x.example", free=1) for site in ("a", "b", "c", "new")] == [True, False, False, False]
    assert [line.has_turn(site, "x.example", free=2) for site in ("a", "b", "c", "new")] == [True, True, False, False]
    assert line.has_turn("new", "x.example", free=4)


def test_of_one_host_the_first_goes_alone(line):
    for site in ("a", "b"):
        line.wait(site, HOST)

    assert line.has_turn("a", HOST, free=2)
    assert not line.has_turn("b", HOST, free=2)
    assert line.has_turn("new", "x.example", free=3)


def test_asking_again_changes_no_place(line):
    line.wait("a", HOST)
    line.wait("b", HOST)
    line.wait("a", "other.example")

    assert line.has_turn("a", HOST, free=1)
    assert not line.has_turn("b", HOST, free=1)


def test_whoever_had_a_turn_goes_to_the_end(line):
    line.wait("a", HOST)
    line.wait("b", HOST)
    line.leave("a")
    line.wait("a", HOST)

    assert [line.has_turn(site, HOST, free=1) for site in ("a", "b")] == [False, True]


def test_place_is_lost_when_nobody_asks_for_it(line, clock):
    line.wait("a", HOST)
    line.wait("b", HOST)
    clock.move(ALIVE_SECONDS - 1)
    assert not line.has_turn("b", HOST, free=1)
    line.wait("b", HOST)
    clock.move(1)

    assert line.has_turn("b", HOST, free=1)


def test_nobody_waits_for_whom_it_cannot_be_the_turn(line):
    line.wait("a", "busy.example")
    line.wait("b", HOST)
    line.wait("c", "x.example")

    assert line.has_turn("b", HOST, free=1, busy_hosts={"busy.example"})
    assert line.has_turn("c", "x.example", free=1, busy_hosts={"busy.example"}, served={"b": 1})
    assert not line.has_turn("c", "x.example", free=1, busy_hosts={"busy.example"})


def test_line_that_is_full_takes_nobody_until_places_are_lost(line, clock):
    for number in range(REMEMBERED + 5):
        line.wait(f"site {number}", HOST)
    assert line.has_turn(f"site {REMEMBERED - 1}", "x.example", free=REMEMBERED)
    assert not line.has_turn(f"site {REMEMBERED}", "x.example", free=REMEMBERED)
    clock.move(ALIVE_SECONDS)
    line.wait("new", HOST)

    assert line.has_turn("new", HOST, free=1)


def test_document_that_somebody_had_before_goes_before_new_ones(line):
    line.wait("new", "a.example")
    line.wait("known", "b.example", is_known=True)

    assert line.has_turn("known", "b.example", free=1, is_known=True)
    assert not line.has_turn("new", "a.example", free=1)
    assert not line.has_turn("known", "c.example", free=1)  # its place is for what it had before
    line.leave("known")
    assert line.has_turn("new", "a.example", free=1)


# --- slow ones ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("site", "host", "is_behind"),
    [
        ("slow", "other.example.org", True),
        ("new", "any.slow.example", True),
        ("new", "slow.example", True),
        ("new", "slow.example.org", False),
    ],
)
def test_whoever_was_slow_stands_behind_the_others(site, host, is_behind, line, clock):
    line.note_slow("slow", "a.slow.example")
    line.wait(site, host)
    line.wait("quick", HOST)

    assert line.has_turn(site, host, free=1) != is_behind
    assert line.has_turn("quick", HOST, free=1) == is_behind
    line.leave("quick")
    assert line.has_turn(site, host, free=1)
    clock.move(SLOW_FOR_SECONDS)
    line.wait(site, host)
    line.wait("quick", HOST)
    assert line.has_turn(site, host, free=1)


# --- attacks, second by second ------------------------------------------------------------------------------------
class Attack:
    """Strangers from many addresses who ask every second, always before the genuine newcomer does."""

    def __init__(self, clock, *, sites, domains):
        self.clock = clock
        self.sites = [f"198.51.{number // 250}.{number % 250}" for number in range(sites)]
        self.domains = [f"evil-{number}.example" for number in range(domains)]
        self.asked = 0
        self.address = ""

    def made_up_host(self, number):
        self.asked += 1
        return f"h{self.asked}.{self.domains[number % len(self.domains)]}"


def seconds_until_in(attack, slots, *, head_start, slow_seconds=3, genuine=None):
    """How long the genuine client takes to get a slot, if each slot that a stranger gets is held for *slow_seconds*."""
    held, clock = [], attack.clock
    for second in range(head_start + 300):
        for until, slot in [entry for entry in held if entry[0] <= clock.now]:
            slot.__exit__(None, None, None)
            held.remove((until, slot))
        for number, address in enumerate(attack.sites):
            attack.address = address
            slot = slots.for_others(attack.made_up_host(number))
            try:
                slot.__enter__()
                held.append((clock.now + slow_seconds, slot))
            except FetchBusy:
                pass
        attack.address = "203.0.113.9"
        if second >= head_start:
            try:
                with (genuine or slots.for_others)("genuine.example.org"):
                    return second - head_start
            except FetchBusy:
                pass
        clock.move(1)
    raise AssertionError("never")


@pytest.mark.parametrize(
    ("sites", "domains", "head_start", "seconds"),
    [(18, 18, 1, 60), (18, 18, 60, 10), (100, 1, 10, 10), (60, 60, 190, 10)],
)
def test_newcomer_gets_a_slot_although_slow_servers_are_asked_for_all_the_time(
    sites, domains, head_start, seconds, clock
):
    attack = Attack(clock, sites=sites, domains=domains)
    slots = FetchSlots(3, lambda: attack.address)

    assert seconds_until_in(attack, slots, head_start=head_start) <= seconds


@pytest.mark.parametrize("sites", [10, 100, 200])
def test_newcomer_gets_in_although_thousands_of_made_up_urls_are_asked_for_twice(sites, clock):
    attack = Attack(clock, sites=sites, domains=sites)
    newcomers = Newcomers(lambda: attack.address)

    def admit(url):
        try:
            newcomers.admit(url)
        except FetchBusy:
            return False
        return True

    for second in range(60):
        for number, address in enumerate(attack.sites):
            attack.address = address
            for part in range(max(1, 200 // sites)):
                admit(f"https://{number}.{attack.domains[number]}/{part}/{second - second % 4}")
        clock.move(1)
    for second in range(60):
        for number, address in enumerate(attack.sites):
            attack.address = address
            for part in range(max(1, 200 // sites)):
                admit(f"https://{number}.{attack.domains[number]}/{part}/{second - second % 4}-later")
        attack.address = "203.0.113.9"
        if second % 2 == 0 and admit("https://genuine.example.org/client.json"):
            return
        clock.move(1)
    raise AssertionError("a minute was not enough")


def test_client_that_was_here_before_waits_for_nobody(clock):
    attack = Attack(clock, sites=50, domains=50)
    slots = FetchSlots(3, lambda: attack.address)
    known = functools.partial(slots.for_others, is_known=True)

    assert seconds_until_in(attack, slots, head_start=20, genuine=known) == 0


def test_order_holds_for_one_host_that_strangers_ask_for_too(clock):
    attack = Attack(clock, sites=20, domains=1)
    slots = FetchSlots(3, lambda: attack.address)
    attack.made_up_host = lambda _number: "genuine.example.org"

    assert seconds_until_in(attack, slots, head_start=5, slow_seconds=1) <= 30
