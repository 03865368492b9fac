"""The use of a client's key is recorded once an hour; it costs nothing else and decides nothing."""

import json
import logging
import threading

import pytest
from authlib.consts import default_json_headers
from authlib.oauth2.rfc6749 import TokenEndpoint
from sqlalchemy import event, text

from flask_private_key_jwt.authorization_server.keys.client_key_use import (
    AWAY_SECONDS,
    RETRY_SECONDS,
    ClientKeyUse,
    _Due,
)
from flask_private_key_jwt.database.missing_tables import ADVICE
from flask_private_key_jwt.errors import InvalidClientMetadata, StoreUnavailable
from flask_private_key_jwt.fetching.fetch_target import FetchProblem
from flask_private_key_jwt.fetching.safe_fetch import FetchedDocument, SafeFetcher
from flask_private_key_jwt.jose.certificates import build_self_signed, jwk_of, load_certificate
from tests.conftest import ASSERTION_TYPE, CLIENT_ID, START, close, make_app

HOUR = 3600
DAY = 86400
WITH_SQL_REPLAY = pytest.mark.parametrize("settings", [{"OAUTH2_REPLAY_STORE": "sql"}])


@pytest.fixture
def connect(server):
    """A connection to the app's database, in a transaction."""
    app, _, db = server

    def connect():
        with app.app_context():
            return db.engine.begin()

    return connect


@pytest.fixture
def rows(connect):
    """What is recorded: ``{thumbprint: (added, last used)}``, in seconds since the test's start."""

    def rows():
        with connect() as connection:
            found = connection.execute(text("SELECT thumbprint, added_at, last_used_at FROM oauth2_client_key")).all()
        return {name: (added - START, None if used is None else used - START) for name, added, used in found}

    return rows


@pytest.fixture
def change(app, oauth):
    """Change the usual client through the registry."""

    def change(**changes):
        with app.app_context():
            return oauth.clients.update(CLIENT_ID, changes)

    return change


@pytest.fixture
def next_key(keys):
    return keys("ES256", "next")


@pytest.fixture
def add_next_key(change, client, client_key, next_key):
    return lambda: change(jwks={"keys": [client_key.public_jwk(), next_key.public_jwk()]})


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.WARNING, "flask_private_key_jwt")

    def warnings():
        """What was logged since the last call."""
        messages = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return messages

    warnings()
    return warnings


@pytest.fixture
def ask(ask_token, build_assertion):
    """A token request that must succeed, signed by any key."""

    def ask(key=None, **claims):
        assert ask_token(assertion=build_assertion(key=key, **claims)).status_code == 200

    return ask


# --- when a key came and went -----------------------------------------------------------------------------
def test_registered_key_is_known_since_then(client, client_key, rows):
    assert rows() == {client_key.public.thumbprint: (0, None)}


def test_added_key_is_known_since_it_was_added(add_next_key, clock, client_key, next_key, rows):
    clock.move(90)
    add_next_key()

    assert rows() == {client_key.public.thumbprint: (0, None), next_key.public.thumbprint: (90, None)}


def test_key_that_left_is_forgotten(add_next_key, change, next_key, rows):
    add_next_key()
    change(jwks={"keys": [next_key.public_jwk()]})

    assert rows() == {next_key.public.thumbprint: (0, None)}


def test_change_of_something_else_keeps_what_is_known(ask, change, clock, client_key, rows):
    ask()
    clock.move(90)
    change(scope="read")

    assert rows() == {client_key.public.thumbprint: (0, 0)}


def test_change_that_is_refused_changes_nothing_here_either(client, change, client_key, next_key, rows):
    with pytest.raises(InvalidClientMetadata):
        change(jwks={"keys": [next_key.public_jwk()]}, grant_types=["teleport"])

    assert rows() == {client_key.public.thumbprint: (0, None)}


