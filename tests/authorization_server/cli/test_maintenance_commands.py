"""``flask oauth2 secret`` and ``flask oauth2 purge``."""

import flask
import pytest
from sqlalchemy import event, insert, text

from flask_private_key_jwt.authorization_server.cli import oauth2_group
from flask_private_key_jwt.database.batches import KEEP_ENDED_SECONDS
from flask_private_key_jwt.jose.derived import MIN_SECRET_CHARACTERS
from tests.conftest import INVALID_CLIENT, close, make_app

SQL = {"OAUTH2_REPLAY_STORE": "sql"}


@pytest.fixture
def run(app):
    def run(*words):
        return app.test_cli_runner().invoke(args=["oauth2", *words])

    return run


def count_marks(server):
    app, _, db = server
    with app.app_context(), db.engine.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM oauth2_replay"))


def test_secret_is_long_enough_and_another_every_time(run):
    made = {run("secret").stdout.strip() for _ in range(10)}

    assert len(made) == 10
    assert all(len(secret) >= 2 * MIN_SECRET_CHARACTERS for secret in made)


def test_made_secret_is_accepted(run, tmp_path):
    app, _, db = make_app(f"sqlite:///{tmp_path}/other.sqlite", SECRET_KEY=run("secret").stdout.strip())
    close(app, db)


def test_secret_needs_no_extension():
    app = flask.Flask(__name__)
    app.cli.add_command(oauth2_group)

    assert app.test_cli_runner().invoke(args=["oauth2", "secret"]).exit_code == 0


@pytest.mark.parametrize("settings", [SQL])
def test_purge_deletes_what_has_expired_and_nothing_else(run, server, ask_token, build_assertion, clock):
    for _ in range(3):
        ask_token()
    assert run("purge").stdout == "0 expired entries deleted.\n"
    clock.move(71 + KEEP_ENDED_SECONDS)  # a minute of life, ten seconds of skew
    late = build_assertion()
    ask_token(assertion=late)

    assert run("purge").stdout == "3 expired entries deleted.\n"
    assert count_marks(server) == 1
    assert ask_token(assertion=late).status_code == 400


@pytest.mark.parametrize("settings", [SQL])
@pytest.mark.parametrize("batch", ["1", "2", "100000"])
def test_purge_works_in_batches(batch, run, server, ask_token, clock):
    for _ in range(5):
        ask_token()
    clock.move(71 + KEEP_ENDED_SECONDS)

    assert run("purge", "--batch", batch).stdout == "5 expired entries deleted.\n"
    assert count_marks(server) == 0


TABLES_THAT_GROW = [
    "authorization_code",
    "client_key",
    "counter",
    "fetched_document",
    "pushed_request",
    "refresh_token",
    "registration_token",
    "replay",
    "revocation",
]


def build_ended(table, number):
    """A row of any table whose every time is long over."""
    values = {"BLOB": number.to_bytes(32), "BIGINT": 1, "INTEGER": 1, "BOOLEAN": False}
    needed = [column for column in table.columns if not column.nullable]
    return {column.name: values.get(str(column.type), f"{number:032}") for column in needed}


@pytest.fixture
def deletes(server):
    """How many rows each DELETE took away."""
    app, _, db = server
    counts = []

    def note(_connection, cursor, statement, *_):
        if statement.startswith("DELETE"):
            counts.append(cursor.rowcount)

    with app.app_context():
        event.listen(db.engine, "after_cursor_execute", note)
    return counts


@pytest.mark.parametrize("settings", [SQL])
@pytest.mark.parametrize("name", TABLES_THAT_GROW)
def test_purge_holds_no_table_for_longer_than_a_batch(name, run, server, deletes):
    app, _, db = server
    table = db.metadata.tables[f"oauth2_{name}"]
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(insert(table), [build_ended(table, number) for number in range(25)])

    assert run("purge", "--batch", "10").stdout == "25 expired entries deleted.\n"
    assert deletes == [10, 10, 5]


