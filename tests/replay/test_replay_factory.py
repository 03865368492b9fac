"""From OAUTH2_REPLAY_STORE to the store."""

import subprocess
import sys

import pytest

from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.replay import REPLAY_STORES
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
    "text",
    ["redis", "SQL", "disk", "127.0.0.1:6379", "redis//:hunter2@127.0.0.1/0", "my-app.stores:make", "a:b:c", ":x"],
)
def test_any_other_text_is_an_error_that_does_not_quote_it(text):
    with pytest.raises(ConfigurationError) as refused:
        load_replay_store(text)

    assert str(refused.value) == (
        "OAUTH2_REPLAY_STORE is none of sql, memory, nor a URL, nor an import path such as my_app.stores:make_store."
    )


def test_every_line_of_the_table_leads_to_a_store(tmp_path):
    urls = {"unix://": "unix:///nowhere?db=1", "://": f"sqlite:///{tmp_path}/x.sqlite"}
    urls |= {f"{scheme}+sentinel://": f"{scheme}+sentinel://127.0.0.1:1/main" for scheme in ("redis", "rediss")}
    for kind, path in REPLAY_STORES.items():
        if path is not None:
            url = urls.get(kind, f"{kind}127.0.0.1:1" if "://" in kind else kind)
            assert type(load_replay_store(url)).__name__ == path.partition(":")[2].partition(".")[0]


def test_a_new_line_in_the_table_is_a_new_store(monkeypatch):
    class NewStore(MemoryReplayStore):
        def __init__(self, url):
            super().__init__()
            self.url = url

    monkeypatch.setattr(sys.modules[__name__], "NewStore", NewStore, raising=False)
    monkeypatch.setitem(REPLAY_STORES, "new://", f"{__name__}:NewStore")

    assert load_replay_store("new://host/path").url == "new://host/path"


# --- a store of the application's own --------------------------------------------------------------------------------
STORE = MemoryReplayStore()


class Stores:
    inner = STORE


def make_store():
    return STORE


@pytest.mark.parametrize("path", ["STORE", "Stores.inner", "make_store", "MemoryReplayStore"])
def test_an_import_path_leads_to_a_store_or_to_what_makes_one(path):
    store = load_replay_store(f"{__name__}:{path}")

    assert isinstance(store, MemoryReplayStore)
    assert (store is STORE) is (path != "MemoryReplayStore")


@pytest.mark.parametrize("setting", [STORE, make_store, MemoryReplayStore])
def test_a_store_may_be_given_itself_or_by_what_makes_it(setting):
    assert isinstance(load_replay_store(setting), MemoryReplayStore)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("nowhere.stores:Store", "'nowhere.stores:Store': there is no module nowhere."),
        ("tests.nowhere:Store", "'tests.nowhere:Store': there is no module tests.nowhere."),
        (f"{__name__}:nothing", f"'{__name__}:nothing': there is no nothing in {__name__}."),
        (f"{__name__}:Stores.outer", f"'{__name__}:Stores.outer': there is no outer in {__name__}."),
    ],
)
def test_an_import_path_that_leads_nowhere_is_a_configuration_error(path, sentence):
    with pytest.raises(ConfigurationError) as refused:
        load_replay_store(path)

    assert str(refused.value) == f"OAUTH2_REPLAY_STORE = {sentence}"


def test_a_module_that_is_there_and_cannot_be_loaded_says_so_itself(tmp_path, monkeypatch):
    (tmp_path / "broken_stores.py").write_text("import no_such_package")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        load_replay_store("broken_stores:Store")


class WithoutPurge:
    def remember(self, marks):
        """Remember nothing."""


class OfOtherWords(WithoutPurge):
    def purge(self, size):
        """Delete nothing."""


class Async(OfOtherWords):
    async def remember(self, marks):
        """Remember nothing: nobody awaits it."""


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (WithoutPurge, "WithoutPurge, which is no replay store: it has no purge()."),
        (WithoutPurge(), "WithoutPurge, which is no replay store: it has no purge()."),
        (object(), "object, which is no replay store: it has no remember()."),
        (lambda: None, "NoneType, which is no replay store: it has no remember()."),
        (
            OfOtherWords,
            "OfOtherWords, which is no replay store: its purge() cannot be called as ReplayStore says: "
            "missing a required argument: 'size'.",
        ),
        (Async, "Async, which is no replay store: its remember() is async, and nobody would await it."),
    ],
)
def test_what_is_no_store_is_a_configuration_error_that_says_what_is_missing(made, why):
    with pytest.raises(ConfigurationError) as refused:
        load_replay_store(made)

    assert str(refused.value) == f"OAUTH2_REPLAY_STORE gives a {why}"


# --- what is loaded, and what is said ---------------------------------------------------------------------------------
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
