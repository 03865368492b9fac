"""The demo's migrations, and those an application makes for itself."""

import ast
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData, insert, inspect, text
from sqlalchemy.orm import Mapped, mapped_column

from flask_private_key_jwt.authorization_server.registered_client import RegisteredClient
from flask_private_key_jwt.authorization_server.stores.granted import Granted, StoredCode, digest
from flask_private_key_jwt.authorization_server.stores.revocation_names import grant_name
from flask_private_key_jwt.authorization_server.stores.sql.authorizations import SQLAlchemyAuthorizationStore
from flask_private_key_jwt.authorization_server.stores.sql.clients import SQLAlchemyClientStore
from flask_private_key_jwt.authorization_server.stores.sql.revocations import SQLAlchemyRevocationStore
from flask_private_key_jwt.authorization_server.stores.tables.all_tables import TABLE_NAMES, Tables, build_tables
from flask_private_key_jwt.database.database import Database
from tests.authorization_server.stores.former_tables import FORMER, add_former_columns, edit_as_documented
from tests.checkout import CHECKOUT
from tests.conftest import START

MIGRATIONS = CHECKOUT / "migrations"
TABLES = set(TABLE_NAMES)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Alembic's configuration sets up logging for the whole process, and switches off every logger it does not name."""
    root, loggers = logging.getLogger(), list(logging.root.manager.loggerDict.values())
    level, handlers = root.level, root.handlers[:]
    disabled = [logger for logger in loggers if isinstance(logger, logging.Logger) and logger.disabled]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.disabled = logger in disabled


@pytest.fixture
def app(sql_url: str) -> Iterator[Flask]:
    """An application on an empty database of every kind."""
    db = SQLAlchemy()
    build_tables(db)
    app = build_app(db, sql_url)
    with app.app_context():
        yield app
        db.engine.dispose()


def build_app(db: SQLAlchemy, url: str) -> Flask:
    app = Flask("host")
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    db.init_app(app)
    flask_migrate.Migrate(app, db)
    return app


@pytest.fixture
def migrations(tmp_path: Path) -> str:
    return str(shutil.copytree(MIGRATIONS, tmp_path / "migrations"))


def table_names(app: Flask) -> set[str]:
    return set(inspect(app.extensions["sqlalchemy"].engine).get_table_names()) - {"alembic_version"}


def drift(app: Flask) -> list[Any]:
    """What autogenerate would change in our tables; the demo may have others."""
    db = app.extensions["sqlalchemy"]
    ours = {"include_name": lambda name, kind, _parents: kind != "table" or name in db.metadata.tables}
    with db.engine.connect() as connection:
        found: list[Any] = compare_metadata(MigrationContext.configure(connection, opts=ours), db.metadata)
    return found


def test_the_demos_migrations_go_up_down_and_up_again(app, migrations):
    flask_migrate.upgrade(migrations)
    assert table_names(app) >= TABLES

    flask_migrate.downgrade(migrations, "base")
    assert not table_names(app)

    flask_migrate.upgrade(migrations)
    assert table_names(app) >= TABLES


def test_the_demos_migrations_make_what_the_models_say(app, migrations):
    flask_migrate.upgrade(migrations)
    assert drift(app) == []

    with app.extensions["sqlalchemy"].engine.begin() as connection:
        connection.execute(text("ALTER TABLE oauth2_client ADD COLUMN stray INTEGER"))
    assert [change[0] for change in drift(app)] == ["remove_column"]


def test_the_demos_migrations_make_the_constraints_the_models_name(app, migrations):
    flask_migrate.upgrade(migrations)

    found = inspect(app.extensions["sqlalchemy"].engine)
    for name in TABLES:
        table = app.extensions["sqlalchemy"].metadata.tables[name]
        declared = {str(constraint.name) for constraint in table.constraints if "ck_" in str(constraint.name)}
        assert {constraint["name"] for constraint in found.get_check_constraints(name)} == declared


def test_migrations_leave_the_applications_loggers_on(app, migrations):
    logger = logging.getLogger("host")
    flask_migrate.upgrade(migrations)

    assert not logger.disabled


def test_the_demos_versions_import_nothing_from_the_package():
    versions = list((MIGRATIONS / "versions").glob("*.py"))
    assert versions
    for version in versions:
        for node in ast.walk(ast.parse(version.read_text())):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert all(module.partition(".")[0] in ("alembic", "sqlalchemy", "json") for module in modules), version


