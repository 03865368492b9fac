"""Which connection a statement runs on, and what becomes of it."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, bindparam, column, create_engine, event, select, table, text
from sqlalchemy.pool import NullPool, StaticPool

from flask_private_key_jwt.database import one_writer
from flask_private_key_jwt.database.connections import (
    Connections,
    KeptConnections,
    PooledConnections,
    lend_connections,
)
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.database.engine_deadline import EngineDeadline
from flask_private_key_jwt.errors import StoreUnavailable

ONE = select(text("1"))


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    engine = create_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def opened(engine: Engine) -> list[Any]:
    """Every connection that was opened."""
    opened: list[Any] = []
    event.listen(engine, "connect", lambda connection, _: opened.append(connection))
    return opened


def keep_connections(engine: Engine) -> KeptConnections:
    return KeptConnections(engine, EngineDeadline(engine))


def lend(engine: Engine) -> Connections:
    return lend_connections(engine, EngineDeadline(engine))


def is_open(connection: Any) -> bool:
    try:
        connection.execute("SELECT 1")
    except connection.ProgrammingError:
        return False
    return True


def test_a_connection_to_a_file_serves_one_statement_after_the_other(engine, opened):
    database = Database(lambda: engine)

    assert [database.fetch_directly(ONE, {}), database.fetch_directly(ONE, {})] == [(1,), (1,)]
    assert len(opened) == 1


def test_two_at_once_get_a_connection_each_and_the_last_given_back_goes_first(engine, opened):
    connections = keep_connections(engine)
    first, second = connections.take(), connections.take()
    assert first.connection.dbapi_connection is not second.connection.dbapi_connection

    connections.give_back(first)
    connections.give_back(second)
    assert connections.take() is second
    assert len(opened) == 2


def test_more_than_the_pool_holds_are_kept_too(engine, opened):
    connections = keep_connections(engine)
    for _ in range(2):
        taken = [connections.take() for _ in range(20)]
        for connection in taken:
            connections.give_back(connection)

    assert len(opened) == 20


def test_a_connection_is_given_back_without_what_it_wrote(engine):
    connections = keep_connections(engine)
    lent = connections.take()
    lent.cursor.execute("CREATE TABLE note (word TEXT)")
    lent.cursor.execute("BEGIN")
    lent.cursor.execute("INSERT INTO note VALUES ('lost')")
    connections.give_back(lent)

    with engine.connect() as other:
        assert other.exec_driver_sql("SELECT count(*) FROM note").scalar() == 0


def test_the_next_statement_sees_what_others_have_written(engine):
    database = Database(lambda: engine)
    count = select(text("count(*)")).select_from(text("note"))
    with engine.begin() as other:
        other.exec_driver_sql("CREATE TABLE note (word TEXT)")
    assert database.fetch_directly(count, {}) == (0,)

    with engine.begin() as other:
        other.exec_driver_sql("INSERT INTO note VALUES ('seen')")
    assert database.fetch_directly(count, {}) == (1,)


def test_the_other_side_of_a_fork_opens_connections_of_its_own(engine, opened, monkeypatch):
    connections = keep_connections(engine)
    connections.give_back(connections.take())
    parent = os.getpid()

    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    connections.take()
    assert len(opened) == 2


@pytest.mark.parametrize("way", [Database.fetch, Database.fetch_directly])
def test_a_stopped_worker_leaves_no_half_read_connection(engine, opened, way):
    class Stopped(BaseException):
        """What a server raises in a worker that took too long."""

    class Word:
        def __conform__(self, protocol: object) -> object:
            raise Stopped

    database = Database(lambda: engine)
    with pytest.raises(Stopped):
        way(database, select(bindparam("word")), {"word": Word()})

    way(database, ONE, {})
    assert len(opened) == 2


def test_an_error_gives_the_connection_back(engine, opened):
    database = Database(lambda: engine)
    with pytest.raises(StoreUnavailable):
        database.fetch_directly(select(text("nothing")).select_from(text("nowhere")), {})

    database.fetch_directly(ONE, {})
    assert len(opened) == 1


def test_disposing_of_the_engine_closes_what_is_idle(engine, opened):
    database = Database(lambda: engine)
    database.fetch_directly(ONE, {})
    assert is_open(opened[0])

    engine.dispose()
    assert not is_open(opened[0])
    assert database.fetch_directly(ONE, {}) == (1,)


@pytest.mark.parametrize("options", [{"poolclass": NullPool}, {"poolclass": StaticPool}])
def test_another_pool_than_the_usual_is_the_hosts_own_choice(sqlite_url, options):
    assert type(lend(create_engine(sqlite_url, **options))) is PooledConnections


@pytest.mark.parametrize("reset", [None, "commit", "rollback"])
def test_a_refused_insert_keeps_no_lock_whatever_the_pool_does_with_its_connections(sqlite_url, reset):
    engine = create_engine(sqlite_url, pool_pre_ping=True, pool_reset_on_return=reset)
    assert type(lend(engine)) is PooledConnections
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE numbers (number INTEGER PRIMARY KEY)"))
    insert = table("numbers", column("number")).insert().values(number=bindparam("given"))
    database = Database(lambda: engine)

    assert database.insert_directly(insert, {"given": 1})
    assert not database.insert_directly(insert, {"given": 1})

    other = sqlite3.connect(str(engine.url.database), timeout=0.1)
    other.execute("BEGIN IMMEDIATE")  # raises OperationalError if somebody else is writing
    other.close()
    engine.dispose()


def test_a_database_in_memory_stays_in_its_one_connection():
    assert type(lend(create_engine("sqlite://"))) is PooledConnections


def test_one_thread_writes_at_a_time(engine):
    """SQLite would have the second one sleep and try again."""
    writers = one_writer.find_writing(engine)
    waiting, wrote = threading.Event(), threading.Event()

    def write() -> None:
        waiting.set()
        with writers:
            wrote.set()

    with writers:
        threading.Thread(target=write).start()
        waiting.wait()
        assert not wrote.wait(0.05)
    assert wrote.wait(60)


def test_a_writer_that_waits_too_long_is_told_so(monkeypatch):
    monkeypatch.setattr(one_writer, "TIMEOUT_SECONDS", 0.01)
    writers = one_writer.OneWriter()

    with writers, pytest.raises(StoreUnavailable) as refused, writers:
        pass
    assert refused.value.reason == "database: other threads have been writing for 0.01 s"

    with writers:  # it was given back all the same
        pass


def test_writers_of_other_databases_do_not_wait_for_each_other(postgres_database):
    writers = one_writer.find_writing(postgres_database.engine)

    with writers, writers:
        pass