def test_keys_of_a_removed_client_are_forgotten(client, app, oauth, rows):
    with app.app_context():
        oauth.clients.remove(CLIENT_ID)

    assert rows() == {}


def test_client_whose_keys_cannot_be_recorded_is_not_registered(app, oauth, connect, client_key):
    with connect() as connection:
        connection.execute(text("DROP TABLE oauth2_client_key"))

    with app.app_context():
        with pytest.raises(StoreUnavailable):
            oauth.clients.add({"jwks": {"keys": [client_key.public_jwk()]}})
        assert oauth.clients.all() == []


# --- use --------------------------------------------------------------------------------------------------
def test_use_is_recorded_for_the_key_that_signed(add_next_key, ask, clock, client_key, next_key, rows):
    add_next_key()
    clock.move(90)
    ask(next_key)

    assert rows() == {client_key.public.thumbprint: (0, None), next_key.public.thumbprint: (0, 90)}


@pytest.mark.parametrize(("later", "last_used"), [(HOUR - 1, 0), (HOUR, HOUR), (50 * HOUR, 50 * HOUR)])
def test_use_is_recorded_again_after_an_hour(ask, clock, client_key, rows, later, last_used):
    ask()
    clock.move(later)
    ask()

    assert rows() == {client_key.public.thumbprint: (0, last_used)}


def test_keys_are_recorded_one_by_one(add_next_key, ask, clock, client_key, next_key, rows):
    add_next_key()
    ask()
    clock.move(90)
    ask(next_key)

    assert rows() == {client_key.public.thumbprint: (0, 0), next_key.public.thumbprint: (0, 90)}


def test_second_worker_goes_by_the_hour_of_the_first(ask, clock, client_key, rows, tmp_path, ask_token, refusals):
    ask()
    app, oauth, db = make_app(f"sqlite:///{tmp_path}/as.sqlite")
    with app.app_context():
        client = oauth.clients.get(CLIENT_ID)
        second = app.extensions["private_key_jwt"].key_use
        for moved, last_used in ((HOUR - 10, 0), (9, 0), (1, HOUR)):
            clock.move(moved)
            second.note(client, client_key.public.thumbprint)
            assert rows() == {client_key.public.thumbprint: (0, last_used)}
    close(app, db)


@pytest.mark.parametrize(
    ("claims", "form", "noted"),
    [
        ({}, {}, 1),
        ({"aud": "https://evil.example"}, {}, 0),
        ({"exp": START - 60}, {}, 0),
        ({"jti": None}, {}, 0),
        ({}, {"client_id": "other"}, 0),
        ({}, {"proof": "no proof"}, 0),
        ({}, {"scope": "unknown"}, 1),  # refused later: the assertion was good and is spent
    ],
)
def test_only_an_accepted_assertion_counts(ask_token, build_assertion, claims, form, noted, client_key, rows):
    ask_token(assertion=build_assertion(**claims), **form)

    assert rows() == {client_key.public.thumbprint: (0, 0 if noted else None)}


def test_signature_of_a_foreign_key_does_not_count(ask_token, build_assertion, keys, client_key, rows):
    forged = build_assertion(key=keys("ES256", "other"), header={"kid": client_key.public.thumbprint})

    assert ask_token(assertion=forged).status_code == 400

    assert rows() == {client_key.public.thumbprint: (0, None)}


def test_replayed_assertion_does_not_count(ask_token, build_assertion, monkeypatch):
    noted = []
    monkeypatch.setattr(ClientKeyUse, "note", lambda _self, _client, thumbprint: noted.append(thumbprint))
    assertion = build_assertion()

    assert [ask_token(assertion=assertion).status_code for _ in range(2)] == [200, 400]

    assert len(noted) == 1


def test_clock_that_was_set_back_silences_nothing(ask, clock, connect, client_key, rows):
    clock.move(1000 * HOUR)
    ask()
    clock.move(-1000 * HOUR)
    with connect() as connection:
        connection.execute(text("UPDATE oauth2_client_key SET last_used_at = NULL"))
    ask()

    assert rows() == {client_key.public.thumbprint: (0, 0)}


