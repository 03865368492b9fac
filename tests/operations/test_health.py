"""``/health/live`` and ``/health/ready``: what they say, and what they cost."""

import threading
import time

import flask
import pytest
from sqlalchemy import create_engine, select, text

from flask_private_key_jwt import ResourceProtector, health_blueprint
from flask_private_key_jwt.authorization_server.readiness import _select_all_columns
from flask_private_key_jwt.database import server_clock
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.fetching.discovery import DiscoveryError
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.resource_server import issuer_keys
from tests.conftest import API, ISSUER, SECRET, close, make_app
from tests.tables import create_tables, declare_tables

SERVER = ["clock", "migration", "replay_store", "signing_key", "store"]


@pytest.fixture
def mounted(app):
    app.register_blueprint(health_blueprint())
    return app.test_client()


def make_api(**config):
    app = flask.Flask("api")
    app.config.from_mapping(OAUTH2_ISSUER=ISSUER, OAUTH2_RESOURCE=API, OAUTH2_REPLAY_STORE="memory")
    app.config.from_mapping(config)
    ResourceProtector().init_app(app)
    app.register_blueprint(health_blueprint())
    return app


@pytest.fixture
def issuer_answers(monkeypatch, keys):
    """A list of functions; the last one is called for the issuer's keys."""
    public = jose.import_public_jwk(keys("ES256", "issuer").public_jwk())
    answers = [lambda: (public,)]
    monkeypatch.setattr(issuer_keys, "fetch_keys", lambda issuer, *, timeout, outbound: answers[-1]())
    return answers


def failing(answer):
    return [name for name, ok in answer.json["checks"].items() if not ok]


class AwayStore:
    """A replay store that is not there."""

    def remember(self, marks):
        raise StoreUnavailable("redis://:password@cache does not answer", cause="redis_unavailable")

    def purge(self, *, batch=1, rest=None):
        return 0


class ReplayStoreWithADefect(AwayStore):
    def remember(self, marks):
        raise ZeroDivisionError("secret")


# --- an authorization server -----------------------------------------------------------------------------
def test_a_server_that_has_everything_is_ready(mounted):
    answer = mounted.get("/health/ready")

    assert answer.status_code == 200
    assert answer.json["status"] == "ready"
    assert sorted(answer.json["checks"]) == SERVER
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_process_that_answers_is_live_and_asks_nobody(mounted, server):
    with server[0].app_context():
        server[2].drop_all()

    answer = mounted.get("/health/live")

    assert (answer.status_code, answer.json) == (200, {"status": "live"})
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_other_methods_are_refused(mounted, path, method):
    assert mounted.open(path, method=method).status_code == 405


@pytest.mark.parametrize("table", ["oauth2_revocation", "oauth2_client"])
def test_a_missing_table_is_a_missing_migration(mounted, server, table, caplog):
    app, _, db = server
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {table}"))

    answer = mounted.get("/health/ready")

    assert answer.status_code == 503
    assert answer.json["status"] == "not ready"
    assert "migration" in failing(answer)
    assert "run `flask db upgrade`" in caplog.text


def test_a_missing_column_is_a_missing_migration_and_one_of_newer_code_is_not(mounted, server, clock):
    app, _, db = server
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE oauth2_refresh_token ADD COLUMN of_tomorrow INTEGER"))
    assert mounted.get("/health/ready").status_code == 200

    clock.move(1)
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE oauth2_refresh_token DROP COLUMN granted_at"))
    assert failing(mounted.get("/health/ready")) == ["migration"]


@pytest.mark.parametrize("settings", [{"OAUTH2_REPLAY_STORE": AwayStore()}, {"OAUTH2_REPLAY_STORE": "sql"}])
def test_a_replay_store_that_cannot_be_written_to_is_not_ready(mounted, server, caplog):
    app, _, db = server
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("DROP TABLE oauth2_replay"))

    answer = mounted.get("/health/ready")

    assert answer.status_code == 503
    assert "replay_store" in failing(answer)
    assert "not ready: replay_store: " in caplog.text