@pytest.mark.parametrize("settings", [SQL])
def test_purge_by_a_machine_whose_clock_is_ahead_makes_nothing_good_again(run, ask_token, build_assertion, clock):
    spent = build_assertion(exp=clock.now + 300)
    assert ask_token(assertion=spent).status_code == 200
    clock.move(400)
    assert run("purge").stdout == "0 expired entries deleted.\n"
    clock.move(-400)

    assert ask_token(assertion=spent).json == INVALID_CLIENT


@pytest.mark.parametrize("settings", [SQL])
def test_one_entry_is_counted_in_the_singular(run, server, ask_token, clock):
    ask_token()
    clock.move(71 + KEEP_ENDED_SECONDS)

    assert run("purge").stdout == "1 expired entry deleted.\n"


@pytest.mark.parametrize("settings", [SQL])
def test_purge_rests_between_batches_as_many_times_as_long_as_it_is_told(run, server, ask_token, clock, monkeypatch):
    rested = []
    monkeypatch.setattr("flask_private_key_jwt.authorization_server.cli.maintenance.time.sleep", rested.append)
    monkeypatch.setattr("flask_private_key_jwt.database.purging.perf_counter", iter(range(1000)).__next__)
    for _ in range(5):
        ask_token()
    clock.move(71 + KEEP_ENDED_SECONDS)

    assert run("purge", "--batch", "2", "--rest", "0.5").stdout == "5 expired entries deleted.\n"
    assert rested[:2] == [0.5, 0.5]

    rested.clear()
    for _ in range(5):
        ask_token()
    clock.move(71 + KEEP_ENDED_SECONDS)
    assert run("purge", "--batch", "2").stdout == "5 expired entries deleted.\n"
    assert rested[:2] == [4, 4]


@pytest.mark.parametrize("rest", ["-1", "101", "long"])
def test_impossible_rest_is_refused(rest, run):
    outcome = run("purge", "--rest", rest)

    assert outcome.exit_code == 2
    assert "Invalid value for '--rest'" in outcome.stderr


@pytest.mark.parametrize("batch", ["0", "-1", "100001", "many"])
def test_impossible_batch_is_refused(batch, run):
    outcome = run("purge", "--batch", batch)

    assert outcome.exit_code == 2
    assert "Invalid value for '--batch'" in outcome.stderr


@pytest.mark.parametrize("settings", [SQL])
@pytest.mark.parametrize(
    ("words", "table"),
    [
        ("purge", "oauth2_replay"),
        ("key list", "oauth2_server_key"),
        ("key rotate", "oauth2_server_key"),
        ("key rotate --dry-run", "oauth2_server_key"),
        ("key retire some-key --yes", "oauth2_server_key"),
        ("key reencrypt", "oauth2_server_key"),
    ],
)
def test_command_on_a_database_without_tables_ends_with_a_sentence_and_2(words, table, run, server):
    app, _, db = server
    with app.app_context():
        db.drop_all()

    outcome = run(*words.split())

    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("Error: The database did not answer: ")
    assert f"'no such table: {table}'; tables or columns are missing: run `flask db upgrade`." in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize("words", ["purge", "key list", "key rotate", "key rotate --dry-run", "key reencrypt"])
def test_command_on_a_database_that_answers_ends_with_0(words, run, server):
    outcome = run(*words.split())

    assert (outcome.exit_code, outcome.stderr) == (0, "")


def test_key_that_is_not_there_ends_with_a_sentence_and_2(run, server):
    outcome = run("key", "retire", "some-key", "--yes")

    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (2, "", "Error: No key 'some-key' is in use.\n")


@pytest.mark.parametrize("group", [[], ["client"], ["key"]])
def test_every_group_says_what_its_commands_do(group, run):
    outcome = run(*group, "--help")

    assert outcome.exit_code == 0
    lines = outcome.stdout.partition("Commands:\n")[2].splitlines()
    assert lines
    assert all(len(line.split()) >= 3 for line in lines)
