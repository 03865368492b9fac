"""What only several Redis servers have to show: sentinels, clusters, replicas that confirm."""

import asyncio
import itertools
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import redis
import redis.asyncio

from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.replay import async_redis_cluster, redis_cluster_marks
from flask_private_key_jwt.replay.async_loading import load_async_replay_store
from flask_private_key_jwt.replay.async_redis import LoopConnections
from flask_private_key_jwt.replay.base import Replayed
from flask_private_key_jwt.replay.loading import load_replay_store
from flask_private_key_jwt.replay.redis_cluster_map import TAGS, ClusterMap, build_tag
from tests.servers.line import Line
from tests.servers.redis_groups import (
    DURABLE,
    PATIENT_MILLISECONDS,
    STATE,
    Group,
    find_redis,
    redis_group,
    settle,
    wait_until,
)

pytestmark = pytest.mark.skipif(find_redis() is None, reason="no Redis is installed")


def ask(store, mark):
    """What becomes of a mark."""
    try:
        store.remember([mark])
    except Replayed:
        return "replayed"
    except StoreUnavailable as refused:
        return "forgotten" if refused.cause == "redis_restarted" else refused.reason
    return "used"


def url_of(server, seconds=10):
    """Its URL, with the longest wait for an answer: a busy machine takes its time."""
    return f"redis://127.0.0.1:{server.port}?socket_timeout={seconds}"


def use_one(store, mark):
    """A mark that counted, after as many attempts as a busy machine takes."""
    marks = (mark(f"{time.monotonic()}") for _ in itertools.count())
    counted = []

    def is_used():
        counted.append(next(marks))
        return ask(store, counted[-1]) == "used"

    wait_until(is_used, "no mark counts")
    return counted[-1]


# --- slots ------------------------------------------------------------------------------------------------
def test_tags_lie_evenly_in_all_slots():
    counts = [0] * 16384
    for number in range(TAGS):
        tag = build_tag(number)
        assert len(tag) == 4
        counts[redis.crc.key_slot(b"x{%b}:y" % tag)] += 1

    assert set(counts) == {4}


def test_marks_lie_on_every_node_of_a_cluster(cluster_url, open_store, mark):
    store = open_store(cluster_url)
    for number in range(60):
        store.remember([mark(str(number))])

    hosts = cluster_url.partition("://")[2].partition("?")[0].split(",")
    for host in hosts:
        with redis.Redis.from_url(f"redis://{host}") as client:
            assert list(client.scan_iter(f"{STATE}:*", count=1000))


# --- a master with replicas -------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def pair():
    """A master and a replica, without anybody who watches over them."""
    with tempfile.TemporaryDirectory() as name:
        group = Group(Path(name))
        master, replica = (group.add("--repl-diskless-sync-delay", "0", *DURABLE) for _ in range(2))
        try:
            for server in group.servers:
                server.start()
            yield master, replica
        finally:
            group.end()


@pytest.fixture
def linked(pair):
    """The same, linked."""
    master, replica = pair
    for server in pair:
        server.thaw()
        if server.has_ended():
            server.start()
    master.ask("REPLICAOF", "NO", "ONE")
    replica.ask("REPLICAOF", "127.0.0.1", master.port)
    wait_until(lambda: replica.info("replication")["master_link_status"] == "up", "the replica is not linked")
    master.ask("CONFIG", "SET", "min-replicas-to-write", "0")
    state = {"epoch": "tests", "server": master.info("server")["run_id"], "durable": 1, "since": 0, "created": 0}
    master.ask("DEL", STATE)
    master.ask("HSET", STATE, *(part for item in state.items() for part in item))
    return master, replica


@pytest.fixture
def confirmed(linked, opened):
    return opened(url_of(linked[0], 1), redis_replicas=1)


@pytest.fixture
def opened():
    """Opens stores, and closes them when the test is over."""
    stores = []

    def open_store(url, **options):
        stores.append(load_replay_store(url, **options))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


def test_a_mark_that_a_replica_confirms_counts(linked, confirmed, mark):
    spent = use_one(confirmed, mark)

    assert linked[1].ask("EXISTS", STATE.encode() + b":" + spent.digest()) == 1
    assert ask(confirmed, spent) == "replayed"


def test_a_mark_that_no_replica_confirms_in_time_is_refused_and_spent(linked, confirmed, opened, mark):
    master, replica = linked
    use_one(confirmed, mark)
    replica.freeze()
    late = mark("late")

    assert ask(confirmed, late) == "redis: fewer than 1 replicas confirmed in time"
    assert ask(confirmed, mark("paused")) == "redis: it has not answered since an earlier request waited in vain"
    assert ask(opened(url_of(master)), late) == "replayed"

    replica.thaw()
    use_one(confirmed, mark)
    assert ask(confirmed, late) == "replayed"