@pytest.mark.parametrize("settings", [{"OAUTH2_REPLAY_STORE": AwayStore()}])
def test_the_reason_is_in_the_log_and_not_in_the_answer(mounted, caplog):
    answer = mounted.get("/health/ready")

    assert failing(answer) == ["replay_store"]
    assert "password" not in answer.text
    assert "does not answer" not in answer.text
    assert "does not answer" in caplog.text


@pytest.mark.parametrize("settings", [{"OAUTH2_REPLAY_STORE": ReplayStoreWithADefect()}])
def test_a_defect_of_an_applications_store_is_not_ready_and_no_500(mounted):
    answer = mounted.get("/health/ready")

    assert (answer.status_code, failing(answer)) == (503, ["replay_store"])


def test_a_signing_key_made_with_another_secret_is_not_ready(mounted, server, caplog):
    app, _, db = server
    mounted.get("/oauth2/jwks")
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("UPDATE oauth2_server_key SET encrypted_private_jwk = 'other', version = version + 1"))

    answer = mounted.get("/health/ready")

    assert failing(answer) == ["signing_key"]
    assert "SECRET_KEY_FALLBACKS" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(("ahead", "ready"), [(0, True), (12, True), (-12, True), (13, False), (-13, False)])
def test_a_clock_that_differs_from_the_databases_is_not_ready(mounted, clock, monkeypatch, caplog, ahead, ready):
    monkeypatch.setitem(server_clock._STATEMENTS, "sqlite", select(text(str(clock.now - ahead))))

    answer = mounted.get("/health/ready")

    assert failing(answer) == ([] if ready else ["clock"])
    assert ready or f"the clock of this machine is {ahead:+d} s from the database's" in caplog.text


def test_the_clock_of_a_database_server_is_read(sql_database):
    statement = server_clock.find_clock(sql_database.engine)
    if sql_database.engine.dialect.name == "sqlite":
        assert statement is None
        return
    row = Database(lambda: sql_database.engine).fetch(statement, {})
    assert abs(float(row[0]) - time.time()) < 5


def test_a_missing_column_is_found_in_every_kind_of_database(sql_url):
    engine = create_engine(sql_url)
    create_tables(engine)
    database, statement = Database(lambda: engine), _select_all_columns(declare_tables()[1])
    assert database.fetch(statement, {}) is not None
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE oauth2_refresh_token DROP COLUMN granted_at"))

    with pytest.raises(StoreUnavailable) as refusal:
        database.fetch(statement, {})
    engine.dispose()
    assert "run `flask db upgrade`" in refusal.value.reason


@pytest.mark.parametrize("table", ["client", "replay"])
def test_a_database_that_hangs_takes_no_longer_than_the_budget(postgres_url, table):
    app, _, db = make_app(postgres_url, OAUTH2_REPLAY_STORE="sql", OAUTH2_STORE_TIMEOUT_SECONDS=1)
    app.register_blueprint(health_blueprint())
    locker = create_engine(postgres_url)
    with locker.begin() as connection:
        connection.execute(text(f"LOCK TABLE oauth2_{table} IN ACCESS EXCLUSIVE MODE"))
        started = time.monotonic()
        answer = app.test_client().get("/health/ready")
        seconds = time.monotonic() - started

    locker.dispose()
    close(app, db)
    assert answer.status_code == 503
    assert "replay_store" in failing(answer)
    assert seconds < 5  # the machine may be busy; the lock is held until the answer is there


# --- what it costs ------------------------------------------------------------------------------------------
def test_one_second_has_one_check_however_many_ask(mounted, server, clock):
    app, _, db = server
    assert mounted.get("/health/ready").status_code == 200
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("DROP TABLE oauth2_revocation"))

    assert mounted.get("/health/ready").status_code == 200
    clock.move(1)
    assert mounted.get("/health/ready").status_code == 503


