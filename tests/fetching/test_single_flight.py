"""fetching/single_flight.py: one thread does the work for all, and all get its result or its exception."""

import threading
from concurrent.futures import Future

import pytest

from flask_private_key_jwt.fetching.single_flight import LeaderEnded, SingleFlight


class Flown(Exception):
    pass


@pytest.fixture
def fly_together(monkeypatch):
    """Run an action as leader and four others that join while it is under way; their outcomes, leader first."""
    waiting = threading.Semaphore(0)
    wait_for_result = Future.result

    def result(self):
        waiting.release()
        return wait_for_result(self)

    monkeypatch.setattr(Future, "result", result)

    def fly(action, *, join=lambda: pytest.fail("a second flight"), own=()):
        flights, has_started, may_end = SingleFlight(own=own), threading.Event(), threading.Event()
        outcomes = [None] * 5

        def lead():
            has_started.set()
            assert may_end.wait(60)
            return action()

        def run(number, what):
            try:
                outcomes[number] = flights.run("key", what)
            except BaseException as error:
                outcomes[number] = error

        threads = [threading.Thread(target=run, args=[0, lead])]
        threads[0].start()
        assert has_started.wait(60)
        for number in range(1, 5):
            threads.append(threading.Thread(target=run, args=[number, join]))
            threads[number].start()
            assert waiting.acquire(timeout=5)
        may_end.set()
        for thread in threads:
            thread.join()
        return outcomes

    return fly


def test_all_get_the_result_of_the_first(fly_together):
    result = object()

    assert fly_together(lambda: result) == [result] * 5


def test_all_get_the_exception_of_the_first(fly_together):
    def fail():
        raise Flown

    assert [type(outcome) for outcome in fly_together(fail)] == [Flown] * 5


def test_what_is_one_threads_own_happens_to_no_other(fly_together):
    def fail():
        raise Flown

    leader, *others = fly_together(fail, join=lambda: "got it", own=(Flown,))

    assert type(leader) is Flown
    assert others == ["got it"] * 4


def test_of_threads_that_all_fail_none_tries_for_ever(fly_together):
    def fail():
        raise Flown

    assert [type(outcome) for outcome in fly_together(fail, join=fail, own=(Flown,))] == [Flown] * 5


def test_a_thread_that_is_ended_leaves_nobody_waiting(fly_together):
    def end():
        raise SystemExit

    leader, *others = fly_together(end)

    assert type(leader) is SystemExit
    assert {type(outcome) for outcome in others} == {LeaderEnded}


def test_who_comes_afterwards_flies_anew():
    flights = SingleFlight()

    assert [flights.run("key", lambda number=number: number) for number in range(3)] == [0, 1, 2]


def test_a_failure_is_not_kept():
    flights = SingleFlight()
    with pytest.raises(ZeroDivisionError):
        flights.run("key", lambda: 1 / 0)

    assert flights.run("key", lambda: 1) == 1
