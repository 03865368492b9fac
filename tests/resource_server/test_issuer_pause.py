"""After a failure the issuer is not asked for a moment; then one request at a time checks whether it answers."""

import pytest

from flask_private_key_jwt.resource_server.issuer_pause import PAUSE_SECONDS, IssuerPause


@pytest.fixture
def pause():
    return IssuerPause()


def test_an_issuer_of_which_nothing_is_known_may_be_asked(pause):
    assert [pause.find_failure() for _ in range(3)] == [None] * 3


def test_after_a_failure_nobody_asks_for_a_while(pause, clock):
    pause.note_failure("away", answers=0)

    assert pause.find_failure() == "away"
    clock.move(PAUSE_SECONDS - 1)
    assert pause.find_failure() == "away"


def test_then_one_asks_and_the_others_go_on_without(pause, clock):
    pause.note_failure("away", answers=0)
    clock.move(PAUSE_SECONDS)

    assert [pause.find_failure() for _ in range(3)] == [None, "away", "away"]


def test_another_asks_when_the_first_one_got_lost(pause, clock):
    pause.note_failure("away", answers=0)
    clock.move(PAUSE_SECONDS)
    pause.find_failure()
    clock.move(PAUSE_SECONDS)

    assert pause.find_failure() is None


def test_an_answer_ends_it(pause):
    pause.note_failure("away", answers=0)
    pause.note_answer()

    assert [pause.find_failure() for _ in range(3)] == [None] * 3


def test_a_failure_counts_only_when_nothing_was_answered_meanwhile(pause):
    before = pause.answers
    pause.note_answer()
    pause.note_failure("too slow", answers=before)
    assert pause.find_failure() is None

    pause.note_failure("too slow", answers=pause.answers)
    assert pause.find_failure() == "too slow"


@pytest.mark.parametrize("seconds", [-1, -3600])
def test_a_clock_that_was_set_back_ends_it(pause, clock, seconds):
    pause.note_failure("away", answers=0)
    clock.move(seconds)

    assert pause.find_failure() is None
