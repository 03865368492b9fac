"""The budget of time that a request gives its stores."""

import threading

import pytest

from flask_private_key_jwt.database import deadline
from flask_private_key_jwt.database.deadline import outside_budget, request_budget, seconds_left
from flask_private_key_jwt.errors import StoreUnavailable


@pytest.fixture
def steady(monkeypatch):
    """The steady clock, moved by hand: ``steady[0] += 2``."""
    at = [1000.0]
    monkeypatch.setattr(deadline, "monotonic", lambda: at[0])
    return at


def test_outside_a_request_each_use_of_a_store_has_its_own(steady):
    assert seconds_left(3) == 3
    steady[0] += 100
    assert seconds_left(3) == 3


def test_it_runs_from_the_first_time_a_store_is_asked(steady):
    with request_budget(5):
        steady[0] += 60  # a slow body
        assert seconds_left(30) == 5
        steady[0] += 2
        assert seconds_left(30) == 3


def test_once_it_is_used_up_no_store_is_asked(steady):
    with request_budget(5):
        seconds_left(30)
        steady[0] += 4.9
        assert seconds_left(30) == pytest.approx(0.1)
        steady[0] += 0.1
        with pytest.raises(StoreUnavailable) as refused:
            seconds_left(30)

    assert refused.value.reason == "the stores did not answer within the 5 s of this request"
    assert seconds_left(30) == 30


def test_a_block_within_another_has_no_budget_of_its_own(steady):
    with request_budget(5):
        with request_budget(30):
            assert seconds_left(1) == 5
            steady[0] += 1
        assert seconds_left(1) == 4


def test_waiting_for_another_server_costs_nothing_of_it(steady):
    with request_budget(5):
        seconds_left(30)
        with outside_budget():
            steady[0] += 60
        assert seconds_left(30) == 5


def test_a_failure_of_the_other_server_costs_nothing_either(steady):
    with request_budget(5):
        seconds_left(30)
        with pytest.raises(OSError):
            _fail_after_a_minute(steady)
        assert seconds_left(30) == 5


def _fail_after_a_minute(steady):
    with outside_budget():
        steady[0] += 60
        raise OSError


def test_what_waits_before_any_store_is_asked_does_not_start_it(steady):
    with request_budget(5):
        with outside_budget():
            steady[0] += 60
        steady[0] += 60
        assert seconds_left(30) == 5


def test_another_threads_request_has_its_own(steady):
    seen: list[float] = []
    with request_budget(5):
        thread = threading.Thread(target=lambda: seen.append(seconds_left(30)))
        thread.start()
        thread.join()

    assert seen == [30]
