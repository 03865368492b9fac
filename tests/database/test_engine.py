"""SQLite in WAL mode, and an engine of the replay store's own."""

import logging
import sqlite3
import threading
from unittest.mock import Mock

import psycopg
import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.pool import StaticPool

from flask_private_key_jwt.database.engine import open_engine, use_wal
from flask_private_key_jwt.errors import ConfigurationError, StoreUnavailable
from flask_private_key_jwt.replay.sql import SQLAlchemyReplayStore


def pragmas(engine) -> dict[str, object]:
    with engine.connect() as connection:
        names = ("journal_mode", "synchronous", "busy_timeout")
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}


def test_sqlite_goes_to_wal(sqlite_url):
    engine = create_engine(sqlite_url, connect_args={"timeout": 0})
    use_wal(engine)

    assert pragmas(engine) == {"journal_mode": "wal", "synchronous": 1, "busy_timeout": 5000}
    engine.dispose()


def test_sqlite_stays_as_it_is_when_nobody_asks_for_wal(sqlite_url):
    engine = create_engine(sqlite_url, connect_args={"timeout": 0})

    assert pragmas(engine) == {"journal_mode": "delete", "synchronous": 2, "busy_timeout": 0}
    engine.dispose()


def test_a_longer_timeout_of_the_application_is_kept(sqlite_url):
    engine = create_engine(sqlite_url, connect_args={"timeout": 30})
    use_wal(engine)

    assert pragmas(engine)["busy_timeout"] == 30000
    engine.dispose()


def test_wal_is_set_up_once_for_an_engine(sqlite_url):
    engine = create_engine(sqlite_url)
    seen: list[str] = []
    event.listen(engine, "connect", lambda connection, _: connection.set_trace_callback(seen.append))
    use_wal(engine)
    use_wal(engine)

    engine.connect().close()

    assert seen.count("PRAGMA journal_mode = WAL") == 1
    engine.dispose()


def test_a_database_in_memory_is_left_alone():
    engine = create_engine("sqlite://", poolclass=StaticPool)
    use_wal(engine)

    assert pragmas(engine)["journal_mode"] == "memory"
    engine.dispose()


def test_another_kind_of_database_is_left_alone(postgres_url):
    engine = create_engine(postgres_url)
    use_wal(engine)

    engine.connect().close()
    engine.dispose()


def test_a_read_only_database_is_read_as_it_is_and_the_log_says_so(tmp_path, caplog):
    writer = sqlite3.connect(tmp_path / "test.sqlite")
    writer.execute("CREATE TABLE t (x)")
    writer.close()
    engine = create_engine(f"sqlite:///file:{tmp_path}/test.sqlite?mode=ro&uri=true")
    use_wal(engine)

    with caplog.at_level(logging.INFO, logger="flask_private_key_jwt"):
        assert pragmas(engine) == {"journal_mode": "delete", "synchronous": 2, "busy_timeout": 5000}
    assert caplog.messages == ["SQLite does not switch to WAL: attempt to write a readonly database"]
    engine.dispose()


def test_many_that_switch_to_wal_at_once_all_get_there(sqlite_url):
    gate, modes = threading.Barrier(8), []

    def switch() -> None:
        engine = open_engine(sqlite_url)
        gate.wait()
        modes.append(pragmas(engine))
        engine.dispose()

    threads = [threading.Thread(target=switch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert modes == [{"journal_mode": "wal", "synchronous": 1, "busy_timeout": 5000}] * 8


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite://", "names an SQLite database in memory. Use 'memory' instead."),
        ("sqlite:///:memory:", "names an SQLite database in memory. Use 'memory' instead."),
        ("sqlite:///file:x?mode=memory&cache=shared&uri=true", "names an SQLite database in memory."),
        ("hunter2", "is neither a kind of store nor a URL SQLAlchemy reads."),
        ("://hunter2", "is neither a kind of store nor a URL SQLAlchemy reads."),
        ("postgresql://user:hunter2@host:port/x", "is neither a kind of store nor a URL SQLAlchemy reads."),
        ("nosuchthing://user:hunter2@host/x", "is neither a kind of store nor a URL SQLAlchemy reads."),
        ("mysql+oursql://user:hunter2@host/x", "is neither a kind of store nor a URL SQLAlchemy reads."),
        ("postgresql+psycopg://user:hunter2@host/x?prepare_threshold=never", "is neither a number nor none."),
        ("postgresql+pg8000://user:hunter2@host/x", "database, whose driver pg8000 is not installed."),
    ],
)
def test_a_url_that_cannot_serve_is_an_error_that_keeps_the_password(url, sentence):
    with pytest.raises(ConfigurationError) as refused:
        open_engine(url)

    assert sentence in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize(("query", "timeout"), [("", 30), ("?connect_timeout=2", "2")])
def test_a_command_waits_half_a_minute_for_a_connection_unless_the_url_says_otherwise(monkeypatch, query, timeout):
    connect = Mock(side_effect=psycopg.OperationalError)
    monkeypatch.setattr(psycopg, "connect", connect)
    store = SQLAlchemyReplayStore.from_url(f"postgresql+psycopg://127.0.0.1/x{query}")

    with pytest.raises(StoreUnavailable):
        store.purge()
    assert connect.call_args.kwargs["connect_timeout"] == timeout


# --- where an SQLite file may be ----------------------------------------------------------------------------
def test_a_file_that_is_not_there_yet_is_fine_in_a_folder_that_is(tmp_path):
    open_engine(f"sqlite:///{tmp_path}/new.sqlite").dispose()


def test_a_relative_file_counts_from_where_the_process_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    open_engine("sqlite:///new.sqlite").dispose()

    with pytest.raises(ConfigurationError, match=rf"in '{tmp_path}/missing', and there is no such folder"):
        open_engine("sqlite:///missing/new.sqlite")


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="where this process can write no SQLite file"):
        open_engine(f"sqlite:///{tmp_path}")


def test_a_folder_that_may_not_be_written_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere

    with pytest.raises(ConfigurationError, match="where this process can write no SQLite file"):
        open_engine(f"sqlite:///{tmp_path}/new.sqlite")


def test_a_url_of_sqlites_own_kind_is_left_to_sqlite():
    open_engine("sqlite:///file:/no/such/folder/x.sqlite?uri=true").dispose()
