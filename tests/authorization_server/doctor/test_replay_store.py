"""The replay store: every kind, and stores that break a promise."""

import tempfile
from pathlib import Path

import pytest
import redis

from flask_private_key_jwt.authorization_server.doctor.replay_store import judge_sql
from flask_private_key_jwt.replay import Replayed
from tests.authorization_server.doctor.conftest import read_all
from tests.faults.redis_server import find_redis, redis_server

IDS = ("replay-store-shared", "replay-store-atomic", "replay-store-durable", "replay-store-evicts-nothing")


def look_at_all(look):
    return {identifier: look(identifier) for identifier in IDS}


def test_sqlite_file_is_right_and_says_what_it_is(look):
    found = look_at_all(look)

    assert [one.ok for one in found.values()] == [True, True, True, None]
    assert "workers on other machines" in found["replay-store-shared"].why
    assert "power cut" in found["replay-store-durable"].why


@pytest.mark.parametrize("settings", [{"OAUTH2_REPLAY_STORE": "memory"}])
def test_memory_is_atomic_and_no_more(look):
    found = look_at_all(look)

    assert [one.ok for one in found.values()] == [False, True, False, None]
    assert "OAUTH2_REPLAY_STORE" in found["replay-store-shared"].change


class TestInMemory:
    @pytest.fixture
    def database_url(self):
        return "sqlite://"

    def test_sqlite_in_memory_is_not_shared(self, look):
        assert look("replay-store-shared").ok is False


# --- servers ------------------------------------------------------------------------------------------------------
class TestPostgres:
    @pytest.fixture
    def database_url(self, postgres_url):
        return postgres_url

    def test_postgres_is_shared_and_atomic(self, look):
        found = look_at_all(look)

        assert found["replay-store-shared"].ok
        assert found["replay-store-atomic"].ok
        # The tests' server is fast, and forgets: fsync is off.
        assert found["replay-store-durable"].ok is False
        assert "fsync is off" in found["replay-store-durable"].why
        assert found["replay-store-durable"].change == "Set fsync to on."


class TestMariaDB:
    @pytest.fixture
    def database_url(self, mariadb_url):
        return mariadb_url

    def test_mariadb_is_shared_and_atomic_and_says_whether_it_is_durable(self, look):
        found = look_at_all(look)

        assert found["replay-store-shared"].ok
        assert found["replay-store-atomic"].ok
        assert found["replay-store-durable"].ok is not None


@pytest.mark.parametrize(
    ("dialect", "answers", "ok"),
    [
        ("postgresql", {"SHOW fsync": "on", "SHOW synchronous_commit": "on"}, True),
        ("postgresql", {"SHOW fsync": "on", "SHOW synchronous_commit": "remote_apply"}, True),
        ("postgresql", {"SHOW fsync": "on", "SHOW synchronous_commit": "off"}, False),
        ("mysql", {"SELECT @@innodb_flush_log_at_trx_commit": 1}, True),
        ("mariadb", {"SELECT @@innodb_flush_log_at_trx_commit": 2}, False),
        ("sqlite", {"PRAGMA synchronous": 2}, True),
        ("sqlite", {"PRAGMA synchronous": 0}, False),
        ("oracle", {}, None),
    ],
)
def test_what_the_database_says_decides(dialect, answers, ok):
    assert judge_sql(Says(dialect, answers)).ok is ok


class Says:
    """A database of some kind, by its answers."""

    def __init__(self, dialect, answers):
        self.engine = self.dialect = self
        self.name = dialect
        self._answers = answers

    def begin(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def exec_driver_sql(self, statement):
        self._answer = self._answers[statement]
        return self

    def scalar_one(self):
        return self._answer


class TestRedis:
    @pytest.fixture
    def settings(self, redis_url):
        return {"OAUTH2_REPLAY_STORE": redis_url}

    def test_redis_is_shared_and_atomic_and_forgets_in_a_restart(self, look):
        found = look_at_all(look)

        assert [one.ok for one in found.values()] == [True, True, False, True]
        assert "appendfsync always" in found["replay-store-durable"].change

    def test_redis_that_does_not_say_is_not_judged(self, look, app, monkeypatch):
        monkeypatch.setattr(app.extensions["private_key_jwt"].replay, "find_eviction", lambda: None)

        assert look("replay-store-evicts-nothing").ok is None


@pytest.mark.skipif(find_redis() is None, reason="no Redis is installed")
class TestDurableRedis:
    @pytest.fixture
    def redis_url(self):
        with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as own:
            yield own.url

    @pytest.fixture
    def settings(self, redis_url):
        return {"OAUTH2_REPLAY_STORE": redis_url}

    def test_redis_that_writes_at_once_is_durable_and_one_that_drops_keys_is_noticed(self, look, redis_url):
        assert look("replay-store-durable").ok
        with redis.Redis.from_url(redis_url) as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
            assert look("replay-store-evicts-nothing").ok  # without a limit it drops nothing
            client.config_set("maxmemory", "1gb")

        found = look("replay-store-evicts-nothing")

        assert found.ok is False
        assert "allkeys-lru" in found.why


@pytest.mark.parametrize("settings", [{"OAUTH2_REPLAY_STORE": "redis://127.0.0.1:1/0"}])
def test_redis_that_is_away_is_a_row_and_no_crash(doctor):
    rows, exit_code = doctor()

    assert exit_code == 1
    assert {"replay-store-shared", "replay-store-atomic", "replay-store-durable"} <= set(read_all(rows))
    assert "redis" in rows["replay-store-shared"]["why"]


# --- the application's own ------------------------------------------------------------------------------------------
class Broken:
    """Reads first and writes afterwards, or notices nothing at all."""

    def __init__(self):
        self.seen = set()

    def remember(self, marks):
        for mark in marks:
            if mark.digest() in self.seen:
                raise Replayed(mark)
            self.seen.add(mark.digest())

    def purge(self, *, batch=100, rest=None):
        return 0


class Blind(Broken):
    def remember(self, marks):
        pass


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"OAUTH2_REPLAY_STORE": Broken()}, "although another one was refused"),
        ({"OAUTH2_REPLAY_STORE": Blind()}, "a mark counts twice"),
    ],
)
def test_store_of_the_application_is_tried_and_its_reach_is_not_known(look, says):
    found = look_at_all(look)

    assert [one.ok for one in found.values()] == [None, False, None, None]
    assert says in found["replay-store-atomic"].why


def test_store_that_two_connections_do_not_share_is_noticed(look, app, monkeypatch):
    store = app.extensions["private_key_jwt"].replay
    monkeypatch.setattr(store, "through", lambda _: Broken())

    assert look("replay-store-shared").ok is False


def test_nothing_is_purged(look, app, monkeypatch):
    def purge(**_):
        raise AssertionError("a store in use may have millions of marks")

    monkeypatch.setattr(app.extensions["private_key_jwt"].replay, "purge", purge)

    assert look("replay-store-atomic").ok
