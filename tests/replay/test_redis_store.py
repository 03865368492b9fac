"""What only the replay store in Redis has to show; the promises are in test_replay_contract.py."""

import os
import socket
import threading
import time

import pytest
import redis

from flask_private_key_jwt.database.deadline import request_budget, seconds_left
from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.replay.base import Replayed
from flask_private_key_jwt.replay.redis import RedisReplayStore


def test_a_redis_that_does_not_answer_in_time_is_unavailable(remote_silence, mark):
    store = RedisReplayStore(f"redis://:hunter2@127.0.0.1:{remote_silence}?socket_timeout=0.05")

    with pytest.raises(StoreUnavailable) as refused:
        store.remember([mark()])
    assert refused.value.reason == "redis: TimeoutError"
    store.close()


def test_redis_holds_a_mark_a_minute_longer_than_it_must(redis_url, mark):
    store = RedisReplayStore(redis_url)
    spent = mark(lifetime=60)
    store.remember([spent])

    key = b"flask_private_key_jwt:replay:" + spent.digest()
    with redis.Redis.from_url(redis_url) as client:
        assert 60 + 59 <= client.ttl(key) <= 60 + 60  # a minute more, for a clock that is ahead
    store.close()


def test_redis_remembers_after_its_scripts_were_flushed(redis_url, mark):
    store = RedisReplayStore(redis_url)
    store.remember([mark()])
    with redis.Redis.from_url(redis_url) as client:
        client.script_flush()

    with pytest.raises(Replayed):
        store.remember([mark()])
    store.close()


# --- a Redis that hangs -----------------------------------------------------------------------------------
@pytest.fixture
def hanging(remote_silence):
    store = RedisReplayStore(f"redis://127.0.0.1:{remote_silence}?socket_timeout=0.3")
    yield store
    store.close()


def refuse(store, mark):
    """Why a store refuses, and after how many seconds."""
    started = time.monotonic()
    with pytest.raises(StoreUnavailable) as refused:
        store.remember([mark()])
    return refused.value.reason, time.monotonic() - started


def test_after_one_time_out_everybody_else_is_refused_at_once(hanging, mark):
    assert refuse(hanging, mark)[0] == "redis: TimeoutError"

    for _ in range(3):
        reason, seconds = refuse(hanging, mark)
        assert reason == "redis: it has not answered since an earlier request waited in vain"
        assert seconds < 0.1


def test_a_request_waits_no_longer_than_its_budget(remote_silence, mark):
    store = RedisReplayStore(f"redis://127.0.0.1:{remote_silence}?socket_timeout=5")
    with request_budget(0.2):
        _, seconds = refuse(store, mark)
    store.close()

    assert 0.2 <= seconds < 2


def test_a_request_whose_budget_is_used_up_asks_nobody(redis_url, mark):
    store = RedisReplayStore(redis_url)
    with request_budget(0.05):
        seconds_left(1)  # another store is asked
        time.sleep(0.06)
        reason, _ = refuse(store, mark)

    assert reason == "the stores did not answer within the 0.05 s of this request"
    store.remember([mark()])  # outside, it has all the time it needs
    store.close()


def test_a_resolver_that_hangs_is_a_redis_that_hangs(monkeypatch, mark):
    release = threading.Event()
    resolve = socket.getaddrinfo

    def hang(*arguments, **options):
        release.wait(30)
        return resolve("127.0.0.1", *arguments[1:], **options)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    store = RedisReplayStore("redis://redis.example:6379?socket_timeout=0.2")
    try:
        reason, seconds = refuse(store, mark)
    finally:
        store.close()
        release.set()

    assert reason == "redis: TimeoutError"
    assert seconds < 2


def test_a_child_never_uses_a_connection_of_its_parent(redis_url, mark, monkeypatch):
    store = RedisReplayStore(redis_url)
    store.remember([mark("parent")])
    inherited = store._connections._idle[-1]

    monkeypatch.setattr(os, "getpid", lambda: 1)
    store.remember([mark("child")])

    assert inherited not in store._connections._idle
    store.close()


def test_threads_share_few_connections(redis_url, mark):
    store = RedisReplayStore(redis_url)
    for number in range(20):
        store.remember([mark(str(number))])

    assert len(store._connections._idle) == 1
    store.close()


def test_a_probe_that_is_not_answered_leaves_no_connection(redis_url, monkeypatch):
    connections = RedisReplayStore(redis_url)._connections
    opened = []
    connect = connections._server.connect

    def note():
        opened.append(connect())
        monkeypatch.setattr(opened[-1], "read_response", fail)
        return opened[-1]

    def fail():
        raise redis.TimeoutError

    monkeypatch.setattr(connections._server, "connect", note)
    with pytest.raises(redis.TimeoutError):
        connections._probe()
    assert opened[0]._sock is None
    assert connections._idle == []

    monkeypatch.undo()
    assert connections._probe()
    assert len(connections._idle) == 1
    connections.close()