def test_who_asks_while_a_check_waits_gets_what_was_found_before(app, clock):
    waiting, go_on = threading.Event(), threading.Event()
    app.extensions["private_key_jwt"].readiness._check_replay = lambda: (waiting.set(), go_on.wait(60))
    app.register_blueprint(health_blueprint())
    go_on.set()
    app.test_client().get("/health/ready")
    go_on.clear()
    waiting.clear()
    clock.move(1)
    answers = []
    first = threading.Thread(target=lambda: answers.append(app.test_client().get("/health/ready")))
    first.start()
    assert waiting.wait(60)

    assert app.test_client().get("/health/ready").status_code == 200  # at once

    go_on.set()
    first.join(60)
    assert [answer.status_code for answer in answers] == [200]


def test_a_state_is_told_once_until_it_changes(mounted, server, clock, caplog):
    app, _, db = server
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE oauth2_refresh_token DROP COLUMN granted_at"))
    for _ in range(3):
        clock.move(1)
        assert mounted.get("/health/ready").status_code == 503
    assert caplog.text.count("not ready: migration") == 1

    caplog.set_level("INFO", logger="flask_private_key_jwt")
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE oauth2_refresh_token ADD COLUMN granted_at INTEGER"))
    clock.move(1)
    assert mounted.get("/health/ready").status_code == 200
    assert caplog.text.count("ready again") == 1


def test_health_is_no_machine_endpoint(app, oauth):
    seen = []
    oauth.before_machine_request(seen.append)
    app.before_request(lambda: seen.append("flask"))
    app.register_blueprint(health_blueprint(url_prefix="/status"))

    assert app.test_client().get("/status/ready").status_code == 200
    assert seen == ["flask"]


# --- an API alone -------------------------------------------------------------------------------------------
def test_an_api_alone_checks_its_replay_store_and_the_issuers_keys(issuer_answers):
    answer = make_api().test_client().get("/health/ready")

    assert (answer.status_code, sorted(answer.json["checks"])) == (200, ["issuer_keys", "replay_store"])


def test_an_api_without_a_replay_store_has_none_to_check(issuer_answers):
    answer = make_api(OAUTH2_REPLAY_STORE=None).test_client().get("/health/ready")

    assert (answer.status_code, sorted(answer.json["checks"])) == (200, ["issuer_keys"])


@pytest.mark.parametrize(("store", "wrong"), [(AwayStore(), "replay_store"), ("memory", None)])
def test_an_api_whose_replay_store_is_away_is_not_ready(issuer_answers, store, wrong):
    answer = make_api(OAUTH2_REPLAY_STORE=store).test_client().get("/health/ready")

    assert failing(answer) == ([wrong] if wrong else [])


def test_an_api_that_never_had_the_issuers_keys_is_not_ready_and_one_that_had_them_is(issuer_answers, clock):
    def away():
        raise DiscoveryError("the issuer is away")

    app = make_api().test_client()
    assert app.get("/health/ready").status_code == 200
    issuer_answers.append(away)
    clock.move(301)
    assert app.get("/health/ready").status_code == 200  # the old keys serve on

    answer = make_api().test_client().get("/health/ready")
    assert (answer.status_code, failing(answer)) == (503, ["issuer_keys"])


def test_an_issuer_that_hangs_takes_no_longer_than_the_budget(issuer_answers, caplog):
    go_on = threading.Event()
    issuer_answers.append(lambda: go_on.wait(20) and ())
    answer = make_api(OAUTH2_STORE_TIMEOUT_SECONDS=1, OAUTH2_HTTP_TIMEOUT_SECONDS=30).test_client().get("/health/ready")
    go_on.set()

    assert (answer.status_code, failing(answer)) == (503, ["issuer_keys"])
    assert "the issuer's keys are not here yet" in caplog.text


def test_an_api_in_the_servers_app_adds_no_check(app):
    app.config.from_mapping(OAUTH2_RESOURCE=API)
    ResourceProtector().init_app(app)
    app.register_blueprint(health_blueprint())

    assert sorted(app.test_client().get("/health/ready").json["checks"]) == SERVER


def test_an_app_that_is_neither_is_not_ready():
    app = flask.Flask("neither")
    app.register_blueprint(health_blueprint())

    answer = app.test_client().get("/health/ready")

    assert (answer.status_code, answer.json) == (503, {"status": "not ready", "checks": {}})
