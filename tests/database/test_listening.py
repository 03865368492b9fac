"""What an application has set at its engine holds for our statements, too: listeners, ``echo``, execution options."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.record_queries import get_recorded_queries
from sqlalchemy import Engine, create_engine, event, func, insert, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import Pool

from flask_private_key_jwt.authorization_server.stores.sql.clients import SQLAlchemyClientStore
from flask_private_key_jwt.authorization_server.stores.tables.all_tables import build_tables
from flask_private_key_jwt.authorization_server.stores.tables.client import build_columns
from flask_private_key_jwt.database.connections import KeptConnections, lend_connections
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.database.deadline import request_budget
from flask_private_key_jwt.database.engine_deadline import EngineDeadline
from flask_private_key_jwt.database.listening import DIALECT_EVENTS, ENGINE_EVENTS
from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.replay.base import Replayed
from flask_private_key_jwt.replay.sql import SQLAlchemyReplayStore
from tests.authorization_server.stores.example_client import build_client
from tests.conftest import close, make_app

ONE = select(text("1"))
HOT = ["SELECT oauth2_client", "INSERT oauth2_replay"]
"""What a token request asks and writes once its client is known."""


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"SQLALCHEMY_RECORD_QUERIES": True}


@pytest.fixture
def server(url: str, settings: dict[str, Any]) -> Iterator[Any]:
    app, oauth, db = make_app(url, OAUTH2_REPLAY_STORE="sql", **settings)
    yield app, oauth, db
    close(app, db)


@pytest.fixture
def engine(server: Any) -> Engine:
    app, _, db = server
    with app.app_context():
        found: Engine = db.engine
    return found


def name_statement(statement: str) -> str:
    """What a statement does, and to which table: the last one that it names."""
    words = statement.replace("(", " ").split()
    return f"{words[0]} {next(word for word in reversed(words) if word.startswith('oauth2_')).partition('.')[0]}"


@pytest.fixture
def seen() -> list[str]:
    return []


@pytest.fixture
def listen(engine: Engine, seen: list[str]) -> Callable[[], None]:
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(name_statement(statement))

    return lambda: event.listen(engine, "before_cursor_execute", note)


# --- one token request ----------------------------------------------------------------------------------------------
def test_a_listener_sees_every_statement_of_a_clients_first_request(ask_token, listen, seen):
    listen()

    assert ask_token().status_code == 200
    keys = ["SELECT oauth2_server_key", "INSERT oauth2_server_key", "SELECT oauth2_server_key"]
    assert seen == [*HOT, "SELECT oauth2_client_key", "UPDATE oauth2_client_key", *keys]


def test_a_listener_that_comes_after_the_first_request_sees_every_statement_of_the_next(ask_token, listen, seen):
    ask_token()
    listen()

    assert ask_token().status_code == 200
    assert seen == HOT


def test_a_listener_sees_a_refused_replay(ask_token, build_assertion, listen, seen, refusals):
    assertion = build_assertion()
    ask_token(assertion=assertion)
    listen()

    assert ask_token(assertion=assertion).status_code == 400
    assert refusals == ["jti of the client_assertion was used before"]
    assert seen == [*HOT, "SELECT oauth2_replay"]


def test_recorded_queries_have_every_statement(app, ask_token):
    recorded: list[Any] = []

    @app.after_request
    def keep(response: Any) -> Any:
        recorded[:] = get_recorded_queries()
        return response

    ask_token()
    assert ask_token().status_code == 200
    assert [name_statement(query.statement) for query in recorded] == HOT


@pytest.mark.parametrize("settings", [{}, {"SQLALCHEMY_ECHO": True}])
def test_echo_shows_every_statement(settings, engine, ask_token, caplog):
    ask_token()
    engine.echo = True  # the same as SQLALCHEMY_ECHO, later
    with caplog.at_level(logging.INFO, logger="sqlalchemy.engine.Engine"):
        assert ask_token().status_code == 200

    shown = [record.getMessage() for record in caplog.records if record.name == "sqlalchemy.engine.Engine"]
    statements = [line for line in shown if line.startswith(("SELECT", "INSERT"))]
    assert [name_statement(statement) for statement in statements[-2:]] == HOT
    engine.echo = False


def test_a_level_of_the_logger_is_echo_too(server, engine, ask_token, caplog):
    ask_token()
    with caplog.at_level(logging.INFO, logger="sqlalchemy.engine"):
        ask_token()

    assert any("INSERT INTO oauth2_replay" in record.getMessage() for record in caplog.records)


def test_a_pool_that_echoes_is_asked_for_each_connection(engine, ask_token, caplog):
    ask_token()
    with caplog.at_level(logging.DEBUG, logger="sqlalchemy.pool"):
        ask_token()

    assert sum("checked out from pool" in record.getMessage() for record in caplog.records) == 2


# --- execution options ----------------------------------------------------------------------------------------------
@pytest.fixture
def other_schema(url: str, tmp_path: Any) -> Iterator[Engine]:
    """An engine whose statements go to the schema "other", and on SQLite to the attached database of that name."""
    engine = create_engine(url, execution_options={"schema_translate_map": {None: "other"}})
    if engine.dialect.name == "sqlite":
        attach = f"ATTACH DATABASE '{tmp_path}/other.sqlite' AS other"
        event.listen(engine, "connect", lambda connection, _: connection.execute(attach))
    else:
        with engine.begin() as connection:
            connection.execute(text("CREATE SCHEMA other"))
    yield engine
    if engine.dialect.name != "sqlite":
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA other CASCADE"))
    engine.dispose()


def test_a_schema_translate_map_holds_for_every_statement(url, other_schema, mark):
    db = SQLAlchemy()
    tables = build_tables(db)
    db.metadata.create_all(other_schema)
    with other_schema.begin() as connection:
        connection.execute(insert(tables.client).values(build_columns(build_client())))
    database = Database(lambda: other_schema)
    store = SQLAlchemyReplayStore(database, tables.replay)
    store.remember([mark("one"), mark("two")])
    with pytest.raises(Replayed):
        store.remember([mark("two")])
    clients, used = SQLAlchemyClientStore(database, tables, 10), select(func.count()).select_from(tables.replay)
    assert [clients.find("console").client_id for _ in range(2)] == ["console"] * 2

    with other_schema.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM other.oauth2_replay")) == 2
        assert connection.scalar(used) == 2
    plain = create_engine(url)
    with pytest.raises(SQLAlchemyError), plain.connect() as connection:  # there is no such table
        connection.execute(text("SELECT * FROM oauth2_replay"))
    plain.dispose()


def test_options_that_come_after_the_first_statement_hold_for_the_next(url):
    engine = create_engine(url)
    database = Database(lambda: engine)
    seen: list[Any] = []
    assert database.fetch_directly(ONE, {}) == (1,)
    engine.update_execution_options(logging_token="mine")
    event.listen(engine, "before_execute", lambda connection, *_: seen.append(connection.get_execution_options()))

    assert database.fetch_directly(ONE, {}) == (1,)
    assert seen[0]["logging_token"] == "mine"
    engine.dispose()


def test_an_engine_made_from_another_keeps_its_options_and_the_others_listeners(url):
    engine = create_engine(url)
    database = Database(lambda: engine.execution_options(logging_token="mine"))
    seen: list[Any] = []
    assert database.fetch_directly(ONE, {}) == (1,)
    event.listen(engine, "before_execute", lambda connection, *_: seen.append(connection.get_execution_options()))

    assert database.fetch_directly(ONE, {}) == (1,)
    assert seen[0]["logging_token"] == "mine"
    engine.dispose()


# --- every kind of listener -----------------------------------------------------------------------------------------
@pytest.fixture
def plain(url: str) -> Iterator[Engine]:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS word"))
        connection.execute(text("CREATE TABLE word (word VARCHAR(9) PRIMARY KEY)"))
    yield engine
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE word"))
    engine.dispose()


@pytest.mark.parametrize("name", [*ENGINE_EVENTS, "do_execute", "handle_error", "checkout", "checkin", "reset"])
def test_every_event_of_a_statement_is_sent_as_soon_as_somebody_listens(plain, name):
    database, word = Database(lambda: plain), text("INSERT INTO word VALUES ('one')")
    database.insert_directly(word, {})
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        seen.append(name)

    retval = {"retval": True} if name in ("before_execute", "before_cursor_execute") else {}
    listener = note
    if name == "before_execute":
        listener = lambda _connection, statement, many, one, _options: seen.append(name) or (statement, many, one)  # noqa: E731
    elif name == "before_cursor_execute":
        listener = lambda *arguments: seen.append(name) or arguments[2:4]  # noqa: E731
    event.listen(plain, name, listener, **retval)
    database.insert_directly(text("INSERT INTO word VALUES ('two')"), {})
    database.insert_directly(word, {})  # refused
    database.fetch_directly(ONE, {})
    assert seen

    event.remove(plain, name, listener)
    seen.clear()
    database.fetch_directly(ONE, {})
    assert seen == []
    assert not database._opened().listening.is_anybody_there()


def test_the_events_of_the_dialect_that_are_looked_for_are_all_that_take_a_part_in_a_statement():
    assert set(DIALECT_EVENTS) == {"do_execute", "do_setinputsizes", "handle_error"}


@pytest.mark.parametrize(("target", "name"), [(Engine, "before_execute"), (Engine, "do_execute"), (Pool, "checkout")])
def test_who_listens_to_all_engines_or_pools_listens_to_ours(plain, target, name):
    database = Database(lambda: plain)
    database.fetch_directly(ONE, {})
    seen: list[str] = []

    def note(*_: Any) -> None:
        seen.append(name)

    event.listen(target, name, note)
    try:
        database.fetch_directly(ONE, {})
    finally:
        event.remove(target, name, note)
    assert seen

    seen.clear()
    database.fetch_directly(ONE, {})
    assert seen == []


def test_a_listener_comes_back_after_all_were_removed(plain):
    database, seen = Database(lambda: plain), []

    def note(*_: Any) -> None:
        seen.append("begin")

    for _ in range(2):
        event.listen(plain, "begin", note)
        database.fetch_directly(ONE, {})
        event.remove(plain, "begin", note)
        database.fetch_directly(ONE, {})
    assert seen == ["begin"] * 2


@pytest.mark.parametrize("is_heard", [True, False])
def test_listeners_are_found_where_sqlalchemy_keeps_no_note_of_them(plain, is_heard, monkeypatch):
    database = Database(lambda: plain)
    if is_heard:
        event.listen(plain, "before_execute", lambda *_: None)
        monkeypatch.delattr(plain, "_has_events")
    listening = database._opened().listening
    monkeypatch.delattr(Engine, "_has_events")

    assert listening.is_anybody_there() is is_heard


def test_a_listener_still_hears_after_the_engine_was_disposed_of(plain):
    database, seen = Database(lambda: plain), []
    database.fetch_directly(ONE, {})
    plain.dispose()
    event.listen(plain, "checkout", lambda *_: seen.append("checkout"))

    database.fetch_directly(ONE, {})
    assert seen == ["checkout"]


def test_our_own_listeners_do_not_slow_the_applications_statements(plain):
    """With any listener of an engine or its dialect, Core looks for more of them at each statement."""
    Database(lambda: plain).fetch_directly(ONE, {})

    assert not vars(plain).get("_has_events")
    assert not vars(plain.dialect).get("_has_events")


@pytest.mark.parametrize("way", [Database.fetch, Database.fetch_directly])
def test_whoever_has_a_say_in_connecting_is_asked_however_late_they_come(plain, way):
    """As an application does whose database wants a fresh token as its password."""
    database, seen = Database(lambda: plain), []
    with request_budget(5):
        way(database, ONE, {})
    plain.dispose()
    event.listen(plain, "do_connect", lambda *_: seen.append("do_connect"))

    with request_budget(5):
        assert way(database, ONE, {}) == (1,)
    assert seen == ["do_connect"]


# --- pools and transactions -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "is_kept"), [({}, True), ({"pool_pre_ping": True}, False), ({"pool_recycle": 3600}, False)]
)
def test_a_pool_that_looks_at_its_connections_is_asked_for_each(sqlite_url, options, is_kept):
    engine = create_engine(sqlite_url, **options)

    connections = lend_connections(engine, EngineDeadline(engine))
    assert isinstance(connections, KeptConnections) is is_kept


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def every_url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.mark.parametrize(
    "options", [{"isolation_level": "AUTOCOMMIT"}, {"execution_options": {"isolation_level": "AUTOCOMMIT"}}, {}]
)
def test_several_statements_are_a_transaction_even_where_the_applications_are_none(every_url, options):
    engine = create_engine(every_url, **options)
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE word (word VARCHAR(9) PRIMARY KEY)"))
        connection.commit()
    database = Database(lambda: engine)

    def write_twice() -> None:
        with database.begin() as connection:
            for _ in range(2):
                connection.execute(text("INSERT INTO word VALUES ('one')"))

    with pytest.raises(StoreUnavailable):
        write_twice()
    assert database.fetch(text("SELECT count(*) FROM word"), {}) == (0,)
    assert database.insert(text("INSERT INTO word VALUES ('one')"), {})
    assert not database.insert(text("INSERT INTO word VALUES ('one')"), {})
    assert database.update(text("UPDATE word SET word = 'two'"), {}) == 1
    assert database.fetch_all(text("SELECT word FROM word"), {}) == [("two",)]
    with engine.connect() as connection:
        connection.execute(text("DROP TABLE word"))
        connection.commit()
    engine.dispose()


@pytest.mark.parametrize("level", ["SERIALIZABLE", "AUTOCOMMIT"])
def test_a_statement_of_ours_alone_is_committed_at_every_isolation_level(plain, level):
    plain.update_execution_options(isolation_level=level)
    database = Database(lambda: plain)

    for word in ("one", "two"):
        assert database.insert_directly(text(f"INSERT INTO word VALUES ('{word}')"), {})
    with plain.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM word")) == 2


# --- what is kept ---------------------------------------------------------------------------------------------------
def test_statements_that_are_built_anew_are_not_kept_for_ever(plain):
    database = Database(lambda: plain)

    for number in range(50):
        assert database.fetch_directly(select(text(str(number))), {}) == (number,)

    assert len(database._opened().driver._compiled) <= 20
