"""What blocks runs in a few threads, and what belongs to a loop stays with it."""

import asyncio
import os
import threading
from contextvars import ContextVar

import pytest

from flask_private_key_jwt.errors import ConfigurationError, TemporarilyUnavailable
from flask_private_key_jwt.event_loops.per_loop import PerLoop
from flask_private_key_jwt.event_loops.run_now import run_now
from flask_private_key_jwt.event_loops.threads import Threads
from flask_private_key_jwt.fetching.loop_flight import LoopFlights

variable: ContextVar[int] = ContextVar("variable", default=0)


@pytest.fixture
def gate():
    gate = threading.Event()
    yield gate
    gate.set()


# --- threads --------------------------------------------------------------------------------------------------
def test_work_runs_in_another_thread_with_the_context_of_its_task():
    async def ask():
        variable.set(7)
        return await Threads("test").run(lambda: (variable.get(), threading.current_thread().name))

    value, name = asyncio.run(ask())
    assert value == 7
    assert name.startswith("test")


def test_an_error_is_raised_where_it_is_awaited():
    with pytest.raises(ZeroDivisionError):
        asyncio.run(Threads("test").run(lambda: 1 // 0))


def test_more_work_than_may_wait_is_refused_and_a_place_is_free_again_later(gate):
    threads = Threads("test", workers=1, waiting=2)

    async def ask():
        working = [asyncio.ensure_future(threads.run(gate.wait, 5)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(TemporarilyUnavailable) as refused:
            await threads.run(gate.wait, 5)
        gate.set()
        await asyncio.gather(*working)
        await threads.run(gate.wait, 5)
        return refused.value.cause

    assert asyncio.run(ask()) == "threads_busy"


def test_cancelled_work_that_waits_for_a_thread_never_starts_and_leaves_its_place(gate):
    threads, started = Threads("test", workers=1, waiting=1), []

    async def ask():
        working = asyncio.ensure_future(threads.run(gate.wait, 5))
        waiting = asyncio.ensure_future(threads.run(started.append, 1))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.wait([waiting])
        again = asyncio.ensure_future(threads.run(started.append, 2))
        await asyncio.sleep(0.01)
        gate.set()
        await asyncio.gather(working, again)

    asyncio.run(ask())
    assert started == [2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_has_threads_of_its_own():
    threads = Threads("test")
    asyncio.run(threads.run(lambda: None))

    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if asyncio.run(asyncio.wait_for(threads.run(lambda: 5), 5)) == 5 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# --- flights --------------------------------------------------------------------------------------------------
def test_one_task_asks_for_all_and_another_key_is_another_question():
    flights, asked = LoopFlights(), []

    async def ask(key):
        asked.append(key)
        await asyncio.sleep(0.01)
        return key

    async def ask_often():
        keys = ["a", "a", "b", "a"]
        return await asyncio.gather(*(flights.run(key, lambda key=key: ask(key)) for key in keys))

    assert asyncio.run(ask_often()) == ["a", "a", "b", "a"]
    assert asked == ["a", "b"]
    assert asyncio.run(flights.run("a", lambda: ask("a"))) == "a"
    assert asked == ["a", "b", "a"]


def test_a_task_that_is_cancelled_ends_nothing_for_the_others():
    flights = LoopFlights()

    async def ask():
        await asyncio.sleep(0.02)
        return 5

    async def ask_twice():
        first = asyncio.ensure_future(flights.run("a", ask))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(flights.run("a", ask))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(ask_twice()) == 5


def test_an_error_that_nobody_waits_for_any_more_is_no_noise(caplog):
    flights = LoopFlights()

    async def fail():
        await asyncio.sleep(0)
        raise LookupError

    async def ask():
        task = asyncio.ensure_future(flights.run("a", fail))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0.01)
        return flights.is_under_way("a")

    assert asyncio.run(ask()) is False
    assert caplog.text == ""


# --- loops ----------------------------------------------------------------------------------------------------
def test_every_loop_has_its_value_and_that_of_a_closed_loop_is_dropped():
    dropped = []
    values = PerLoop(object, drop=dropped.append)

    async def get():
        return values.get(), values.get()

    one, same = asyncio.run(get())
    other, _ = asyncio.run(get())

    assert one is same
    assert one is not other
    assert dropped == [one]


def test_outside_a_loop_there_is_none():
    async def get():
        return PerLoop(object).get()

    with pytest.raises(ConfigurationError, match="asyncio"):
        run_now(get())