def test_use_in_the_future_is_asked_for_once_an_hour_only(ask, clock, client_key, rows, statements):
    """A worker's clock was wrong for a while."""
    clock.move(1000 * HOUR)
    ask()
    clock.move(-1000 * HOUR)
    ask()
    statements.clear()
    ask()

    assert about_keys(statements) == []


class GreetingEndpoint(TokenEndpoint):
    """An endpoint of an application's own."""

    ENDPOINT_NAME = "greeting"
    CLIENT_AUTH_METHODS = ["private_key_jwt"]

    def create_endpoint_response(self, request):
        return 200, {"hello": self.authenticate_endpoint_client(request).client_id}, default_json_headers


def test_use_at_an_endpoint_of_the_applications_own_counts(app, client, build_assertion, client_key, clock, rows):
    server = app.extensions["private_key_jwt"].server
    server.register_endpoint(GreetingEndpoint)
    clock.move(90)
    form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": build_assertion()}
    with app.test_request_context("/", method="POST", data=form):
        assert server.create_endpoint_response("greeting").json == {"hello": CLIENT_ID}

    assert rows() == {client_key.public.thumbprint: (0, 90)}


# --- keys nobody registers here ---------------------------------------------------------------------------
def test_key_written_past_the_registry_is_known_from_its_first_use(server, ask, clock, client_key, rows, connect):
    with connect() as connection:
        connection.execute(text("DELETE FROM oauth2_client_key"))
    clock.move(90)
    ask()

    assert rows() == {client_key.public.thumbprint: (90, 90)}


def test_unused_key_written_past_the_registry_is_known_when_its_sibling_is_used(
    add_next_key, ask, clock, client_key, next_key, rows, connect
):
    add_next_key()
    with connect() as connection:
        connection.execute(text("DELETE FROM oauth2_client_key"))
    clock.move(90)
    ask()

    assert rows() == {client_key.public.thumbprint: (90, 90), next_key.public.thumbprint: (90, None)}


def test_key_that_left_behind_the_registrys_back_is_forgotten_when_its_sibling_is_used(ask, client_key, rows, connect):
    with connect() as connection:
        connection.execute(text(f"INSERT INTO oauth2_client_key VALUES ('{CLIENT_ID}', 'gone', {START}, NULL)"))
    ask()

    assert rows() == {client_key.public.thumbprint: (0, 0)}


# --- keys behind a jwks_uri -------------------------------------------------------------------------------
REMOTE = "remote"


@pytest.fixture
def publish(monkeypatch):
    """Put keys at the client's URL, without a network; without any, the URL is away."""

    def publish(*keys):
        document = {"keys": [key.public_jwk() for key in keys]}

        def fetch(_self, _url):
            if not keys:
                raise FetchProblem("away")
            return FetchedDocument(document, json.dumps(document), fresh_for=60)

        monkeypatch.setattr(SafeFetcher, "fetch", fetch)

    return publish


@pytest.fixture
def ask_as_remote(ask, register, publish, client_key):
    """A token request of a client that publishes its keys; at first, the usual one."""
    publish(client_key)
    register(client_id=REMOTE, jwks_uri="https://client.example/jwks.json", scope="read", default_scope="read")
    return lambda key=None: ask(key, iss=REMOTE, sub=REMOTE)


@pytest.fixture
def remote_rows(rows, client_key, app, oauth):
    """As ``rows``, without the usual client's."""
    with app.app_context():
        oauth.clients.remove(CLIENT_ID)
    return rows


def test_published_key_is_known_from_its_first_use(ask_as_remote, remote_rows, clock, client_key):
    assert remote_rows() == {}
    clock.move(90)
    ask_as_remote()

    assert remote_rows() == {client_key.public.thumbprint: (90, 90)}