@pytest.mark.filterwarnings("ignore:'get_engine' is deprecated:DeprecationWarning")  # Flask-Migrate's own template
def test_an_application_makes_its_own_migration_and_it_fits(sql_url, tmp_path):
    convention = {"ck": "ck_%(table_name)s_%(constraint_name)s", "pk": "%(table_name)s_pk"}
    db = SQLAlchemy(metadata=MetaData(naming_convention=convention))
    build_tables(db)

    class User(db.Model):
        id: Mapped[int] = mapped_column(primary_key=True)

    app, folder = build_app(db, sql_url), str(tmp_path / "own")
    with app.app_context():
        flask_migrate.init(folder)
        flask_migrate.migrate(folder)
        flask_migrate.upgrade(folder)
        assert table_names(app) == {*TABLES, "user"}
        assert drift(app) == []
        flask_migrate.downgrade(folder, "base")
        assert table_names(app) == set()
        db.engine.dispose()


@pytest.mark.filterwarnings("ignore:'get_engine' is deprecated:DeprecationWarning")  # Flask-Migrate's own template
def test_an_application_that_has_our_names_migrates_once_and_then_has_nothing_to_do(sql_url, tmp_path):
    db = SQLAlchemy()

    class OAuth2Client(db.Model):
        """The application's own, as Authlib's documentation has it."""

        __tablename__ = "oauth2_client"
        id: Mapped[int] = mapped_column(primary_key=True)

    tables = build_tables(db, prefix="as_")
    app, folder = build_app(db, sql_url), str(tmp_path / "own")
    with app.app_context():
        flask_migrate.init(folder)
        flask_migrate.migrate(folder)
        flask_migrate.upgrade(folder)
        flask_migrate.migrate(folder)
        assert len(list((tmp_path / "own" / "versions").glob("*.py"))) == 1
        assert table_names(app) == {name.replace("oauth2_", "as_") for name in TABLES} | {"oauth2_client"}
        assert drift(app) == []
        with db.engine.begin() as connection:
            connection.execute(insert(tables.granted.revocation), {"digest": b"d" * 32, "expires_at": 1})
        db.engine.dispose()


# --- tables with rows in them ---------------------------------------------------------------------------------
SINCE_0004 = {
    "oauth2_client": {
        "require_signed_request_object",
        "request_object_signing_alg",
        "post_logout_redirect_uris",
        "default_max_age",
        "require_auth_time",
        "introspection_resources",
    },
    "oauth2_authorization_code": {"nonce", "granted_at"},
    "oauth2_refresh_token": {"granted_at"},
    "oauth2_revocation": {"issued_until"},
}
"""Table -> the columns that version 0003 of it did not have."""
INDEXES_SINCE_0004 = {"ix_oauth2_pushed_request_client_id"}
CONFIDENTIAL = {
    "client_id": "console",
    "version": "1",
    "enabled": True,
    "client_name": "Kónsole",
    "jwks": '{"keys": [{"kty": "OKP"}]}',
    "token_endpoint_auth_method": "private_key_jwt",
    "grant_types": "authorization_code refresh_token",
    "scope": "read write",
    "default_scope": "read",
    "dpop_bound_access_tokens": False,
    "assertion_audience": "issuer",
    "redirect_uris": "https://app.example/callback",
    "application_type": "web",
    "require_pushed_authorization_requests": True,
    "client_metadata": '{"software_id": "4"}',
    "created_at": START,
    "updated_at": START,
}
PUBLIC = {
    **CONFIDENTIAL,
    "client_id": "native",
    "jwks": None,
    "token_endpoint_auth_method": "none",
    "dpop_bound_access_tokens": True,
}
CODE = {
    "digest": digest("a code"),
    "grant_id": "grant",
    "client_id": "console",
    "subject": "alice",
    "scope": "read",
    "resources": "https://api.example",
    "auth_time": START,
    "redirect_uri": "https://app.example/callback",
    "code_challenge": "c" * 43,
    "expires_at": START + 60,
}
REVOCATION = {"digest": digest("grant_id\x00revoked"), "expires_at": START + 3600}
PUSHED = {"digest": digest("urn:1"), "client_id": "console", "parameters": "{}", "expires_at": START}


def insert_former_rows(app: Flask) -> None:
    """Rows as the former tables held them."""
    engine = app.extensions["sqlalchemy"].engine
    former = MetaData()
    former.reflect(engine)
    for name, columns in SINCE_0004.items():
        assert not columns & set(former.tables[name].c.keys())
    with engine.begin() as connection:
        connection.execute(insert(former.tables["oauth2_client"]), [CONFIDENTIAL, PUBLIC])
        connection.execute(insert(former.tables["oauth2_authorization_code"]), CODE)
        connection.execute(insert(former.tables["oauth2_revocation"]), REVOCATION)
        connection.execute(insert(former.tables["oauth2_pushed_request"]), PUSHED)


