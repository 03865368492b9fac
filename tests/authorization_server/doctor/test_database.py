"""A database that is away, one without the migration, and one that can only be read."""

import pytest
from flask_migrate import Migrate
from sqlalchemy import event, text

from tests.authorization_server.doctor.conftest import read_all

NEED_TABLES = ("signing-key", "client-registrations", "clients-signed", "replay-store-atomic")


def test_database_is_right(look):
    assert look("database").ok
    assert look("migration").ok


def test_missing_column_is_the_one_thing_that_is_not_met(server, doctor):
    app, _, db = server
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE oauth2_client DROP COLUMN owner"))

    rows, exit_code = doctor()

    assert exit_code == 1
    assert rows["migration"]["ok"] is False
    assert "flask db upgrade" in rows["migration"]["change"]
    assert {rows[name]["ok"] for name in NEED_TABLES} == {None}
    assert "migration is not met" in rows["signing-key"]["why"]
    assert rows["database"]["ok"]


def test_no_tables_at_all_is_no_crash(server, doctor):
    app, _, db = server
    with app.app_context():
        db.drop_all()

    rows, exit_code = doctor()

    assert exit_code == 1
    assert "migration" in read_all(rows)


class TestAway:
    @pytest.fixture
    def database_url(self, tmp_path):
        return f"sqlite:///{tmp_path}/as.sqlite"

    def test_database_that_is_away_is_said_once(self, server, doctor, tmp_path):
        app, _, db = server
        with app.app_context():
            db.engine.dispose()
        for file in tmp_path.glob("as.sqlite*"):
            file.unlink()
        (tmp_path / "as.sqlite").mkdir()

        rows, exit_code = doctor()

        assert exit_code == 1
        assert rows["database"]["ok"] is False
        assert rows["migration"]["ok"] is None
        assert rows["clock-database"]["ok"] is None


def test_database_that_can_only_be_read_lets_nothing_be_attacked(server, doctor):
    app, _, db = server
    with app.app_context():
        event.listen(db.engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only = 1"))
        db.engine.dispose()

    rows, exit_code = doctor("--live")

    assert exit_code == 1
    assert rows["replay-store-atomic"]["ok"] is False
    assert rows["live-client"]["ok"] is False
    assert "No client can be made" in rows["live-client"]["why"]
    assert "happy-flow" not in rows
    assert rows["live-clean-up"]["ok"]


class TestFrozen:
    @pytest.fixture
    def database_url(self, remote_silence):
        return f"postgresql+psycopg://postgres@127.0.0.1:{remote_silence}/nothing"

    @pytest.fixture
    def has_tables(self):
        return False

    @pytest.fixture
    def settings(self):
        return {"OAUTH2_STORE_TIMEOUT_SECONDS": 1}

    def test_database_that_never_answers_holds_nothing_up(self, doctor):
        rows, exit_code = doctor()

        assert exit_code == 1
        assert rows["database"]["ok"] is False
        assert rows["rfc9700-2.6-cors"]["ok"] is None


# --- the application's own migrations -------------------------------------------------------------------------------
def test_app_without_flask_migrate_has_no_revisions(look):
    assert look("migration-revision").ok is None


@pytest.fixture
def migrations(server, tmp_path):
    app, _, db = server
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    for number, before in (("0001", None), ("0002", "0001")):
        lines = [f"revision = {number!r}", f"down_revision = {before!r}", "def upgrade(): pass"]
        (folder / "versions" / f"{number}.py").write_text("\n".join(lines))
    Migrate(app, db, directory=str(folder))

    def note(revision):
        with app.app_context(), db.engine.begin() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL)"))
            connection.execute(text("DELETE FROM alembic_version"))
            connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})

    return note


def test_revision_of_the_app_is_compared(look, migrations):
    found = look("migration-revision")
    assert found.ok is False
    assert found.why == "The database is at none, and the app's newest revision is 0002."

    migrations("0001")
    assert look("migration-revision").ok is False

    migrations("0002")
    assert look("migration-revision").ok


def test_migrations_that_are_elsewhere_are_not_judged(server, look, tmp_path):
    app, _, db = server
    Migrate(app, db, directory=str(tmp_path / "nowhere"))

    assert look("migration-revision").ok is None
