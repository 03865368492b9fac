"""A PostgreSQL table is purged page by page, as it lies on disk; everything else by its key."""

from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Table, event, func, insert, select, text

from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.database.page_purging import delete_by_pages
from flask_private_key_jwt.replay.sql import SQLAlchemyReplayStore
from flask_private_key_jwt.replay.table import build_replay_table

ROWS = 1000


@pytest.fixture
def database(postgres_database: Any) -> Database:
    return Database(lambda: postgres_database.engine)


@pytest.fixture
def table(database: Database) -> Any:
    """A table with rows on several pages, of which every other one has ended."""
    table = Table(
        "paged", MetaData(), Column("digest", LargeBinary, primary_key=True), Column("expires_at", BigInteger)
    )
    table.create(database.engine)
    fill(database, table)
    yield table
    table.drop(database.engine)


def fill(database: Database, table: Table) -> None:
    rows = [{"digest": number.to_bytes(32, "big"), "expires_at": number % 2 * 9} for number in range(ROWS)]
    with database.begin() as connection:
        connection.execute(insert(table), rows)


def count_left(database: Database, table: Table) -> tuple[int, int]:
    """The rows that are left, and those of them that have ended."""
    with database.begin() as connection:
        left = connection.scalar(select(func.count()).select_from(table))
        return left, connection.scalar(select(func.count()).select_from(table).where(table.c.expires_at < 5))


@pytest.mark.parametrize("batch", [1, 80, 500, 100_000])
def test_what_has_ended_goes_and_the_rest_stays(database, table, batch):
    assert delete_by_pages(database, table, table.c.expires_at < 5, batch=batch) == ROWS / 2
    assert count_left(database, table) == (ROWS / 2, 0)
    assert delete_by_pages(database, table, table.c.expires_at < 5, batch=batch) == 0


@pytest.mark.parametrize("batch", [80, 400])
def test_it_rests_between_batches_and_says_how_long_each_took(database, table, batch):
    rested: list[float] = []
    with database.begin() as connection:
        pages = connection.scalar(text("SELECT pg_relation_size('paged') / 8192"))

    delete_by_pages(database, table, table.c.expires_at < 5, batch=batch, rest=rested.append)

    assert len(rested) == -(-pages // (batch // 80)) - 1 > 0
    assert all(seconds > 0 for seconds in rested)


def test_a_batch_follows_what_postgresql_has_counted(database, table):
    rested: list[float] = []
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE paged"))
        pages = connection.scalar(text("SELECT relpages FROM pg_class WHERE relname = 'paged'"))

    delete_by_pages(database, table, table.c.expires_at < 5, batch=1, rest=rested.append)

    assert len(rested) == pages - 1 > 0


def test_the_pages_of_a_batch_are_read_and_no_others(database, table):
    """Else a purge would read the whole table for each batch."""
    seen: list[tuple[str, Any]] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.startswith("DELETE"):
            seen.append((statement, parameters))

    delete_by_pages(database, table, table.c.expires_at < 5, batch=100_000)
    event.remove(database.engine, "before_cursor_execute", note)

    with database.engine.connect() as connection:
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {seen[0][0]}", seen[0][1]).scalars())
    assert "Tid Range Scan on paged" in plan


def test_an_empty_table_has_nothing_to_delete(database, table):
    with database.begin() as connection:
        connection.execute(table.delete())

    assert delete_by_pages(database, table, table.c.expires_at < 5) == 0


def test_a_table_of_another_schema_is_found_where_the_engine_puts_it(postgres_database, table):
    engine = postgres_database.engine.execution_options(schema_translate_map={None: "elsewhere"})
    moved = Database(lambda: engine)
    with moved.begin() as connection:
        connection.execute(text("DROP SCHEMA IF EXISTS elsewhere CASCADE"))
        connection.execute(text("CREATE SCHEMA elsewhere"))
    table.create(engine)
    fill(moved, table)

    try:
        assert delete_by_pages(moved, table, table.c.expires_at < 5) == ROWS / 2
        assert count_left(Database(lambda: postgres_database.engine), table) == (ROWS, ROWS / 2)
    finally:
        with moved.begin() as connection:
            connection.execute(text("DROP SCHEMA elsewhere CASCADE"))


def test_any_other_database_is_not_read_by_pages(sqlite_database):
    database = Database(lambda: sqlite_database.engine)
    table = sqlite_database.tables.replay

    assert delete_by_pages(database, table, table.c.expires_at < 5) is None


def test_an_older_postgresql_is_not_read_by_pages(database, table, monkeypatch):
    monkeypatch.setattr(database.engine.dialect, "server_version_info", (13, 11))

    assert delete_by_pages(database, table, table.c.expires_at < 5) is None
    assert count_left(database, table) == (ROWS, ROWS / 2)


def test_marks_that_the_operator_has_partitioned_are_purged_too(postgres_url, clock, mark):
    """Its primary key is the digest alone, so the database takes nothing but a partition by hash."""
    store = SQLAlchemyReplayStore.from_url(postgres_url)
    database = store._database
    table = build_replay_table(MetaData())
    with database.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE oauth2_replay (digest bytea PRIMARY KEY, expires_at bigint NOT NULL)"
                " PARTITION BY HASH (digest)"
            )
        )
        for number in range(2):
            connection.execute(
                text(
                    f"CREATE TABLE oauth2_replay_{number} PARTITION OF oauth2_replay"
                    f" FOR VALUES WITH (MODULUS 2, REMAINDER {number})"
                )
            )
    store.remember([mark(str(number), lifetime=60) for number in range(20)])
    store.remember([mark("kept", lifetime=9000)])
    clock.move(5000)

    assert delete_by_pages(database, table, table.c.expires_at < 0) is None
    assert store.purge() == 20
    store.close()
