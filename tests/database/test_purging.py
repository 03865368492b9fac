"""How a purge walks a table: short transactions, rests between them, and no write where nothing has ended."""

from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, PrimaryKeyConstraint, String, Table, event, insert, select

from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.database.purging import delete_in_batches


@pytest.fixture
def database(sql_database: Any) -> Database:
    return Database(lambda: sql_database.engine)


def make_table(database: Database, rows: list[tuple[str, int, int]]) -> Table:
    """A table whose primary key has two columns, as that of the clients' keys."""
    table = Table(
        "walked",
        MetaData(),
        Column("name", String(50, collation=None)),
        Column("part", Integer),
        Column("ends", Integer, nullable=False),
        PrimaryKeyConstraint("name", "part"),
    )
    table.create(database.engine)
    with database.begin() as connection:
        connection.execute(insert(table), [{"name": name, "part": part, "ends": ends} for name, part, ends in rows])
    return table


def left(database: Database, table: Table) -> set[tuple[str, int]]:
    with database.begin() as connection:
        return {(row.name, row.part) for row in connection.execute(select(table))}


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 5, 1000])
def test_what_has_ended_goes_and_the_rest_stays(database, batch):
    rows = [("a", 1, 0), ("a", 2, 9), ("a", 3, 0), ("b", 1, 9), ("c", 1, 0), ("d", 1, 9)]
    table = make_table(database, rows)

    assert delete_in_batches(database, table, table.c.ends < 5, batch=batch) == 3
    assert left(database, table) == {("a", 2), ("b", 1), ("d", 1)}
    assert delete_in_batches(database, table, table.c.ends < 5, batch=batch) == 0


@pytest.mark.parametrize(("batch", "rests"), [(10, 10), (50, 2), (100, 1), (101, 0)])
def test_it_rests_between_batches_and_says_how_long_each_took(database, batch, rests):
    table = make_table(database, [(f"{number:03}", 1, 0) for number in range(100)])
    rested: list[float] = []

    delete_in_batches(database, table, table.c.ends < 5, batch=batch, rest=rested.append)

    assert len(rested) == rests
    assert all(seconds > 0 for seconds in rested)


def test_nothing_is_written_where_nothing_has_ended(database):
    table = make_table(database, [(f"{number:03}", 1, 9 if number else 0) for number in range(100)])
    deletes: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.startswith("DELETE"):
            deletes.append(statement)

    assert delete_in_batches(database, table, table.c.ends < 5, batch=10) == 1
    assert len(deletes) == 1
