"""From the tables of version 0004 to today's with rows in them, and what workers with the former code do meanwhile.

They go on writing until the members of clients are gathered (0009 in the demo): from then on they are stopped.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import flask_migrate
import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, MetaData, func, insert, inspect, select, update
from sqlalchemy.exc import DatabaseError

from flask_private_key_jwt.authorization_server.stores.contracts import DocumentKey, StoredKey
from flask_private_key_jwt.authorization_server.stores.sql.authorizations import SQLAlchemyAuthorizationStore
from flask_private_key_jwt.authorization_server.stores.sql.clients import SQLAlchemyClientStore
from flask_private_key_jwt.authorization_server.stores.sql.counters import Counters
from flask_private_key_jwt.authorization_server.stores.sql.documents import SQLAlchemyFetchedDocumentStore
from flask_private_key_jwt.authorization_server.stores.sql.server_keys import SQLAlchemyServerKeyStore
from flask_private_key_jwt.authorization_server.stores.tables.all_tables import TABLE_NAMES, Tables, build_tables
from flask_private_key_jwt.database.database import Database
from tests.authorization_server.stores.former_tables import add_former_columns, edit_as_documented
from tests.authorization_server.stores.test_migrations import (
    CONFIDENTIAL,
    PUSHED,
    drift,
    logging_as_before,  # noqa: F401 - a fixture for every test here
    migrations,  # noqa: F401
    opened,
)
from tests.conftest import START

SINCE_0005 = {
    "oauth2_client": {"registered_by", "jwks_not_before"},
    "oauth2_server_key": {"version"},
    "oauth2_fetched_document": {"failed_at"},
    "oauth2_pushed_request": {"pushed_by"},
    "oauth2_authorization_code": {"granted_at"},
    "oauth2_refresh_token": {"granted_at"},
}
"""Table -> the columns that version 0004 of it did not have."""
INDEXES_SINCE_0005 = {"ix_oauth2_pushed_request_pushed_by"}
TABLES_SINCE_0005 = {"oauth2_counter", "oauth2_client_secret", "oauth2_refusal"}


@pytest.fixture
def former() -> SQLAlchemy:
    """The tables at version 0004, as the models of an application."""
    today, former = SQLAlchemy(), SQLAlchemy()
    build_tables(today)
    for name in set(TABLE_NAMES) - TABLES_SINCE_0005:
        table = today.metadata.tables[name].to_metadata(former.metadata)
        for column in SINCE_0005.get(name, ()):
            table._columns.remove(table.c[column])  # type: ignore[attr-defined]  # there is no public way
        for index in [index for index in table.indexes if index.name in INDEXES_SINCE_0005]:
            table.indexes.remove(index)
    add_former_columns(former.metadata.tables["oauth2_client"])
    return former


def build_former_rows(worker: int) -> Mapping[str, list[dict[str, Any]]]:
    """What a worker with the former code writes."""
    digest = bytes([worker]) * 32
    return {
        "oauth2_client": [
            {**CONFIDENTIAL, "client_id": f"ours-{worker}", "registration_access_token_digest": None},
            {**CONFIDENTIAL, "client_id": f"theirs-{worker}", "registration_access_token_digest": digest},
        ],
        "oauth2_server_key": [
            {
                "slot": worker,
                "kid": f"key-{worker}",
                "alg": "ES256",
                "public_jwk": "{}",
                "encrypted_private_jwk": "x",
                "created_at": START,
                "signs_from": START,
            }
        ],
        "oauth2_fetched_document": [
            {
                "url_digest": digest,
                "url": "https://app.example/keys",
                "fetched_at": START,
                "fresh_until": START,
                "attempted_at": START,
            }
        ],
        "oauth2_pushed_request": [{**PUSHED, "digest": digest}],
    }


def write_as_before(engine: Engine, former: MetaData, worker: int) -> None:
    """Insert, and change again, with statements that know the former columns only."""
    with engine.begin() as connection:
        for name, rows in build_former_rows(worker).items():
            connection.execute(insert(former.tables[name]), rows)
        clients = former.tables["oauth2_client"]
        connection.execute(update(clients).where(clients.c.client_id == f"ours-{worker}").values(version="2"))


def count(engine: Engine, former: MetaData) -> list[int]:
    tables = [former.tables[name] for name in ("oauth2_client", "oauth2_server_key", "oauth2_pushed_request")]
    with engine.connect() as connection:
        return [connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables]


def assert_today_reads_and_writes(engine: Engine, tables: Tables, *, workers: tuple[int, ...]) -> None:
    database = Database(lambda: engine)
    clients, keys = SQLAlchemyClientStore(database, tables, 10), SQLAlchemyServerKeyStore(database, tables)
    for worker in workers:
        found = clients.find(f"ours-{worker}")
        assert found is not None
        assert (found.version, found.registered_by, found.client_name) == ("2", "operator", "Kónsole")
    assert [(key.slot, key.version) for key in keys.load()] == [(worker, 0) for worker in workers]
    assert {field.name for field in fields(StoredKey)} == set(tables.server_key.c.keys())
    keys.change(keys.load()[0], "reencrypted")
    assert keys.find_version() > 0
    documents = SQLAlchemyFetchedDocumentStore(database, tables)
    assert documents.load(DocumentKey("jwks", "https://app.example/keys")) is None  # fetched anew
    assert documents.claim(DocumentKey("jwks", "https://app.example/keys"), now=START, not_before=START - 30)
    authorizations = SQLAlchemyAuthorizationStore(database, tables.granted, keep_seconds=60)
    assert authorizations.count_open("anybody", most=10) == 0
    assert Counters(database, tables).take("an hour", most=1, until=START)


@pytest.fixture
def folder(tmp_path: Any) -> str:
    return str(tmp_path / "own")


@pytest.fixture
def upgraded(former: SQLAlchemy, sql_url: str, folder: str) -> Iterator[tuple[Flask, Tables]]:
    """An application that was at 0004, had rows, and made a migration of its own with today's models."""
    with opened(former, sql_url) as app:
        flask_migrate.init(folder)
        flask_migrate.migrate(folder)
        flask_migrate.upgrade(folder)
        write_as_before(app.extensions["sqlalchemy"].engine, former.metadata, 1)
    after = SQLAlchemy()
    tables = build_tables(after)
    with opened(after, sql_url) as app:
        flask_migrate.migrate(folder)
        edit_as_documented(folder)
        flask_migrate.upgrade(folder)
        yield app, tables


