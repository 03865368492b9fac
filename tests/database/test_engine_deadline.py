"""Waits for a database that does not answer end with the budget, wherever they are."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, create_engine, event, select, text
from sqlalchemy.pool import NullPool, QueuePool

from flask_private_key_jwt.database import breaker as breaker_module
from flask_private_key_jwt.database.breaker import Breaker
from flask_private_key_jwt.database.connecting import connect_in_time
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.database.deadline import request_budget
from flask_private_key_jwt.database.socket_watch import SocketEnd, Watch, Watchdog, find_socket
from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.replay.own_engine import open_engine

BUDGET_SECONDS = 0.3
SOON_SECONDS = 3.0
"""Much later than the budget, much sooner than any wait of the server's: the machine may be busy."""
ONE = select(text("1"))
WAYS = [Database.fetch, Database.fetch_directly]
DRIVERS = ["postgresql+psycopg", "postgresql+psycopg2", "mysql+pymysql"]


@pytest.fixture(params=DRIVERS)
def url(request: pytest.FixtureRequest) -> str:
    """A database of every kind, by every driver that is installed."""
    driver: str = request.param
    if "psycopg2" in driver:
        pytest.importorskip("psycopg2")
    given: str = request.getfixturevalue("postgres_url" if driver.startswith("postgresql") else "mariadb_url")
    return f"{driver}:{given.partition(':')[2]}"


@pytest.fixture
def open_database() -> Iterator[Callable[..., Database]]:
    """Opens databases, and closes them when the test is over."""
    engines: list[Engine] = []

    def open_database(url: str, **options: object) -> Database:
        engines.append(create_engine(url, **options))
        return Database(lambda: engines[-1])

    yield open_database
    for engine in engines:
        engine.dispose()


def sleep_statement(database: Database) -> object:
    """A statement whose answer takes a minute."""
    return text("SELECT pg_sleep(60)" if database.engine.dialect.name == "postgresql" else "SELECT SLEEP(60)")


def fetch(database: Database) -> None:
    database.fetch(sleep_statement(database), {})


def fetch_directly(database: Database) -> None:
    database.fetch_directly(sleep_statement(database), {})


