"""What is said of a database that answers, and lacks what a version of ours needs."""

import sqlite3
from typing import Any

import pytest
from sqlalchemy import column, create_engine, select, table, text

from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.database.missing_tables import is_about_missing_tables
from flask_private_key_jwt.errors import StoreUnavailable

ADVICE = "; tables or columns are missing: run `flask db upgrade`"


@pytest.fixture
def database(sql_url: str) -> Any:
    engine = create_engine(sql_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE there (known INTEGER)"))
    yield Database(lambda: engine)
    engine.dispose()


def fetch(database: Database, statement: Any) -> None:
    database.fetch(statement, {})


def execute(database: Database, statement: Any) -> None:
    with database.begin() as connection:
        connection.execute(statement)


@pytest.mark.parametrize(("name", "what"), [("missing", "known"), ("there", "missing")])
@pytest.mark.parametrize("run", [fetch, execute])
def test_a_missing_table_or_column_asks_for_the_upgrade(run, name, what, database):
    with pytest.raises(StoreUnavailable) as refused:
        run(database, select(column(what)).select_from(table(name)))

    assert refused.value.reason.startswith("database: ")
    assert refused.value.reason.endswith(ADVICE)


def test_what_is_there_needs_no_upgrade(database):
    assert database.fetch(select(column("known")).select_from(table("there")), {}) is None


def test_another_error_asks_for_no_upgrade(database):
    with pytest.raises(StoreUnavailable) as refused:
        database.fetch(text("SELECT nonsense FROM"), {})

    assert "upgrade" not in refused.value.reason


def test_a_database_that_is_away_asks_for_no_upgrade(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/no/such/folder.sqlite")

    with pytest.raises(StoreUnavailable) as refused:
        Database(lambda: engine).fetch(select(column("known")).select_from(table("there")), {})

    assert "upgrade" not in refused.value.reason


class DriverError(Exception):
    """As the drivers make theirs, which the tests' databases do not all use."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args)
        self.__dict__.update(attributes)


@pytest.mark.parametrize(
    ("error", "is_missing"),
    [
        (DriverError('relation "x" does not exist', pgcode="42P01"), True),
        (DriverError({"C": "42703", "M": "column"}), True),
        (DriverError("no table", errno=1146, sqlstate="42S02"), True),
        (DriverError(1054, "Unknown column"), True),
        (sqlite3.OperationalError("table x has no column named y"), True),
        (sqlite3.OperationalError("database is locked"), False),
        (DriverError(2006, "server has gone away"), False),
        (DriverError({"C": "57014"}), False),
        (DriverError("no such table, says somebody else"), False),
        (DriverError(), False),
        (DriverError(None, pgcode=None), False),
    ],
    ids=repr,
)
def test_every_driver_says_it_in_its_own_way(error, is_missing):
    assert is_about_missing_tables(error) is is_missing
