"""From OAUTH2_REPLAY_STORE to the store."""

import subprocess
import sys

import pytest

from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.replay.loading import load_replay_store
from flask_private_key_jwt.replay.memory import MemoryReplayStore
from flask_private_key_jwt.replay.redis import RedisReplayStore
from flask_private_key_jwt.replay.sql import SQLAlchemyReplayStore


def test_memory_is_a_store_in_memory():
    assert isinstance(load_replay_store("memory"), MemoryReplayStore)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "rediss://:secret@127.0.0.1:1/0", "unix:///nowhere?db=1"])
def test_a_redis_url_is_a_store_in_redis(url):
    store = load_replay_store(url)

    assert isinstance(store, RedisReplayStore)
    store.close()


def test_any_other_url_is_a_store_in_that_database(sqlite_url):
    store = load_replay_store(sqlite_url)

    assert isinstance(store, SQLAlchemyReplayStore)
    store.close()


def test_sql_is_the_store_the_application_builds():
    ours = MemoryReplayStore()

    assert load_replay_store("sql", build_sql=lambda: ours) is ours


def test_sql_without_an_application_database_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match="'sql' needs the app's own database"):
        load_replay_store("sql")


@pytest.mark.parametrize(
    ("name", "loaded"),
    [("memory", []), ("redis://127.0.0.1", ["redis"]), ("sqlite:////tmp/x.sqlite", ["sqlalchemy"])],
)
def test_only_what_the_setting_names_is_loaded(name, loaded):
    program = (
        "import sys; from flask_private_key_jwt.replay.loading import load_replay_store;"
        f"load_replay_store({name!r});"
        "print(*(name for name in ('flask', 'redis', 'sqlalchemy') if name in sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert answer.stdout.split() == loaded


def test_redis_without_redis_py_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)

    with pytest.raises(ConfigurationError, match=r"pip install flask-private-key-jwt\[redis\]"):
        load_replay_store("redis://127.0.0.1")


@pytest.mark.parametrize("url", ["redis://:hunter2@127.0.0.1:port", "redis://:hunter2@127.0.0.1?socket_timeout=soon"])
def test_a_redis_url_that_cannot_be_read_is_an_error_that_keeps_the_password(url):
    with pytest.raises(ConfigurationError) as refused:
        load_replay_store(url)

    assert str(refused.value) == "OAUTH2_REPLAY_STORE is not a URL that redis-py reads."
    assert refused.value.__suppress_context__
