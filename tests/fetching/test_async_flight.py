"""fetching/async_flight.py: one task does the work for all, whoever is cancelled, in whichever event loop."""

import asyncio

import anyio
import pytest

from flask_private_key_jwt.fetching.async_flight import AsyncSingleFlight


class Flown(Exception):
    pass


class Work:
    """An action that a test lets end; it counts how often it began."""

    def __init__(self, flights):
        self.flights = flights
        self.begun = 0
        self.may_end = anyio.Event()
        self.failure = None

    async def act(self):
        self.begun += 1
        number = self.begun
        await self.may_end.wait()
        if self.failure:
            raise self.failure
        return number

    def start(self, count):
        return [asyncio.create_task(self.flights.run("key", self.act)) for _ in range(count)]


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def flights():
    return AsyncSingleFlight()


def test_tasks_that_come_together_share_one_result(flights):
    async def main():
        work = Work(flights)
        tasks = work.start(10)
        await settle()
        work.may_end.set()
        return await asyncio.gather(*tasks), work.begun

    assert asyncio.run(main()) == ([1] * 10, 1)


def test_tasks_that_come_together_share_one_failure(flights):
    async def main():
        work = Work(flights)
        tasks = work.start(3)
        await settle()
        work.failure = Flown()
        work.may_end.set()
        return [type(outcome) for outcome in await asyncio.gather(*tasks, return_exceptions=True)], work.begun

    assert asyncio.run(main()) == ([Flown] * 3, 1)


def test_who_comes_after_the_end_begins_anew(flights):
    async def main():
        work = Work(flights)
        work.may_end.set()
        return [await flights.run("key", work.act) for _ in range(2)]

    assert asyncio.run(main()) == [1, 2]


def test_another_key_is_another_action(flights):
    async def main():
        work = Work(flights)
        work.may_end.set()
        return sorted(await asyncio.gather(flights.run("one", work.act), flights.run("two", work.act)))

    assert asyncio.run(main()) == [1, 2]


@pytest.mark.parametrize("cancelled", [1, 3])
def test_the_cancellation_of_who_works_harms_no_other(flights, cancelled):
    async def main():
        work = Work(flights)
        tasks = work.start(5)
        for number in range(cancelled):
            await settle()
            tasks[number].cancel()
        await settle()
        work.may_end.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        return [type(outcome) for outcome in outcomes], set(outcomes[cancelled:]), work.begun

    types, results, begun = asyncio.run(main())
    assert types == [asyncio.CancelledError] * cancelled + [int] * (5 - cancelled)
    assert results == {cancelled + 1}
    assert begun == cancelled + 1


def test_the_cancellation_of_who_waits_harms_no_other(flights):
    async def main():
        work = Work(flights)
        first, second, third = work.start(3)
        await settle()
        second.cancel()
        await settle()
        work.may_end.set()
        return await first, await third, work.begun

    assert asyncio.run(main()) == (1, 1, 1)


def test_a_loop_that_ends_in_the_middle_leaves_nothing_behind(flights):
    async def leave():
        tasks = Work(flights).start(2)
        await settle()
        assert len(flights._under_way) == 1
        return tasks

    asyncio.run(leave())  # cancels both at its end

    assert flights._under_way == {}


def test_two_event_loops_do_not_wait_for_each_other(flights):
    async def inner():
        work = Work(flights)
        work.may_end.set()
        return await flights.run("key", work.act)

    async def outer():
        work = Work(flights)
        [task] = work.start(1)
        await settle()
        result = await asyncio.to_thread(asyncio.run, inner())
        work.may_end.set()
        return result, await task

    assert asyncio.run(outer()) == (1, 1)
