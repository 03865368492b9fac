"""The store notices what Redis has forgotten: no used value can be used a second time."""

import tempfile
import time
from pathlib import Path

import pytest
import redis

from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.replay.base import Replayed
from flask_private_key_jwt.replay.redis import RedisReplayStore
from tests.faults.redis_server import DURABLE, find_redis, redis_server

STATE = "flask_private_key_jwt:replay"
FORGETFUL = ("--appendonly", "no")
pytestmark = pytest.mark.skipif(find_redis() is None, reason="no Redis is installed")


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def start(folder):
    """Starts a Redis of this test's own: ``start(*options)``."""
    running = []

    def start(*options):
        block = redis_server(folder, options)
        running.append(block)
        return block.__enter__()

    yield start
    for block in running:
        block.__exit__(None, None, None)


@pytest.fixture
def open_redis():
    """Opens stores, as workers would: ``open_redis(server)``."""
    opened = []

    def open_redis(server):
        opened.append(RedisReplayStore(server.url))
        return opened[-1]

    yield open_redis
    for store in opened:
        store.close()


def ask(store, mark):
    """What becomes of a mark."""
    try:
        store.remember([mark])
    except Replayed:
        return "replayed"
    except StoreUnavailable as refused:
        return "forgotten" if "may have forgotten" in refused.reason else refused.reason
    return "used"


def test_nothing_is_lost_by_a_durable_redis_that_is_killed(start, open_redis, mark, clock):
    server = start(*DURABLE)
    store = open_redis(server)
    ask(store, mark("first"))
    clock.move(60)
    spent = [mark(f"spent {number}") for number in range(50)]
    assert {ask(store, each) for each in spent} == {"used"}

    server.kill()
    server.start()

    for worker in (store, open_redis(server)):
        assert {ask(worker, each) for each in spent} == {"replayed"}
        assert ask(worker, mark(f"new {id(worker)}")) == "used"


@pytest.mark.parametrize("worker", ["the same", "a new one"])
@pytest.mark.parametrize(
    "options",
    [FORGETFUL, ("--appendonly", "yes", "--appendfsync", "everysec"), ("--appendonly", "yes", "--appendfsync", "no")],
)
def test_what_was_made_before_a_restart_is_refused_where_redis_may_have_forgotten(
    start, open_redis, mark, clock, options, worker
):
    server = start(*options)
    server.settle()
    store = open_redis(server)
    spent = mark()
    assert ask(store, spent) == "used"

    clock.move(5)
    server.kill()
    server.start()
    if worker == "a new one":
        store = open_redis(server)

    assert ask(store, spent) in ("forgotten", "replayed")
    assert ask(store, mark("made before, not used")) == "forgotten"
    assert ask(store, mark("made since", used_from=clock.now + 2)) == "used"
    assert ask(store, mark("made since", used_from=clock.now + 2)) == "replayed"


@pytest.mark.parametrize(("then", "answer"), [(DURABLE, "used"), (FORGETFUL, "forgotten")])
def test_a_durable_redis_that_was_changed_to_forget_is_not_trusted(start, open_redis, mark, clock, then, answer):
    server = start(*DURABLE)
    store = open_redis(server)
    ask(store, mark("first"))
    clock.move(60)
    assert ask(store, mark()) == "used"

    server.kill()
    server.start(*then)

    assert ask(store, mark("after")) == answer


def test_a_redis_that_has_become_durable_is_trusted_from_its_next_restart_on(start, open_redis, mark, clock):
    server = start("--appendonly", "yes", "--appendfsync", "everysec")
    server.settle()
    store = open_redis(server)
    assert ask(store, mark("1")) == "used"
    server.kill()
    server.start(*DURABLE)
    assert ask(store, mark("2")) == "forgotten"
    clock.move(60)
    assert ask(store, mark("3")) == "used"

    server.kill()
    server.start(*DURABLE)

    assert ask(store, mark("4")) == "used"


def test_a_new_redis_refuses_what_is_older_than_itself_and_nothing_else(start, open_redis, mark, clock):
    store = open_redis(start(*DURABLE))

    assert ask(store, mark("older")) == "forgotten"
    assert ask(store, mark("younger", used_from=clock.now + 2)) == "used"
    clock.move(3600)
    assert ask(store, mark("an hour later")) == "used"


@pytest.mark.parametrize("first", ["who knew", "who did not know"])
def test_a_redis_that_was_emptied_refuses_what_may_have_been_used(start, open_redis, mark, clock, first):
    server = start(*DURABLE)
    server.settle()
    knew, other = open_redis(server), open_redis(server)
    spent = mark()
    assert ask(knew, spent) == "used"
    with redis.Redis.from_url(server.url) as client:
        client.flushall()

    clock.move(10)
    if first == "who did not know":
        assert ask(other, mark("first", used_from=clock.now + 2)) == "used"
        with redis.Redis.from_url(server.url) as client:
            client.hset(STATE, "since", 0)  # as by a Redis that has been up for long

    assert ask(knew, spent) == "forgotten"
    assert ask(other, spent) == "forgotten"
    assert ask(other, mark("since", used_from=clock.now + 1)) == "used"


def test_a_worker_that_comes_late_refuses_no_more_than_the_others(start, open_redis, mark, clock):
    server = start(*DURABLE)
    server.settle()
    knew, late = open_redis(server), open_redis(server)
    for store in (knew, late):
        assert ask(store, mark(str(id(store)))) == "used"
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
    ask(knew, mark("notices"))

    clock.move(3600)

    assert ask(late, mark("an hour later")) == "used"


@pytest.mark.parametrize("used_from", [-5, 0, 1])
def test_however_old_a_mark_may_be_a_redis_that_forgot_nothing_takes_it(start, open_redis, mark, used_from):
    server = start(*DURABLE)
    server.settle()

    assert ask(open_redis(server), mark(used_from=used_from)) == "used"


def test_a_redis_that_says_nothing_of_itself_is_used_all_the_same(start, open_redis, mark, clock):
    server = start(*DURABLE)
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("ACL", "SETUSER", "default", "-info", "-config")

    store = open_redis(server)

    assert ask(store, mark()) == "used"
    assert ask(store, mark()) == "replayed"


def test_a_replica_that_takes_over_may_lack_what_was_used_last(start, open_redis, mark, clock):
    master = start(*DURABLE)
    master.settle(durable=True)
    store = open_redis(master)
    with tempfile.TemporaryDirectory() as other, redis_server(Path(other)) as replica:
        with redis.Redis.from_url(replica.url) as client:
            client.replicaof("127.0.0.1", master.port)
            spent = mark()
            assert ask(store, spent) == "used"
            # It was up long before the last use, and it is as durable.
            wait_until(lambda: client.exists(STATE) and client.info("server")["uptime_in_seconds"] >= 3)
            master.kill()
            client.replicaof("NO", "ONE")

        taken_over = open_redis(replica)
        assert ask(taken_over, mark("made before")) == "forgotten"
        assert ask(taken_over, mark("made since", used_from=clock.now + 1)) == "used"


def wait_until(is_so):
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)