def test_next_published_key_is_known_within_an_hour_and_warned_about(
    ask_as_remote, remote_rows, publish, clock, client_key, next_key, warnings
):
    ask_as_remote()
    publish(client_key, next_key)
    clock.move(HOUR)
    ask_as_remote()
    assert remote_rows() == {client_key.public.thumbprint: (0, HOUR), next_key.public.thumbprint: (HOUR, None)}

    clock.move(2 * DAY)
    ask_as_remote()
    assert warnings() == [
        f"client 'remote': key '{next_key.public.thumbprint}', added 2 days ago, has signed nothing yet, "
        f"while '{client_key.public.thumbprint}' goes on signing"
    ]


def test_published_key_that_left_is_forgotten(ask_as_remote, remote_rows, publish, clock, next_key):
    ask_as_remote()
    publish(next_key)
    clock.move(DAY)
    ask_as_remote(next_key)

    assert remote_rows() == {next_key.public.thumbprint: (DAY, DAY)}


def test_published_keys_are_forgotten_with_their_client(ask_as_remote, remote_rows, app, oauth):
    ask_as_remote()
    with app.app_context():
        oauth.clients.remove(REMOTE)

    assert remote_rows() == {}


def test_key_keeps_its_age_when_its_client_begins_to_publish_it(ask, client, change, publish, clock, client_key, rows):
    publish(client_key)
    clock.move(HOUR)
    change(jwks_uri="https://client.example/jwks.json")
    ask()

    assert rows() == {client_key.public.thumbprint: (0, HOUR)}


def test_url_that_is_away_when_the_use_is_noted_fails_nothing(client, app, publish, register, warnings):
    publish()
    remote = register(client_id=REMOTE, jwks_uri="https://client.example/jwks.json")
    warnings()

    with app.app_context():
        app.extensions["private_key_jwt"].key_use.note(remote, "a thumbprint")

    assert warnings()[-1] == (
        "the use of a key of client 'remote' is not recorded: 'https://client.example/jwks.json' cannot be had"
    )


# --- purging ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("away", "left"), [(AWAY_SECONDS - 1, {"used", "unused"}), (AWAY_SECONDS, {"used"})])
def test_keys_of_clients_that_were_never_registered_are_purged(
    app, client, clock, connect, rows, client_key, away, left
):
    """A client that is a document is never removed: it stays away."""
    with connect() as connection:
        for name, used in (("unused", "NULL"), ("used", START + 60)):
            values = f"('https://client.example/{name}', '{name}', {START}, {used})"
            connection.execute(text(f"INSERT INTO oauth2_client_key VALUES {values}"))
    clock.move(away)

    purged = app.test_cli_runner().invoke(args=["oauth2", "purge"]).stdout

    assert rows().keys() == {client_key.public.thumbprint, *left}
    assert purged == ("0 expired entries deleted.\n" if len(left) == 2 else "1 expired entry deleted.\n")


def test_keys_of_a_registered_client_are_never_purged(ask, app, client, clock, client_key, rows):
    ask()
    clock.move(100 * AWAY_SECONDS)
    app.test_cli_runner().invoke(args=["oauth2", "purge"])

    assert rows() == {client_key.public.thumbprint: (0, 0)}


# --- what it costs ----------------------------------------------------------------------------------------
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")


def writes(statements):
    return [statement for statement in statements if statement.startswith(WRITES)]


def about_keys(statements):
    return [statement for statement in statements if "oauth2_client_key" in statement]


@pytest.fixture
def statements(server):
    """Every statement SQLite runs from here on, as the driver sees it."""
    app, _, db = server
    seen = []
    with app.app_context():
        engine = db.engine
    engine.dispose()
    event.listen(engine, "connect", lambda connection, _: connection.set_trace_callback(seen.append))
    return seen


