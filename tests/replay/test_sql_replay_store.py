"""What only the replay store in SQL has to show; the promises are in test_replay_contract.py."""

import re
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event

from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.database.deadline import request_budget
from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.replay.base import Replayed
from flask_private_key_jwt.replay.sql import SQLAlchemyReplayStore


def test_remembering_is_one_insert_that_is_a_transaction_by_itself_sorted_by_digest(sqlite_database, mark):
    store = SQLAlchemyReplayStore(Database(lambda: sqlite_database.engine), sqlite_database.tables.replay)
    store.remember([mark("first")])
    seen: list[str] = []
    sqlite_database.engine.dispose()
    event.listen(sqlite_database.engine, "connect", lambda connection, _: connection.set_trace_callback(seen.append))

    store.remember([mark(str(number)) for number in range(10)])

    # A connection is told once how long to wait for other writers.
    seen = [statement for statement in seen if not statement.startswith("PRAGMA busy_timeout")]
    assert [statement.split()[0] for statement in seen] == ["INSERT"]
    digests = re.findall(r"x'([0-9a-f]{64})'", seen[0])
    # Unsorted, two requests with the same marks could each wait for the other.
    assert digests == sorted(digests)
    assert len(digests) == 10


def test_of_many_processes_that_make_the_table_at_once_none_fails(sql_url, mark):
    """Threads with an engine each stand in for processes: the race is in the database."""
    gate, answers = threading.Barrier(8), []

    def start(number: int) -> None:
        store = SQLAlchemyReplayStore.from_url(sql_url)
        gate.wait()
        try:
            store.remember([mark(f"own {number}")])
            answers.append("used")
        except (StoreUnavailable, Replayed) as error:
            answers.append(repr(error))
        store.close()

    threads = [threading.Thread(target=start, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["used"] * 8


def test_a_locked_database_is_unavailable_and_comes_back(sqlite_url, mark):
    engine = create_engine(sqlite_url, connect_args={"timeout": 0})
    store = SQLAlchemyReplayStore(Database(lambda: engine))
    store.remember([mark("first")])
    other = sqlite3.connect(engine.url.database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(StoreUnavailable) as refused, request_budget(1):
        store.remember([mark()])
    assert refused.value.reason == "database: OperationalError 'database is locked'"
    other.execute("COMMIT")
    other.close()

    store.remember([mark()])
    engine.dispose()


def test_a_mark_survives_the_death_of_its_process(tmp_path: Path, mark):
    url = f"sqlite:///{tmp_path}/test.sqlite"
    first = SQLAlchemyReplayStore.from_url(url)
    first.remember([mark()])
    (tmp_path / "copy").mkdir()
    for file in tmp_path.glob("test.sqlite*"):  # what another process finds when this one dies right now
        (tmp_path / "copy" / file.name).write_bytes(file.read_bytes())
    second = SQLAlchemyReplayStore.from_url(f"sqlite:///{tmp_path}/copy/test.sqlite")

    with pytest.raises(Replayed):
        second.remember([mark()])
    first.close()
    second.close()


def test_a_pool_without_a_free_connection_is_unavailable(postgres_url, mark):
    engine = create_engine(postgres_url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    store = SQLAlchemyReplayStore(Database(lambda: engine))
    store.remember([mark("first")])

    with engine.connect(), pytest.raises(StoreUnavailable) as refused:
        store.remember([mark()])
    assert refused.value.reason.startswith("database: TimeoutError 'QueuePool limit")

    store.remember([mark()])
    engine.dispose()


def test_a_rollback_in_the_application_does_not_bring_a_mark_back(postgres_database, mark):
    store = SQLAlchemyReplayStore(Database(lambda: postgres_database.engine), postgres_database.tables.replay)
    with postgres_database.engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
        store.remember([mark()])
        connection.rollback()

    with pytest.raises(Replayed):
        store.remember([mark()])


def test_a_worker_stopped_in_mid_statement_leaves_no_half_read_connection(postgres_database):
    class Stopped(BaseException):
        """What a server raises in a worker that took too long."""

    class Values(dict[str, object]):
        def __getitem__(self, name: str) -> object:
            raise Stopped

    dropped: list[object] = []
    event.listen(postgres_database.engine, "invalidate", lambda *arguments: dropped.append(arguments))
    statement = postgres_database.tables.client.select().where(postgres_database.tables.client.c.client_id == "x")

    with pytest.raises(Stopped):
        Database(lambda: postgres_database.engine).fetch_directly(statement, Values())
    assert len(dropped) == 1
    assert postgres_database.engine.pool.checkedout() == 0
