"""The issuer's recent answers: how long they are kept, and how many."""

import pytest

from flask_private_key_jwt.errors import InvalidToken
from flask_private_key_jwt.resource_server.verdicts import CAPACITY, KnownVerdicts, Verdict


@pytest.fixture
def known():
    return KnownVerdicts(capacity=2)


def test_a_verdict_is_found_while_it_lasts(known, clock):
    verdict = Verdict(clock.now, clock.now + 10)
    known.add("a", verdict)
    clock.move(9)
    assert known.find("a") is verdict
    clock.move(1)
    assert known.find("a") is None


def test_a_verdict_that_never_lasts_is_not_kept(known, clock):
    known.add("a", Verdict(clock.now, clock.now))
    known.add("b", Verdict(clock.now, clock.now - 5))

    assert not known._verdicts


def test_the_least_recently_used_goes_first(known, clock):
    for digest in ("a", "b"):
        known.add(digest, Verdict(clock.now, clock.now + 10))
    known.find("a")
    known.add("c", Verdict(clock.now, clock.now + 10))

    assert [known.find(digest) is not None for digest in "abc"] == [True, False, True]


def test_a_verdict_of_the_future_is_dropped(known, clock):
    known.add("a", Verdict(clock.now, clock.now + 10))
    clock.move(-1)
    assert known.find("a") is None
    clock.move(1)
    assert known.find("a") is None


def test_no_more_are_kept_than_fit(clock):
    known = KnownVerdicts()
    for number in range(CAPACITY + 10):
        known.add(str(number), Verdict(clock.now, clock.now + 60))

    assert len(known._verdicts) == CAPACITY


def test_a_refusal_is_a_new_one_each_time():
    verdict = Verdict(0, 1, InvalidToken, "it was revoked")
    raised = []
    for _ in range(2):
        with pytest.raises(InvalidToken) as caught:
            verdict.check()
        raised.append(caught.value)

    assert [error.reason for error in raised] == ["it was revoked"] * 2
    assert raised[0] is not raised[1]


def test_a_token_that_counts_passes():
    assert Verdict(0, 1).check() is None
