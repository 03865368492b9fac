"""SQLite in WAL mode."""

import logging
import sqlite3
import threading

from sqlalchemy import create_engine, event
from sqlalchemy.pool import StaticPool

from flask_private_key_jwt.database.sqlite import use_wal
from flask_private_key_jwt.replay.own_engine import open_engine


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


def test_connections_that_the_application_opened_before_are_switched_too(sqlite_url):
    engine = create_engine(sqlite_url, connect_args={"timeout": 0})
    assert pragmas(engine)["journal_mode"] == "delete"
    use_wal(engine)

    assert pragmas(engine) == {"journal_mode": "wal", "synchronous": 1, "busy_timeout": 5000}
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