@WITH_SQL_REPLAY
def test_a_token_request_is_one_write(settings, ask, client, statements):
    ask()
    statements.clear()
    ask()

    assert len(writes(statements)) == 1
    assert writes(statements)[0].startswith("INSERT INTO oauth2_replay")
    assert [word for word in statements if word.startswith(("BEGIN", "COMMIT"))] == []  # it commits by itself
    assert about_keys(statements) == []


@WITH_SQL_REPLAY
def test_a_token_request_of_a_new_hour_is_two_writes(settings, ask, client, clock, statements):
    ask()
    clock.move(HOUR)
    statements.clear()
    ask()

    assert [write.partition(" SET")[0].partition(" (")[0] for write in writes(statements)] == [
        "INSERT INTO oauth2_replay",
        "UPDATE oauth2_client_key",
    ]
    assert len(about_keys(statements)) == 2  # one look, one write
    assert statements.count("COMMIT") == 1  # of the second; the first commits by itself


@WITH_SQL_REPLAY
def test_a_worker_that_finds_the_hour_written_writes_nothing(settings, ask, client, app, oauth, clock, statements):
    ask()
    with app.app_context():
        app.extensions["private_key_jwt"].key_use._due = _Due(10)  # as in a worker that has just started
    statements.clear()
    ask()

    assert len(writes(statements)) == 1
    assert len(about_keys(statements)) == 1


class CountingStore:
    """A store of key use that knows one key and counts who asks."""

    def __init__(self):
        self.loads = []
        self.marks = []

    def load(self, client_id):
        self.loads.append(client_id)
        return {}

    def replace(self, client_id, thumbprints, *, now):
        pass

    def mark_used(self, client_id, thumbprint, *, now, not_after):
        self.marks.append(thumbprint)
        return True


class NoKeys:
    def all(self, _client):
        return ()