def test_an_event_loop_waits_for_replicas_too(linked, mark):
    master, replica = linked
    numbers = itertools.count()

    async def use(store, one):
        try:
            await store.remember([one])
        except Replayed:
            return "replayed"
        except StoreUnavailable as refused:
            return refused.cause
        return "used"

    async def use_until_used(store):
        async with asyncio.timeout(60):
            while await use(store, mark(f"any {next(numbers)}")) != "used":
                await asyncio.sleep(0.02)

    async def use_all():
        store, late = load_async_replay_store(url_of(master, 1), redis_replicas=1), mark("late")
        await use_until_used(store)
        replica.freeze()
        answers = [await use(store, late), await use(store, mark("paused"))]
        replica.thaw()
        await use_until_used(store)
        answers.append(await use(store, late))
        await store.close()
        return answers

    assert asyncio.run(use_all()) == ["redis_replicas", "store_paused", "replayed"]


def test_without_enough_replicas_a_mark_is_refused_at_once_and_not_spent(linked, opened, mark):
    store = opened(url_of(linked[0]), redis_replicas=2)
    early = mark()

    started = time.monotonic()
    assert ask(store, early) == "redis: it has fewer replicas than OAUTH2_REPLAY_REDIS_REPLICAS wants"
    assert time.monotonic() - started < 5  # waiting for replicas would take nine seconds
    assert ask(opened(url_of(linked[0])), early) == "used"


def test_a_master_that_has_become_a_replica_says_so_also_where_replicas_have_to_confirm(linked, confirmed, mark):
    master, replica = linked
    use_one(confirmed, mark)
    replica.ask("REPLICAOF", "NO", "ONE")
    master.ask("REPLICAOF", "127.0.0.1", replica.port)
    wait_until(lambda: master.info("replication")["master_link_status"] == "up", "the old master is not linked")

    assert ask(confirmed, mark("after")).startswith("redis: ReadOnlyError")
    assert confirmed._connections._idle == []


def test_a_master_that_itself_wants_replicas_refuses_and_the_reason_says_so(linked, opened, mark):
    linked[0].ask("CONFIG", "SET", "min-replicas-to-write", "2")
    store = opened(url_of(linked[0]))

    assert ask(store, mark()).endswith("NOREPLICAS")
    linked[0].ask("CONFIG", "SET", "min-replicas-to-write", "0")
    assert ask(store, mark()) == "used"


def test_a_master_that_was_a_replica_meanwhile_may_lack_what_was_used_before(linked, opened, mark, clock):
    """It is the same process as before, so that its name alone says nothing."""
    one, two = linked
    store = opened(url_of(one))
    assert ask(store, mark("first")) == "used"
    clock.move(60)
    two.ask("REPLICAOF", "NO", "ONE")  # the other one takes over, lacks what is used now, and nobody asks it
    spent = mark("spent")
    assert ask(store, spent) == "used"
    one.ask("REPLICAOF", "127.0.0.1", two.port)
    wait_until(lambda: one.info("replication")["master_link_status"] == "up", "the old master is not linked")
    one.ask("REPLICAOF", "NO", "ONE")
    clock.move(5)

    assert ask(store, spent) == "forgotten"
    assert ask(store, mark("since", used_from=clock.now + 1)) == "used"


def test_a_state_of_an_earlier_version_is_taken_over_without_a_refusal(linked, opened, mark):
    one = linked[0]
    assert one.ask("HGET", STATE, "line") is None

    assert ask(opened(url_of(one)), mark()) == "used"
    assert one.ask("HGET", STATE, "durable") == b"1"
    assert one.ask("HGET", STATE, "line").decode() == one.info("replication")["master_replid"]
    assert one.ask("HGET", STATE, "server").decode() == one.info("server")["run_id"]


def test_a_redis_that_evicts_is_warned_of(linked, opened, mark, caplog):
    one = linked[0]
    one.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    one.ask("CONFIG", "SET", "maxmemory", "1gb")
    one.ask("DEL", STATE)
    try:
        ask(opened(url_of(one)), mark())
    finally:
        one.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
        one.ask("CONFIG", "SET", "maxmemory", "0")
    assert "set maxmemory-policy noeviction" in caplog.text

    caplog.clear()
    one.ask("DEL", STATE)
    ask(opened(url_of(one)), mark())
    assert "maxmemory-policy" not in caplog.text


# --- a cluster that changes -------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def own_cluster():
    with (
        tempfile.TemporaryDirectory() as name,
        redis_group("cluster", Path(name), missed_milliseconds=PATIENT_MILLISECONDS) as group,
    ):
        settle(group)
        yield group


