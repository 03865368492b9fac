"""Engines as applications set them up, shared and left behind: the budget holds for each, and nothing is left of it."""

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from sqlalchemy import Engine, create_engine, event, select, text
from sqlalchemy.pool import NullPool, Pool, QueuePool, SingletonThreadPool, StaticPool

from flask_private_key_jwt.database import engine_deadline, socket_watch
from flask_private_key_jwt.database.breaker import Breaker
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.database.deadline import request_budget
from flask_private_key_jwt.errors import StoreUnavailable

BUDGET_SECONDS = 0.3
SOON_SECONDS = 5.0
ONE = select(text("1"))
WAYS = [Database.fetch, Database.fetch_directly]
SLEEP = {"postgresql": select(text("pg_sleep(60)")), "mysql": select(text("SLEEP(60)"))}


@pytest.fixture(params=["postgres", "mariadb"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
def open_engine() -> Iterator[Callable[..., Engine]]:
    engines: list[Engine] = []

    def open_engine(url: str, **options: object) -> Engine:
        engines.append(create_engine(url, **options))
        return engines[-1]

    yield open_engine
    for engine in engines:
        engine.dispose()


def assert_bounded(database: Database, way: Callable[..., object] = Database.fetch) -> None:
    started = time.monotonic()
    with request_budget(BUDGET_SECONDS), pytest.raises(StoreUnavailable) as refused:
        way(database, SLEEP[database.engine.dialect.name], {})
    assert refused.value.reason == "database: no answer in time"
    assert time.monotonic() - started < SOON_SECONDS


def assert_back(database: Database) -> None:
    give_up = time.monotonic() + SOON_SECONDS
    while True:
        try:
            with request_budget(SOON_SECONDS):
                assert database.fetch(ONE, {}) == (1,)
        except StoreUnavailable:
            assert time.monotonic() < give_up
            time.sleep(0.02)
        else:
            return


@pytest.mark.parametrize("pool", [QueuePool, NullPool, StaticPool, SingletonThreadPool])
@pytest.mark.parametrize("pre_ping", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_the_budget_holds_with_every_pool_and_after_it_was_disposed_of(
    url, open_engine, pool: type[Pool], pre_ping, way
):
    engine = open_engine(url, poolclass=pool, pool_pre_ping=pre_ping)
    database = Database(lambda: engine)
    assert_back(database)
    assert_bounded(database, way)
    assert_back(database)

    engine.dispose()
    assert_bounded(database, way)
    assert_back(database)


def test_a_pool_that_waits_for_ever_does_so_for_the_application_only(url, open_engine):
    engine = open_engine(url, pool_size=1, max_overflow=0, pool_timeout=None)
    database = Database(lambda: engine)
    with engine.connect():
        started = time.monotonic()
        with request_budget(BUDGET_SECONDS), pytest.raises(StoreUnavailable):
            database.fetch(ONE, {})
        assert time.monotonic() - started < SOON_SECONDS

        free = threading.Timer(BUDGET_SECONDS, lambda: None)
        waiting = threading.Thread(target=lambda: engine.connect().close(), daemon=True)
        waiting.start()
        free.start()
        free.join()
        assert waiting.is_alive()
    waiting.join(SOON_SECONDS)
    assert not waiting.is_alive()


@pytest.mark.parametrize("level", ["SERIALIZABLE", "READ COMMITTED", "AUTOCOMMIT"])
@pytest.mark.parametrize("way", WAYS)
def test_an_engines_isolation_level_is_what_it_was(url, open_engine, level, way):
    engine = open_engine(url, isolation_level=level, pool_size=1, max_overflow=0)
    with engine.connect() as connection:
        before = connection.get_isolation_level(), connection.connection.dbapi_connection
    with request_budget(SOON_SECONDS):
        way(Database(lambda: engine), ONE, {})

    with engine.connect() as connection:
        assert (connection.get_isolation_level(), connection.connection.dbapi_connection) == before


def test_two_that_share_an_engine_bound_their_own_statements_and_no_others(url, open_engine):
    engine = open_engine(url, pool_pre_ping=True)
    server, store = Database(lambda: engine), Database(lambda: engine)
    opened: list[object] = []
    event.listen(engine, "connect", lambda connection, _: opened.append(connection))
    assert_back(server)
    assert_back(store)
    assert len(opened) == 1

    assert_bounded(server)
    with request_budget(SOON_SECONDS):
        assert store.fetch(ONE, {}) == (1,)  # it did not wait in vain
    assert_back(server)
    assert_bounded(store)
    assert_back(store)
    with engine.connect() as connection:
        slow = "SELECT pg_sleep(0.6)" if engine.dialect.name == "postgresql" else "SELECT SLEEP(0.6)"
        with request_budget(BUDGET_SECONDS):
            connection.exec_driver_sql(slow)  # the application's own


def test_a_replay_store_that_hangs_leaves_the_applications_database_in_use(remote_silence, postgres_url, open_engine):
    app, store = open_engine(postgres_url), open_engine(f"postgresql+psycopg://user@127.0.0.1:{remote_silence}/x")
    database, replay = Database(lambda: app), Database(lambda: store)
    with request_budget(BUDGET_SECONDS):
        assert database.fetch(ONE, {}) == (1,)
        with pytest.raises(StoreUnavailable) as refused:
            replay.fetch(ONE, {})
    assert refused.value.reason == "database: no answer in time"

    with request_budget(SOON_SECONDS):
        assert database.fetch(ONE, {}) == (1,)
        with pytest.raises(StoreUnavailable) as refused:
            replay.fetch(ONE, {})
    assert refused.value.reason == "database: it has not answered since an earlier request waited in vain"


# --- threads --------------------------------------------------------------------------------------------------------
def find_watchdogs() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "store-deadlines"}


def test_the_thread_of_a_database_ends_with_it(postgres_url):
    """A process may make many apps."""
    gc.collect()
    before = find_watchdogs()
    database = Database(partial(create_engine, postgres_url))
    with request_budget(SOON_SECONDS):
        database.fetch(ONE, {})
    (mine,) = find_watchdogs() - before

    database.engine.dispose()
    del database
    gc.collect()
    mine.join(SOON_SECONDS)
    assert not mine.is_alive()


class NoThread:
    """What a process gets that may have no more threads."""

    def __init__(self, **_: object) -> None:
        pass

    def start(self) -> None:
        raise RuntimeError("can't start new thread")


def test_a_connection_that_nobody_can_watch_goes_back_to_nobody(postgres_url, open_engine, monkeypatch):
    """It is switched to AUTOCOMMIT: the application's transactions would be none."""
    engine = open_engine(postgres_url, pool_size=1, max_overflow=0)
    with engine.connect() as connection:
        mine = connection.connection.dbapi_connection
    database = Database(lambda: engine)
    monkeypatch.setattr(socket_watch, "Thread", NoThread)
    with request_budget(SOON_SECONDS), pytest.raises(RuntimeError):
        database.fetch_directly(ONE, {})

    with engine.connect() as connection:
        assert connection.connection.dbapi_connection is not mine
        assert not connection.connection.dbapi_connection.autocommit


def test_a_breaker_whose_thread_cannot_start_lets_everybody_in(monkeypatch):
    """Nobody would ever ask the store again."""
    breaker = Breaker(lambda: True)
    with monkeypatch.context() as patched:
        patched.setattr("flask_private_key_jwt.database.breaker.Thread", NoThread)
        breaker.trip()
    breaker.check()

    gate = threading.Event()
    breaker = Breaker(gate.wait)
    breaker.trip()
    with pytest.raises(StoreUnavailable):
        breaker.check()
    gate.set()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_that_is_forked_while_another_thread_writes_can_write(sqlite_database):
    database = Database(lambda: sqlite_database.engine)
    statement = sqlite_database.tables.replay.insert()
    assert database.insert(statement, {"digest": b"p" * 32, "expires_at": 1})
    with database._opened().writing:
        child = os.fork()
        if child == 0:
            status = 2
            try:
                with request_budget(1):
                    status = 0 if database.insert(statement, {"digest": b"c" * 32, "expires_at": 1}) else 1
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("driver", ["psycopg", "another"])
def test_a_probe_that_never_comes_back_is_followed_by_another(driver, postgres_url, open_engine, monkeypatch):
    """A driver, or a resolver, that waits for ever for a server that is gone."""
    monkeypatch.setattr(engine_deadline, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(engine_deadline, "UNBOUNDED_PROBE_SECONDS", 0.1)
    engine = open_engine(postgres_url)
    engine.dialect.driver = driver
    gate, connect, hung = threading.Event(), engine.dialect.connect, []

    def hang(*arguments, **options):
        if len(hung) < 2:  # the request, and the first probe
            hung.append(threading.current_thread().name)
            gate.wait(60)
        return connect(*arguments, **{**options, "connect_timeout": 5})

    monkeypatch.setattr(engine.dialect, "connect", hang)
    database = Database(lambda: engine)
    with request_budget(BUDGET_SECONDS), pytest.raises(StoreUnavailable):
        database.fetch(ONE, {})

    give_up = time.monotonic() + SOON_SECONDS
    while len(hung) < 2:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert_back(database)
    gate.set()
