"""From version 0010 to clients without keys: old workers go on writing, and an application can migrate by itself."""

import re
from typing import Any

import flask_migrate
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, MetaData, Table, insert, inspect, select, update
from sqlalchemy.exc import DatabaseError

from flask_private_key_jwt.authorization_server.stores.tables.all_tables import build_tables
from tests.authorization_server.stores.former_tables import FORMER, FULL_ROW
from tests.authorization_server.stores.test_migrations import (  # noqa: F401  # fixtures
    app,
    drift,
    logging_as_before,
    migrations,
)
from tests.checkout import CHECKOUT

WITH_KEYS = {
    **{name: value for name, value in FULL_ROW.items() if name not in FORMER},
    "client_metadata": '{"grant_types": ["client_credentials"]}',
}
KEYLESS = {**WITH_KEYS, "client_id": "old", "jwks": None, "token_endpoint_auth_method": "client_secret_basic"}
NEVER = [
    {**WITH_KEYS, "client_id": "x", "jwks": None},
    {**WITH_KEYS, "client_id": "x", "jwks_uri": "https://x.example/keys"},
    {**WITH_KEYS, "client_id": "x", "token_endpoint_auth_method": "none"},
    {**WITH_KEYS, "client_id": "x", "token_endpoint_auth_method": ""},
]


def engine_of(app: Flask) -> Engine:  # noqa: F811
    engine: Engine = app.extensions["sqlalchemy"].engine
    return engine


def reflect(engine: Engine) -> Table:
    return Table("oauth2_client", MetaData(), autoload_with=engine)


def write(engine: Engine, table: Table, row: dict[str, Any]) -> None:
    with engine.begin() as connection:
        connection.execute(insert(table), row)


def assert_refused(engine: Engine, row: dict[str, Any]) -> None:
    with pytest.raises(DatabaseError):
        write(engine, reflect(engine), row)


def documented_lines() -> str:
    """The example of docs/upgrading.md."""
    page = (CHECKOUT / "docs" / "upgrading.md").read_text(encoding="utf-8").partition("\n## Clients without keys\n")[2]
    found = re.search(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert found is not None
    return found[1]


def test_old_workers_go_on_writing_and_clients_without_keys_come(app, migrations):  # noqa: F811
    engine = engine_of(app)
    flask_migrate.upgrade(migrations, "0010")
    former = reflect(engine)
    write(engine, former, WITH_KEYS)
    assert_refused(engine, KEYLESS)

    flask_migrate.upgrade(migrations)

    write(engine, former, {**WITH_KEYS, "client_id": "new"})
    with engine.begin() as connection:
        connection.execute(update(former).where(former.c.client_id == "console").values(version="2"))
    write(engine, former, KEYLESS)
    for row in NEVER:
        assert_refused(engine, row)
    with engine.connect() as connection:
        kept = connection.execute(select(former).where(former.c.client_id == "console")).one()._mapping
    assert {name: kept[name] for name in WITH_KEYS if name != "version"} == {
        name: value for name, value in WITH_KEYS.items() if name != "version"
    }


def test_way_back_is_refused_while_there_is_a_client_without_keys(app, migrations):  # noqa: F811
    engine = engine_of(app)
    flask_migrate.upgrade(migrations)
    write(engine, reflect(engine), KEYLESS)

    with pytest.raises(ValueError, match="client 'old' has no keys"):
        flask_migrate.downgrade(migrations, "0010")
    assert inspect(engine).has_table("oauth2_client_secret")

    with engine.begin() as connection:
        connection.execute(reflect(engine).delete())
    flask_migrate.downgrade(migrations, "0010")
    assert_refused(engine, KEYLESS)
    write(engine, reflect(engine), WITH_KEYS)


def test_lines_for_an_applications_own_migration_do_the_same(app, migrations):  # noqa: F811
    engine = engine_of(app)
    flask_migrate.upgrade(migrations, "0010")
    write(engine, reflect(engine), WITH_KEYS)
    names: dict[str, Any] = {}
    exec(documented_lines(), names)

    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        names["upgrade"]()

    write(engine, reflect(engine), KEYLESS)
    for row in NEVER:
        assert_refused(engine, row)


def test_constraints_are_those_of_the_models(app, migrations):  # noqa: F811
    flask_migrate.upgrade(migrations)
    migrated = conditions_of(engine_of(app))
    for table in inspect(engine_of(app)).get_table_names():
        with engine_of(app).begin() as connection:
            connection.execute(Table(table, MetaData(), autoload_with=connection).delete())
    db = SQLAlchemy()
    build_tables(db)
    db.metadata.drop_all(engine_of(app))
    db.metadata.create_all(engine_of(app))

    assert migrated == conditions_of(engine_of(app))
    assert drift(app) == []


def conditions_of(engine: Engine) -> dict[str, str]:
    """The constraints of the client table, by name, as the database writes them."""
    found = inspect(engine).get_check_constraints("oauth2_client")
    return {str(constraint["name"]): re.sub(r"\s+", " ", constraint["sqltext"]) for constraint in found}