def begin(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(sleep_statement(database))


@pytest.mark.parametrize("ask", [fetch, fetch_directly, begin])
def test_an_answer_that_does_not_come_is_waited_for_no_longer_than_the_budget(url, open_database, ask):
    database = open_database(url)
    assert database.fetch(ONE, {}) is not None
    started = time.monotonic()

    with request_budget(BUDGET_SECONDS), pytest.raises(StoreUnavailable) as refused:
        ask(database)

    assert BUDGET_SECONDS <= time.monotonic() - started < SOON_SECONDS
    assert refused.value.reason == "database: no answer in time"
    assert_back(database)


def test_outside_a_request_an_answer_is_waited_for(url, open_database):
    database = open_database(url)
    slow = text("SELECT pg_sleep(0.6)" if database.engine.dialect.name == "postgresql" else "SELECT SLEEP(0.6)")
    with request_budget(BUDGET_SECONDS), pytest.raises(StoreUnavailable):
        database.fetch(slow, {})
    assert_back(database)

    assert database.fetch(slow, {}) is not None


def assert_back(database: Database) -> None:
    """It serves again by itself, once a probe was answered."""
    give_up = time.monotonic() + SOON_SECONDS
    while True:
        try:
            with request_budget(SOON_SECONDS):
                row = database.fetch(ONE, {})
        except StoreUnavailable:
            assert time.monotonic() < give_up
            time.sleep(0.02)
        else:
            assert row is not None
            return


def test_a_request_that_comes_after_a_time_out_is_refused_at_once(url, open_database, monkeypatch):
    database = open_database(url)
    monkeypatch.setattr(database._opened().deadline._breaker, "_probe", lambda: time.sleep(0.5) or True)
    with request_budget(BUDGET_SECONDS), pytest.raises(StoreUnavailable):
        fetch(database)
    started = time.monotonic()

    for ask in (fetch, fetch_directly, begin):
        with request_budget(60), pytest.raises(StoreUnavailable) as refused:
            ask(database)
        assert refused.value.reason == "database: it has not answered since an earlier request waited in vain"

    assert time.monotonic() - started < 0.4
    assert_back(database)


@pytest.mark.parametrize("scheme", DRIVERS)
@pytest.mark.parametrize("pool", [QueuePool, NullPool])
@pytest.mark.parametrize("ask", [fetch, fetch_directly, begin])
def test_a_server_that_takes_the_connection_and_says_nothing_is_not_waited_for(
    remote_silence, open_database, scheme, pool, ask
):
    if "psycopg2" in scheme:
        pytest.importorskip("psycopg2")
    database = open_database(f"{scheme}://user@127.0.0.1:{remote_silence}/x", poolclass=pool)
    started = time.monotonic()

    with request_budget(BUDGET_SECONDS), pytest.raises(StoreUnavailable) as refused:
        ask(database)

    assert time.monotonic() - started < SOON_SECONDS
    assert refused.value.reason == "database: no answer in time"


def test_a_place_in_the_pool_is_waited_for_no_longer_than_the_budget(url, open_database):
    database = open_database(url, pool_size=1, max_overflow=0, pool_timeout=60)
    with database.engine.connect():
        for ask in (fetch, fetch_directly, begin):
            started = time.monotonic()
            with request_budget(BUDGET_SECONDS), pytest.raises(StoreUnavailable) as refused:
                ask(database)
            assert time.monotonic() - started < SOON_SECONDS
            assert "QueuePool limit" in refused.value.reason

    with request_budget(SOON_SECONDS):  # nobody thinks that the database is away
        assert database.fetch(ONE, {}) is not None


def test_the_application_waits_for_the_pool_as_it_says_itself(url, open_database):
    database = open_database(url, pool_size=1, max_overflow=0, pool_timeout=0.05)
    database.fetch(ONE, {})
    assert float(database.engine.pool.timeout()) == 0.05

    with database.engine.connect(), request_budget(60), pytest.raises(StoreUnavailable):
        database.fetch(ONE, {})


def test_the_pool_keeps_its_timeout_when_the_engine_is_disposed_of(url, open_database):
    database = open_database(url, pool_size=1, max_overflow=0, pool_timeout=60)
    database.fetch(ONE, {})
    database.engine.dispose()
    started = time.monotonic()

    with database.engine.connect(), request_budget(BUDGET_SECONDS), pytest.raises(StoreUnavailable):
        database.fetch(ONE, {})

    assert time.monotonic() - started < SOON_SECONDS


@pytest.mark.parametrize("way", WAYS)
def test_what_is_asked_before_a_connection_is_lent_is_watched_too(url, open_database, way):
    """``pool_pre_ping``, and what the application asks of a new connection."""
    database = open_database(url, pool_pre_ping=True)
    database.fetch(ONE, {})
    database._opened()
    ping, slow = database.engine.dialect.do_ping, sleep_statement(database)

    def slow_ping(connection):
        connection.cursor().execute(str(slow))
        return ping(connection)

    deadline = database._opened().deadline
    database.engine.dialect.do_ping = slow_ping
    deadline._bound_ping(database.engine.dialect)
    started = time.monotonic()

    with request_budget(BUDGET_SECONDS), pytest.raises(StoreUnavailable):
        way(database, ONE, {})

    assert time.monotonic() - started < SOON_SECONDS


@pytest.mark.parametrize("way", WAYS)
def test_what_a_listener_asks_of_a_new_connection_is_watched_too(url, open_database, way):
    database = open_database(url)
    slow = str(sleep_statement(database))
    event.listen(database.engine, "connect", lambda connection, _: connection.cursor().execute(slow))
    started = time.monotonic()

    with request_budget(BUDGET_SECONDS), pytest.raises(StoreUnavailable):
        way(database, ONE, {})

    assert time.monotonic() - started < SOON_SECONDS


def test_no_start_up_parameters_are_sent():
    """PgBouncer refuses connections that bring any."""
    sent: list[dict[str, object]] = []
    engine = open_engine("postgresql+psycopg://127.0.0.1:1/x")

    @event.listens_for(engine, "do_connect")
    def note(_dialect, _record, _arguments, parameters):
        sent.append(dict(parameters))

    with pytest.raises(Exception, match="refused"):
        engine.connect()

    assert "options" not in sent[0]


# --- SQLite ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def locked(sqlite_database) -> Iterator[Database]:
    """An SQLite file that another process is writing to, as this one sees it."""
    database = Database(lambda: sqlite_database.engine)
    database.fetch(ONE, {})
    with sqlite_database.engine.connect() as writer:
        writer.exec_driver_sql("BEGIN IMMEDIATE")
        yield database


def test_another_writer_of_an_sqlite_file_is_waited_for_no_longer_than_the_budget(locked, sqlite_database):
    statement = sqlite_database.tables.replay.insert()
    values = {"digest": b"x" * 32, "expires_at": 1}

    def write_in_transaction():
        with locked.begin() as connection:
            connection.execute(statement, values)

    for write in (
        lambda: locked.insert(statement, values),
        lambda: locked.insert_directly(statement, values),
        write_in_transaction,
    ):
        started = time.monotonic()
        with request_budget(1), pytest.raises(StoreUnavailable) as refused:
            write()
        assert 0.5 < time.monotonic() - started < SOON_SECONDS
        assert "database is locked" in refused.value.reason


def test_an_sqlite_connection_of_the_pool_waits_as_before_afterwards(sqlite_database):
    database = Database(lambda: sqlite_database.engine)
    with request_budget(1), database.begin() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() < 1100

    with sqlite_database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5000


# --- the pieces -----------------------------------------------------------------------------------------------------
def test_a_breaker_lets_everybody_in_until_it_is_tripped_and_again_after_an_answer(monkeypatch):
    monkeypatch.setattr(breaker_module, "PAUSE_SECONDS", 0)
    answers, asked = iter([OSError(), True]), threading.Event()

    def probe():
        asked.wait(60)
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    there_before = set(threading.enumerate())
    breaker = Breaker(probe)
    breaker.check()
    breaker.trip()
    breaker.trip()  # one thread asks
    with pytest.raises(StoreUnavailable):
        breaker.check()

    asked.set()
    for thread in set(threading.enumerate()) - there_before:
        thread.join(60)
    breaker.check()
    assert list(answers) == []


def test_a_connection_that_comes_too_late_is_closed():
    closed, gate = [], threading.Event()

    def connect():
        gate.wait(60)
        return "late"

    assert connect_in_time(connect, closed.append, 0.01) is None
    assert closed == []
    gate.set()
    give_up = time.monotonic() + 60
    while closed != ["late"]:
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_an_error_while_connecting_is_the_callers():
    def connect():
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        connect_in_time(connect, print, 5)


def test_a_watch_shuts_the_socket_when_its_time_is_up_and_not_before_its_end():
    here, there = socket.socketpair()
    with here, there:
        watch = Watch(Watchdog(), time.monotonic() + 0.05)
        watch.add(SocketEnd(here.fileno()))
        assert here.recv(1) == b""  # it waited until the socket was shut
        assert watch.end() is True


def test_a_watch_that_ended_in_time_shuts_nothing():
    watchdog = Watchdog()
    here, there = socket.socketpair()
    with here, there:
        watch = Watch(watchdog, time.monotonic() + 0.05)
        watch.add(SocketEnd(here.fileno()))
        assert watch.end() is False

        late = Watch(watchdog, time.monotonic() + 0.1)
        late.add(SocketEnd(there.fileno()))  # of another connection: by its end the first one's time was up long since
        assert there.recv(1) == b""
        assert here.recv(1) == b""  # its other end was shut, not itself
        late.end()
        with pytest.raises(OSError):
            there.send(b"x")


def test_the_duplicate_of_a_socket_goes_with_its_connection(url, open_database):
    database = open_database(url)
    with request_budget(SOON_SECONDS):
        database.fetch(ONE, {})
    with database.engine.connect() as connection:
        end = connection.connection.info["flask_private_key_jwt.socket"]
    with request_budget(SOON_SECONDS):
        database.fetch(ONE, {})
    with database.engine.connect() as connection:
        assert connection.connection.info["flask_private_key_jwt.socket"] is end

    assert end._descriptor is not None
    database.engine.dispose()
    assert end._descriptor is None


def test_a_connection_of_an_unknown_driver_has_no_socket_to_shut():
    assert find_socket(object()) is None
    closed = socket.socket()
    closed.close()
    assert find_socket(closed) is None
