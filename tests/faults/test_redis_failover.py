"""A Redis master that is lost under load: the short form of ``redis_failover.py`` and ``redis_lost_marks.py``."""

import asyncio
import itertools
import tempfile
from pathlib import Path
from time import monotonic

import pytest

from flask_private_key_jwt.database.deadline import request_budget
from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.replay.async_loading import load_async_replay_store
from flask_private_key_jwt.replay.base import Replayed
from tests.faults import redis_lost_marks
from tests.faults.redis_failover import Trial, run
from tests.faults.redis_lost_marks import build_mark
from tests.servers.redis_groups import find_redis, redis_group, settle

pytestmark = pytest.mark.skipif(find_redis() is None, reason="no Redis is installed")
PATIENCE_SECONDS = 60
LONGEST_PAUSE_SECONDS = 2
"""How long an event loop may stand still on a busy machine; a master that never answers would hold it for longer."""


@pytest.mark.parametrize(("group", "way"), [("sentinel", "killed"), ("cluster", "frozen")])
def test_a_master_that_is_lost_is_a_503_in_time_and_nothing_counts_twice(group, way):
    # The other tests use the same processors: what is exact here is what is answered, and what counts twice.
    outcome = run(group, way, Trial(timeout=2, skew=1, back_within=60, late=20, settle=0.3, threads=3))

    assert outcome.replayed > 0
    assert outcome.unavailable > 0


def test_nothing_that_a_replica_confirmed_is_lost_when_an_operator_changes_the_master():
    trial = redis_lost_marks.Trial("cluster", "switched", replicas=1, rounds=1, skew_seconds=1, before_seconds=0.3)

    outcome = redis_lost_marks.run(trial)

    assert outcome.accepted > 0
    assert outcome.gone == [0]


def test_an_event_loop_goes_on_while_a_master_is_frozen_and_a_replica_takes_over():
    async def use(store, mark, seconds=1):
        try:
            with request_budget(seconds):
                await store.remember([mark])
        except StoreUnavailable:
            return False
        return True

    async def beat(beats):
        while True:
            beats.append(monotonic())
            await asyncio.sleep(0.01)

    async def use_all_the_time(group):
        store, beats = load_async_replay_store(group.url), []
        marks = [build_mark(1) for _ in range(20)]
        used = await asyncio.gather(*(use(store, mark, 10) for mark in marks))
        before = [mark for mark, is_used in zip(marks, used, strict=True) if is_used]
        assert before
        master = group.masters()[0]
        master.freeze()
        beating = asyncio.create_task(beat(beats))
        during = [await asyncio.gather(*(use(store, build_mark(1)) for _ in range(20)))]
        started = monotonic()
        while not during[-1][0]:
            assert monotonic() - started < PATIENCE_SECONDS, "no replica takes over"
            during.append(await asyncio.gather(*(use(store, build_mark(1)) for _ in range(20))))
            await asyncio.sleep(0.05)
        master.thaw()
        again = await asyncio.gather(*(use_again(store, mark) for mark in before))
        beating.cancel()
        await store.close()
        return during, again, max(later - earlier for earlier, later in itertools.pairwise(beats))

    async def use_again(store, mark):
        try:
            await store.remember([mark])
        except (Replayed, StoreUnavailable):
            return "refused"
        return "accepted"

    with tempfile.TemporaryDirectory() as name, redis_group("sentinel", Path(name)) as group:
        settle(group)
        during, again, pause = asyncio.run(use_all_the_time(group))

    assert not any(during[0])
    assert set(again) == {"refused"}
    assert pause < LONGEST_PAUSE_SECONDS
