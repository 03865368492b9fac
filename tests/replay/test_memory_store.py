"""What only the replay store in memory has to show; the promises are in test_replay_contract.py."""

import pytest

from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.replay.base import Replayed
from flask_private_key_jwt.replay.memory import MemoryReplayStore


def test_memory_forgets_expired_marks_as_it_goes(mark, clock):
    store = MemoryReplayStore()
    for number in range(50):
        store.remember([mark(str(number), lifetime=10)])
        clock.move(1)

    assert len(store._remembered) == len(store._by_expiry) <= 12


def test_a_full_memory_refuses_rather_than_forgets(mark, clock):
    store = MemoryReplayStore(max_marks=3)
    store.remember([mark("1"), mark("2")])

    with pytest.raises(StoreUnavailable) as refused:
        store.remember([mark("3"), mark("4")])
    assert refused.value.reason == "memory: 3 marks are held already"
    with pytest.raises(Replayed):
        store.remember([mark("1")])
    store.remember([mark("3")])
    clock.move(301)
    store.remember([mark("5"), mark("6"), mark("7")])
