"""The demo's migrations make all of its tables, its own people's among them."""

import logging

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from demo.token_server import create_app
from demo.token_server.database import db


@pytest.fixture(autouse=True)
def logging_as_before():
    """Alembic's configuration sets up logging for the whole process."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def migrated(tmp_path, monkeypatch):
    monkeypatch.setenv("FLASK_SECRET_KEY", "a secret for tests only, long enough")
    monkeypatch.setenv("FLASK_SQLALCHEMY_DATABASE_URI", f"sqlite:///{tmp_path}/demo.sqlite")
    with create_app().app_context():
        flask_migrate.upgrade()
        yield
        db.engine.dispose()


def drift():
    with db.engine.connect() as connection:
        return compare_metadata(MigrationContext.configure(connection), db.metadata)


def test_the_migrations_make_what_the_models_say_and_nothing_else(migrated):
    assert drift() == []

    with db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE demo_user ADD COLUMN stray INTEGER"))
    assert [change[0] for change in drift()] == ["remove_column"]


def test_the_migrations_make_the_constraints_the_models_name(migrated):
    found = {check["name"] for check in inspect(db.engine).get_check_constraints("demo_user")}

    assert found == {"ck_demo_user_id", "ck_demo_user_name"}


def test_the_migrations_go_down_again(migrated):
    flask_migrate.downgrade(revision="base")

    assert inspect(db.engine).get_table_names() == ["alembic_version"]
