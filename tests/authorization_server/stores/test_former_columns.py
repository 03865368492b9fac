"""The columns that members of a client had before: moved up and down, and never passed over while they are there."""

import json
from collections.abc import Iterator
from typing import Any

import flask_migrate
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, create_engine, inspect, text, update

from flask_private_key_jwt import gather_client_metadata, spread_client_metadata
from flask_private_key_jwt.authorization_server.registered_client import RegisteredClient
from flask_private_key_jwt.authorization_server.stores.sql.clients import SQLAlchemyClientStore
from flask_private_key_jwt.authorization_server.stores.sql.registrations import ClientIdTaken, SQLAlchemyRegistrations
from flask_private_key_jwt.authorization_server.stores.tables.all_tables import Tables, build_tables
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.errors import StoreUnavailable
from tests.authorization_server.stores.example_client import FULL_CLIENT, build_client, public_values
from tests.authorization_server.stores.former_tables import (
    FORMER,
    FULL_METADATA,
    FULL_ROW,
    PUBLIC_ROW,
    add_former_columns,
    edit_as_documented,
    insert_rows,
    read_rows,
    reflect,
)
from tests.authorization_server.stores.test_migrations import (
    drift,
    logging_as_before,  # noqa: F401 - a fixture for every test here
    migrations,  # noqa: F401
    opened,
)

ADVICE = (
    "database: the client table still has the columns of a former version: in the migration that drops them, call "
    "gather_client_metadata(op) in place of it (docs/upgrading.md)"
)
LEAST = RegisteredClient(
    client_id="native",
    version="1",
    enabled=True,
    owner="team-7",
    grant_types=frozenset({"authorization_code"}),
    token_endpoint_auth_method="none",
    dpop_bound_access_tokens=True,
    assertion_audience="compatibility",
    redirect_uris=FULL_CLIENT.redirect_uris,
    application_type="native",
    registered_by="client",
)


def assert_read_as_they_were(engine: Engine, tables: Tables) -> None:
    clients = SQLAlchemyClientStore(Database(lambda: engine), tables, 10)
    full, least = clients.find("console"), clients.find("native")
    assert full is not None
    assert least is not None
    expected = build_client(metadata=FULL_METADATA)
    assert (full.version, public_values(full)) == ("1", public_values(expected))
    assert public_values(least) == public_values(LEAST)
    assert len(read_rows(engine)) == 1003


# --- the demo's migration --------------------------------------------------------------------------------------
def test_the_demos_migration_takes_every_member_along_and_back(sql_url, migrations):  # noqa: F811
    db = SQLAlchemy()
    tables = build_tables(db)
    with opened(db, sql_url) as app:
        engine = app.extensions["sqlalchemy"].engine
        flask_migrate.upgrade(migrations, "0008")
        insert_rows(engine)
        before = read_rows(engine)

        flask_migrate.upgrade(migrations)
        assert_read_as_they_were(engine, tables)
        assert not set(FORMER) & set(reflect(engine).c.keys())

        flask_migrate.downgrade(migrations, "0008")
        assert_same_rows(read_rows(engine), before)
        flask_migrate.upgrade(migrations)
        assert_read_as_they_were(engine, tables)


def assert_same_rows(after: dict[str, dict[str, Any]], before: dict[str, dict[str, Any]]) -> None:
    assert after.keys() == before.keys()
    for client_id, row in before.items():
        kept = {**after[client_id], "client_metadata": json.loads(after[client_id]["client_metadata"])}
        assert kept == {**row, "client_metadata": json.loads(row["client_metadata"])}


def test_the_demos_migration_makes_the_former_columns_as_they_were(sql_url, migrations):  # noqa: F811
    db = SQLAlchemy()
    build_tables(db)
    with opened(db, sql_url) as app:
        engine = app.extensions["sqlalchemy"].engine
        flask_migrate.upgrade(migrations, "0008")
        before = describe_columns(engine)

        flask_migrate.upgrade(migrations)
        flask_migrate.downgrade(migrations, "0008")

        assert describe_columns(engine) == before