@pytest.mark.filterwarnings("ignore:'get_engine' is deprecated:DeprecationWarning")  # Flask-Migrate's own template
def test_an_applications_migrated_tables_have_what_former_workers_wrote_and_take_no_more(upgraded, former, folder):
    app, tables = upgraded
    engine = app.extensions["sqlalchemy"].engine
    assert drift(app) == []
    assert_today_reads_and_writes(engine, tables, workers=(1,))

    with pytest.raises(DatabaseError):
        write_as_before(engine, former.metadata, 2)

    flask_migrate.downgrade(folder)
    write_as_before(engine, former.metadata, 3)
    assert count(engine, former.metadata) == [4, 2, 2]
    assert not TABLES_SINCE_0005 & set(inspect(engine).get_table_names())


def test_former_workers_go_on_writing_into_the_demos_tables_until_they_are_stopped(sql_url, former, migrations):  # noqa: F811
    db = SQLAlchemy()
    tables = build_tables(db)
    with opened(db, sql_url) as app:
        engine = app.extensions["sqlalchemy"].engine
        flask_migrate.upgrade(migrations, "0004")
        write_as_before(engine, former.metadata, 1)
        flask_migrate.upgrade(migrations, "0008")
        write_as_before(engine, former.metadata, 2)

        flask_migrate.upgrade(migrations)

        with pytest.raises(DatabaseError):
            write_as_before(engine, former.metadata, 4)
        assert_today_reads_and_writes(engine, tables, workers=(1, 2))
        found = SQLAlchemyClientStore(Database(lambda: engine), tables, 10).find("theirs-1")
        assert found is not None
        assert found.registered_by == "client"
        flask_migrate.downgrade(migrations, "0004")
        write_as_before(engine, former.metadata, 3)
        assert count(engine, former.metadata) == [6, 3, 3]
        flask_migrate.upgrade(migrations)
        assert drift(app) == []
