"""What only the replay store in Redis has to show; the promises are in test_replay_contract.py."""

import pytest

from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.stores.base import Replayed
from flask_private_key_jwt.stores.redis import RedisReplayStore


def test_a_redis_that_does_not_answer_in_time_is_unavailable(remote_silence, mark):
    store = RedisReplayStore(f"redis://:hunter2@127.0.0.1:{remote_silence}?socket_timeout=0.05")

    with pytest.raises(StoreUnavailable) as refused:
        store.remember([mark()])
    assert refused.value.reason == "redis: TimeoutError"
    store.close()


def test_redis_keeps_a_mark_no_longer_than_it_must(redis_url, mark):
    store = RedisReplayStore(redis_url)
    spent = mark(lifetime=60)
    store.remember([spent])

    key = b"flask_private_key_jwt:replay:" + spent.digest()
    assert 60 <= store._redis.ttl(key) <= 61
    store.close()


def test_redis_remembers_after_its_scripts_were_flushed(redis_url, mark):
    store = RedisReplayStore(redis_url)
    store.remember([mark()])
    store._redis.script_flush()

    with pytest.raises(Replayed):
        store.remember([mark()])
    store.close()