def test_of_many_threads_at_the_hour_one_writes(client):
    store = CountingStore()
    key_use, gate = ClientKeyUse(store, NoKeys(), size=10), threading.Barrier(10)

    def use():
        gate.wait()
        for _ in range(100):
            key_use.note(client, "a")

    threads = [threading.Thread(target=use) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.marks == ["a"]


def test_keys_used_last_are_remembered(client):
    store = CountingStore()
    key_use = ClientKeyUse(store, NoKeys(), size=2)

    for thumbprint in "abacaba":
        key_use.note(client, thumbprint)

    assert store.marks == ["a", "b", "c", "b"]


def test_key_that_is_added_again_is_asked_for_at_once(ask, add_next_key, change, client_key, next_key, clock, rows):
    add_next_key()
    ask(next_key)
    change(jwks={"keys": [client_key.public_jwk()]})
    clock.move(60)
    add_next_key()
    ask(next_key)

    assert rows()[next_key.public.thumbprint] == (60, 60)


# --- a store that is away ---------------------------------------------------------------------------------
def test_store_that_is_away_costs_a_log_line_and_no_token(ask, client, connect, warnings):
    with connect() as connection:
        connection.execute(text("ALTER TABLE oauth2_client_key RENAME TO away"))

    ask()

    (message,) = warnings()
    assert message == (
        "the use of a key of client 'console' is not recorded: "
        "database: OperationalError 'no such table: oauth2_client_key'; "
        f"{ADVICE}"
    )


def test_store_that_is_away_is_left_alone_for_a_minute(ask, client, clock, client_key, connect, warnings, rows):
    with connect() as connection:
        connection.execute(text("ALTER TABLE oauth2_client_key RENAME TO away"))
    ask()
    warnings()
    clock.move(RETRY_SECONDS - 1)
    ask()
    assert warnings() == []

    clock.move(1)
    ask()
    assert len(warnings()) == 1

    with connect() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO oauth2_client_key"))
    clock.move(RETRY_SECONDS)
    ask()
    assert rows() == {client_key.public.thumbprint: (0, 2 * RETRY_SECONDS)}


# --- warnings ---------------------------------------------------------------------------------------------
@pytest.fixture
def register_certificate(client, change, client_key):
    """Give the usual client's key a certificate that ends after so many days."""

    def register_certificate(days):
        certificate = load_certificate(build_self_signed(client_key, common_name="console", days=days, now=START))
        change(jwks={"keys": [{**jwk_of(certificate), "kid": client_key.public.thumbprint}]})

    return register_certificate


def expiry(client_key, left, day):
    return f"client 'console': the certificate of key '{client_key.public.thumbprint}' expires in {left}, on {day}"


def test_certificate_is_warned_about_from_thirty_days_before_its_end(
    register_certificate, ask, clock, client_key, warnings
):
    register_certificate(40)
    clock.move(10 * DAY - 1)
    ask()
    assert warnings() == []

    clock.move(DAY)
    ask()
    assert warnings() == [expiry(client_key, "29 days", "2027-02-24")]


def test_certificate_is_warned_about_once_a_day(register_certificate, ask, clock, client_key, warnings):
    register_certificate(29)
    for _ in range(2 * 24):
        ask()
        clock.move(HOUR)

    assert warnings() == [
        expiry(client_key, "29 days", "2027-02-13"),
        expiry(client_key, "28 days", "2027-02-13"),
        expiry(client_key, "27 days", "2027-02-13"),
    ]


def test_other_worker_does_not_warn_again(register_certificate, ask, clock, client_key, warnings, tmp_path):
    register_certificate(29)
    ask()
    app, oauth, db = make_app(f"sqlite:///{tmp_path}/as.sqlite")
    warnings()
    clock.move(2 * HOUR)
    with app.app_context():
        key_use = app.extensions["private_key_jwt"].key_use
        key_use.note(oauth.clients.get(CLIENT_ID), client_key.public.thumbprint)
    close(app, db)

    assert warnings() == []


def test_new_key_that_signs_nothing_is_warned_about_after_a_day(
    add_next_key, ask, clock, client_key, next_key, warnings
):
    clock.move(60)
    add_next_key()
    clock.move(DAY)
    ask()
    assert warnings() == []

    clock.move(DAY)
    ask()
    assert warnings() == [
        f"client 'console': key '{next_key.public.thumbprint}', added 2 days ago, has signed nothing yet, "
        f"while '{client_key.public.thumbprint}' goes on signing"
    ]


def test_new_key_is_warned_about_once_a_day(add_next_key, ask, clock, warnings):
    clock.move(60)
    add_next_key()
    clock.move(2 * DAY)
    for _ in range(24):
        ask()
        clock.move(HOUR)

    assert len(warnings()) == 2  # a day of 24 hours touches two dates


def test_new_key_that_has_signed_is_not_warned_about(add_next_key, ask, clock, next_key, warnings):
    clock.move(60)
    add_next_key()
    ask(next_key)
    clock.move(2 * DAY)
    ask()

    assert warnings() == []


def test_two_keys_of_the_first_registration_are_not_warned_about(register, keys, ask, clock, warnings):
    """Neither is new: the second may be a spare one."""
    pair = [keys("ES256", "client").public_jwk(), keys("ES256", "next").public_jwk()]
    register(client_id="pair", jwks={"keys": pair}, scope="read", default_scope="read")
    clock.move(9 * DAY)
    ask(iss="pair", sub="pair")

    assert warnings() == []


def test_warning_quotes_a_kid_whatever_it_holds(client, change, client_key, next_key, ask, clock, warnings):
    nasty = {**next_key.public_jwk(), "kid": "evil\x1b[2J\nclient 'admin': all is well" + "!" * 5000}
    clock.move(60)
    change(jwks={"keys": [client_key.public_jwk(), nasty]})
    clock.move(2 * DAY)
    ask()

    (message,) = warnings()
    assert message.isprintable()
    assert len(message) < 400
