"""The soak notices what may not be: each answer that may be so has a twin that may not."""

import time

import pytest

from tests.faults.served import Answer
from tests.soak.ledger import AFTER_SECONDS, KILLED_SECONDS, Absence, Interrupted, Ledger

NOW = time.monotonic()


def answer(status: int, *, sent_at: float = NOW, retry: bool = True) -> Answer:
    headers = {"retry-after": "1"} if status == 503 and retry else {}
    return Answer(status, b"{}", headers, 0.1, sent_at)


def test_a_right_request_may_be_answered_and_not_refused():
    ledger = Ledger()

    ledger.good("token", answer(200))
    assert ledger.faults == []
    with pytest.raises(Interrupted):
        ledger.good("token", answer(400))

    assert len(ledger.faults) == 1


@pytest.mark.parametrize("status", [200, 302, 500])
def test_a_hostile_request_may_be_refused_and_nothing_else(status):
    ledger = Ledger()

    ledger.refusal("hostile", answer(400))
    assert ledger.faults == []
    if status == 500:
        with pytest.raises(Interrupted):
            ledger.refusal("hostile", answer(status))
    else:
        ledger.refusal("hostile", answer(status))

    assert len(ledger.faults) == 1


def test_a_replay_that_succeeds_is_not_counted_as_refused():
    ledger = Ledger()

    ledger.replay("assertion", answer(400))
    ledger.replay("assertion", answer(200))

    assert (ledger.replays_tried, ledger.replays_refused) == (2, 1)
    assert len(ledger.faults) == 1


def test_a_replay_that_nobody_answered_was_not_tried():
    ledger = Ledger()

    with pytest.raises(Interrupted):
        ledger.replay("assertion", answer(503))

    assert (ledger.replays_tried, ledger.replays_refused) == (0, 0)


@pytest.mark.parametrize(("late", "faults"), [(0.0, 0), (AFTER_SECONDS - 1, 0), (AFTER_SECONDS + 1, 1), (-60.0, 1)])
def test_a_503_may_come_while_a_store_is_away_and_a_moment_after(late, faults):
    ledger = Ledger(absences=[Absence("Redis", NOW - 5, NOW)])
    with pytest.raises(Interrupted):
        ledger.good("token", answer(503, sent_at=NOW + late))

    ledger.judge()

    assert len(ledger.faults) == faults


def test_a_503_has_to_say_when_to_come_again():
    ledger = Ledger(absences=[Absence("Redis", NOW - 5, NOW)])

    with pytest.raises(Interrupted):
        ledger.good("token", answer(503, retry=False))

    assert ledger.faults == ["token: 503 without Retry-After"]


@pytest.mark.parametrize(("late", "faults"), [(-0.05, 0), (KILLED_SECONDS - 1, 0), (KILLED_SECONDS + 1, 1), (-5, 1)])
def test_a_connection_may_break_when_a_worker_is_killed(late, faults):
    ledger = Ledger(kills=[NOW])
    with pytest.raises(Interrupted):
        ledger.good("token", answer(0, sent_at=NOW + late))

    ledger.judge()

    assert len(ledger.faults) == faults