def describe_columns(engine: Engine) -> dict[str, tuple[str, bool]]:
    return {
        column["name"]: (str(column["type"]), column["nullable"])
        for column in inspect(engine).get_columns("oauth2_client")
    }


def test_the_demos_migration_stops_at_metadata_that_nobody_can_read(sqlite_url, migrations):  # noqa: F811
    db = SQLAlchemy()
    build_tables(db)
    with opened(db, sqlite_url) as app:
        engine = app.extensions["sqlalchemy"].engine
        flask_migrate.upgrade(migrations, "0008")
        insert_rows(engine)
        with engine.begin() as connection:
            connection.execute(text("UPDATE oauth2_client SET client_metadata = '[1]' WHERE client_id = 'native'"))

        with pytest.raises(ValueError, match="client_metadata of client 'native' is not a JSON object: mend or delete"):
            flask_migrate.upgrade(migrations)

        assert set(FORMER) < set(reflect(engine).c.keys())
        assert read_rows(engine)["console"] == {**FULL_ROW, "id": 1}


# --- an application's own ----------------------------------------------------------------------------------------
@pytest.mark.filterwarnings("ignore:'get_engine' is deprecated:DeprecationWarning")  # Flask-Migrate's own template
def test_an_applications_migration_takes_every_member_along_and_back(sql_url, tmp_path):
    folder = str(tmp_path / "own")
    former = SQLAlchemy()
    build_tables(former)
    add_former_columns(former.metadata.tables["oauth2_client"])
    with opened(former, sql_url) as app:
        engine = app.extensions["sqlalchemy"].engine
        flask_migrate.init(folder)
        flask_migrate.migrate(folder)
        flask_migrate.upgrade(folder)
        insert_rows(engine)
        before = read_rows(engine)
        columns = describe_columns(engine)
    today = SQLAlchemy()
    tables = build_tables(today)
    with opened(today, sql_url) as app:
        engine = app.extensions["sqlalchemy"].engine
        flask_migrate.migrate(folder)
        edit_as_documented(folder)
        flask_migrate.upgrade(folder)
        assert_read_as_they_were(engine, tables)
        assert drift(app) == []

        flask_migrate.downgrade(folder)
        assert_same_rows(read_rows(engine), before)
        assert describe_columns(engine) == columns
        flask_migrate.upgrade(folder)
        assert_read_as_they_were(engine, tables)


class FormerDatabase:
    """An SQLite database with former tables, and Alembic's ``op`` on it."""

    def __init__(self, url: str, *, prefix: str = "oauth2_") -> None:
        former = SQLAlchemy()
        build_tables(former, prefix=prefix)
        add_former_columns(former.metadata.tables[f"{prefix}client"])
        self.engine = create_engine(url)
        former.metadata.create_all(self.engine)
        self.tables = build_tables(SQLAlchemy(), prefix=prefix)
        self.database = Database(lambda: self.engine)

    def run(self, migrate: Any, **options: Any) -> None:
        with self.engine.begin() as connection:
            migrate(Operations(MigrationContext.configure(connection)), **options)

    def registrations(self) -> SQLAlchemyRegistrations:
        return SQLAlchemyRegistrations(
            self.database, self.tables, find_thumbprints=lambda _: set(), is_vouched_for=lambda _: True
        )


@pytest.fixture
def former(sqlite_url: str) -> Iterator[FormerDatabase]:
    database = FormerDatabase(sqlite_url)
    yield database
    database.engine.dispose()


def test_tables_behind_a_prefix_are_found_by_it(sqlite_url):
    former = FormerDatabase(sqlite_url, prefix="as_")
    former.run(gather_client_metadata, table_prefix="as_")
    assert not set(FORMER) & {column["name"] for column in inspect(former.engine).get_columns("as_client")}

    former.run(spread_client_metadata, table_prefix="as_")
    assert set(FORMER) < {column["name"] for column in inspect(former.engine).get_columns("as_client")}
    former.engine.dispose()


