"""The demo's migrations, and those an application makes for itself."""

import ast
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData, inspect, text
from sqlalchemy.orm import Mapped, mapped_column

from flask_private_key_jwt.stores.models import TABLE_NAMES, build_tables

MIGRATIONS = Path(__file__).parents[2] / "migrations"
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
            assert all(module.partition(".")[0] in ("alembic", "sqlalchemy") for module in modules), version


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