def assert_former_rows_are_read(app: Flask, tables: Tables) -> None:
    """The rows mean what they meant before, and the new columns what their absence means."""
    database = Database(lambda: app.extensions["sqlalchemy"].engine)
    clients = SQLAlchemyClientStore(database, tables, 10)
    authorizations = SQLAlchemyAuthorizationStore(database, tables.granted, keep_seconds=60)
    revocations = SQLAlchemyRevocationStore(database, tables.granted.revocation)

    expected = RegisteredClient(
        client_id="console",
        version="1",
        enabled=True,
        jwks={"keys": [{"kty": "OKP"}]},
        grant_types=frozenset({"authorization_code", "refresh_token"}),
        scope=frozenset({"read", "write"}),
        default_scope=("read",),
        client_name="Kónsole",
        redirect_uris=("https://app.example/callback",),
        require_pushed_authorization_requests=True,
        metadata={"software_id": "4"},
    )
    found, public = clients.find("console"), clients.find("native")
    assert found is not None
    assert public is not None
    assert values(found) == values(expected)
    assert public.is_public
    assert (public.require_signed_request_object, public.require_auth_time) == (False, False)

    granted = Granted("grant", "console", "alice", ("read",), ("https://api.example",), auth_time=START)
    assert authorizations.find_code("a code") == StoredCode(
        granted, "https://app.example/callback", "c" * 43, dpop_jkt=None, expires_at=START + 60
    )
    assert authorizations.use_code("a code")
    assert authorizations.find_pushed("urn:1") is not None
    assert revocations.covers([grant_name("revoked")], issued_at=START + 3000)
    assert not revocations.covers([grant_name("grant")], issued_at=START)


def values(client: RegisteredClient) -> dict[str, Any]:
    return {name: getattr(client, name) for name in RegisteredClient.__slots__}


@contextmanager
def opened(db: SQLAlchemy, url: str) -> Iterator[Flask]:
    """An application's context; its connections are closed afterwards."""
    app = build_app(db, url)
    with app.app_context():
        try:
            yield app
        finally:
            db.engine.dispose()


def test_the_demos_migrations_keep_the_rows_that_were_there(sql_url, migrations):
    db = SQLAlchemy()
    tables = build_tables(db)
    with opened(db, sql_url) as app:
        flask_migrate.upgrade(migrations, "0003")
        insert_former_rows(app)

        flask_migrate.upgrade(migrations)

        assert_former_rows_are_read(app, tables)


def test_the_demos_migrations_keep_the_rows_on_the_way_back(sql_url, migrations):
    db = SQLAlchemy()
    tables = build_tables(db)
    with opened(db, sql_url) as app:
        flask_migrate.upgrade(migrations, "0003")
        insert_former_rows(app)
        flask_migrate.upgrade(migrations)

        flask_migrate.downgrade(migrations, "0003")
        flask_migrate.upgrade(migrations)

        assert_former_rows_are_read(app, tables)


@pytest.mark.filterwarnings("ignore:'get_engine' is deprecated:DeprecationWarning")  # Flask-Migrate's own template
def test_an_applications_own_migration_keeps_the_rows_that_were_there(sql_url, tmp_path):
    folder = str(tmp_path / "own")
    before = SQLAlchemy()
    build_former_tables(before.metadata)
    with opened(before, sql_url) as app:
        flask_migrate.init(folder)
        flask_migrate.migrate(folder)
        flask_migrate.upgrade(folder)
        insert_former_rows(app)

    after = SQLAlchemy()
    tables = build_tables(after)
    with opened(after, sql_url) as app:
        flask_migrate.migrate(folder)
        edit_as_documented(folder)
        flask_migrate.upgrade(folder)

        assert drift(app) == []
        assert_former_rows_are_read(app, tables)


def build_former_tables(metadata: MetaData) -> None:
    """The tables as they were at version 0003 of the demo's, in an application's metadata."""
    today = SQLAlchemy()
    build_tables(today)
    for name in TABLE_NAMES:
        table = today.metadata.tables[name].to_metadata(metadata)
        for column in SINCE_0004.get(name, set()) - set(FORMER):
            table._columns.remove(table.c[column])  # type: ignore[attr-defined]  # there is no public way
        for index in [index for index in table.indexes if index.name in INDEXES_SINCE_0004]:
            table.indexes.remove(index)
    add_former_columns(metadata.tables["oauth2_client"], without=SINCE_0004["oauth2_client"])