def test_tables_in_a_schema_are_found_in_it(postgres_url):
    engine = create_engine(postgres_url)
    former = SQLAlchemy()
    build_tables(former)
    add_former_columns(former.metadata.tables["oauth2_client"])
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA auth")
        in_schema = connection.execution_options(schema_translate_map={None: "auth"})
        former.metadata.create_all(in_schema)
    try:
        for migrate, are_there in ((gather_client_metadata, False), (spread_client_metadata, True)):
            with engine.begin() as connection:
                migrate(Operations(MigrationContext.configure(connection)), schema="auth")
            found = {column["name"] for column in inspect(engine).get_columns("oauth2_client", "auth")}
            assert (set(FORMER) < found) is are_there
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA auth CASCADE")
        engine.dispose()


def test_a_second_run_goes_on_where_the_first_stopped(former):
    """MariaDB keeps what an interrupted migration has done."""
    insert_rows(former.engine)
    stopped = Exception("stopped")

    class StoppedOp(Operations):
        dropped = 0

        def drop_column(self, *arguments: Any, **options: Any) -> None:
            StoppedOp.dropped += 1
            if StoppedOp.dropped > 5:
                raise stopped
            super().drop_column(*arguments, **options)

    with former.engine.connect() as connection:
        with pytest.raises(Exception, match="stopped"):
            gather_client_metadata(StoppedOp(MigrationContext.configure(connection)))
        connection.commit()
    assert 0 < len(set(FORMER) & set(reflect(former.engine).c.keys())) < len(FORMER)

    former.run(gather_client_metadata)
    former.run(gather_client_metadata)

    assert_read_as_they_were(former.engine, former.tables)


def test_metadata_that_nobody_can_read_stops_it_before_anything_is_dropped(former):
    insert_rows(former.engine)
    with former.engine.begin() as connection:
        connection.execute(update(former.tables.client).values(client_metadata="damaged"))

    with pytest.raises(ValueError, match="client_metadata of client 'console' is not a JSON object: mend or delete"):
        former.run(gather_client_metadata)

    assert set(FORMER) < set(reflect(former.engine).c.keys())


@pytest.mark.parametrize("migrate", [gather_client_metadata, spread_client_metadata])
def test_it_cannot_be_written_out_as_sql(migrate):
    context = MigrationContext.configure(dialect_name="sqlite", opts={"as_sql": True})

    with pytest.raises(ValueError, match="run this migration without --sql"):
        migrate(Operations(context))


# --- a database that nobody migrated -----------------------------------------------------------------------------
def test_former_columns_stop_the_first_request_and_every_command(former):
    insert_rows(former.engine)
    clients, registrations = SQLAlchemyClientStore(former.database, former.tables, 10), former.registrations()

    for use in (lambda: clients.find("console"), lambda: registrations.find("native"), registrations.all):
        with pytest.raises(StoreUnavailable) as refused:
            use()
        assert refused.value.reason == ADVICE

    former.run(gather_client_metadata)
    assert clients.find("console") is not None
    assert len(registrations.all()) == 1003


def test_former_columns_stop_the_first_registration(former):
    with pytest.raises(StoreUnavailable) as refused:
        former.registrations().add(build_client(version="1"))
    assert refused.value.reason == ADVICE

    former.run(gather_client_metadata)
    former.registrations().add(build_client(version="1"))
    with pytest.raises(ClientIdTaken):
        former.registrations().add(build_client(version="2"))


def test_columns_that_were_dropped_unread_leave_clients_that_authenticate_nobody(former, caplog):
    insert_rows(former.engine)
    with former.engine.begin() as connection:
        for name in FORMER:
            connection.execute(text(f"ALTER TABLE oauth2_client DROP COLUMN {name}"))

    client = SQLAlchemyClientStore(former.database, former.tables, 10).find("console")

    assert client is not None
    assert (client.jwks, client.grant_types, client.scope) == ({"keys": []}, frozenset(), frozenset())
    assert caplog.messages == [
        "client 'console' cannot authenticate: its client_metadata has no grant_types, as if no migration had called "
        "gather_client_metadata"
    ]


def test_the_rows_of_this_file_set_every_column():
    assert set(FULL_ROW) == set(PUBLIC_ROW)
    assert set(FORMER) < set(FULL_ROW)
    assert {*FULL_ROW, "id"} == {*FORMER, *build_tables(SQLAlchemy()).client.c.keys()}