def test_a_slot_that_moved_is_followed(own_cluster, opened, mark):
    store = opened(f"{own_cluster.url}?socket_timeout=10")
    marks = [mark(str(number)) for number in range(200)]
    assert {ask(store, each) for each in marks} == {"used"}
    one, two, _ = own_cluster.masters()

    moved = subprocess.run(
        [
            *("redis-cli", "--cluster", "reshard", f"127.0.0.1:{one.port}", "--cluster-yes", "--cluster-slots", "500"),
            *(
                "--cluster-from",
                one.ask("CLUSTER", "MYID").decode(),
                "--cluster-to",
                two.ask("CLUSTER", "MYID").decode(),
            ),
        ],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert moved.returncode == 0

    assert {ask(store, each) for each in marks} == {"replayed"}
    later = [mark(f"later {number}", used_from=int(time.time()) + 60) for number in range(200)]
    assert {ask(store, each) for each in later} == {"used"}


def test_a_node_that_was_emptied_refuses_what_may_have_been_used(own_cluster, opened, mark, clock):
    settle(own_cluster)
    store = opened(f"{own_cluster.url}?socket_timeout=10")
    marks = [mark(f"emptied {number}") for number in range(90)]
    assert {ask(store, each) for each in marks} == {"used"}
    own_cluster.masters()[0].ask("FLUSHALL")
    clock.move(5)

    answers = [ask(store, each) for each in marks]

    assert set(answers) == {"replayed", "forgotten"}
    later = [mark(f"since {number}", used_from=clock.now + 1) for number in range(90)]
    assert {ask(store, each) for each in later} == {"used"}
    assert {ask(store, each) for each in later} == {"replayed"}


def test_a_new_process_knows_what_a_node_forgot(own_cluster, opened, mark, clock):
    settle(own_cluster)
    store = opened(f"{own_cluster.url}?socket_timeout=10")
    for number in range(30):
        ask(store, mark(f"first {number}"))
    own_cluster.masters()[0].ask("FLUSHALL")
    clock.move(5)
    for number in range(30):
        ask(store, mark(f"notices {number}", used_from=clock.now + 1))

    other = opened(f"{own_cluster.url}?socket_timeout=10")

    assert "forgotten" in {ask(other, mark(f"made before {number}")) for number in range(60)}
    assert {ask(other, mark(f"since {number}", used_from=clock.now + 1)) for number in range(60)} == {"used"}


def slot_of(mark):
    return redis.crc.key_slot(build_tag(int.from_bytes(mark.digest()[:2], "big")))


def test_what_one_process_knows_of_an_emptied_node_others_soon_know(own_cluster, opened, mark, clock, monkeypatch):
    settle(own_cluster)
    knew, other = (opened(f"{own_cluster.url}?socket_timeout=10") for _ in range(2))
    spent = mark("spent")
    assert ask(knew, spent) == "used"
    for server in own_cluster.masters():
        server.ask("FLUSHALL")
    clock.move(10)
    # Who did not know comes first, to nodes that have been up for long, and uses the slot.
    settle(own_cluster, epoch="another", created=clock.now)
    marks = (mark(f"first {number}", used_from=clock.now + 1) for number in itertools.count())
    assert ask(other, next(each for each in marks if slot_of(each) == slot_of(spent))) == "used"
    assert ask(knew, next(each for each in marks if slot_of(each) == slot_of(spent))) == "used"

    monkeypatch.setattr(redis_cluster_marks, "LOOK_SECONDS", 0)  # as if a second had passed

    assert ask(other, spent) == "forgotten"


def test_a_cluster_of_which_no_node_answers_is_unavailable(opened, mark):
    store = opened("redis+cluster://127.0.0.1:1,127.0.0.1:2")

    assert ask(store, mark()) == "redis: ConnectionError"


# --- what a replica has not got yet ------------------------------------------------------------------------
@pytest.mark.parametrize("replicas", [0, 1])
def test_marks_that_a_slow_replica_lacks_are_lost_with_the_master_and_refused_after_it(linked, opened, mark, replicas):
    master, replica = linked
    line = Line("127.0.0.1", master.port)
    try:
        replica.ask("REPLICAOF", "127.0.0.1", line.port)
        wait_until(lambda: replica.info("replication")["master_link_status"] == "up", "the replica is not linked")
        store = opened(url_of(master, 1 if replicas else 10), redis_replicas=replicas)
        use_one(store, mark)
        line.freeze()
        late = [mark(f"late {number}") for number in range(20)]
        answers = [ask(store, each) for each in late]
        master.kill()
        replica.ask("REPLICAOF", "NO", "ONE")
    finally:
        line.cut()

    there = [replica.ask("EXISTS", STATE.encode() + b":" + each.digest()) for each in late]
    assert there == [0] * 20
    assert set(answers) == {"used"} if replicas == 0 else "used" not in answers
    after = opened(url_of(replica))
    assert {ask(after, each) for each in late} == {"forgotten"}


def test_two_tasks_may_close_the_same_nodes(monkeypatch):
    nodes = async_redis_cluster._LoopNodes((redis.asyncio.Connection, {"socket_timeout": 1}), 0)

    async def close_both():
        monkeypatch.setattr(LoopConnections, "close", lambda self: asyncio.sleep(0))
        for port in (1, 2, 3):
            nodes.find(("127.0.0.1", port))
        await asyncio.gather(*(nodes.keep(()) for _ in range(2)))

    asyncio.run(close_both())

    assert nodes._nodes == {}


def test_map_may_be_read_anew_while_a_thread_looks_for_the_home_of_a_node():
    slots = ClusterMap([], None, timeout=1)
    address = ("127.0.0.1", 1)
    slots._slots = [address] * 16384

    class ReadAnew(dict):
        def __setitem__(self, key, value):
            super().__setitem__(key, value)
            slots._homes = {}

    slots._homes = ReadAnew()

    assert slots.home(address) == build_tag(0)
