"""The audit trail: in the transaction of the change, chained, and what an attacker in the database cannot hide."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from flask_private_key_jwt.authorization_server.state import current_state
from flask_private_key_jwt.authorization_server.stores.sql.audit import AuditTrail, ChainCheck
from flask_private_key_jwt.authorization_server.stores.sql.recorder import Recorder
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.errors import ConfigurationError, StoreUnavailable
from flask_private_key_jwt.jose.derived import Secrets
from flask_private_key_jwt.signals.events import ClientRemoved, TokensRevoked, find_events
from tests.authorization_server.conftest import APP_ID
from tests.conftest import CLIENT_ID, SECRET, START, make_app

AUDIT = {"OAUTH2_AUDIT": "sql"}


@pytest.fixture(params=[AUDIT])
def settings(request):
    return request.param


@pytest.fixture
def in_app(app):
    with app.app_context():
        yield


@pytest.fixture
def change(server):
    """Do something to the tables, as whoever has the database's password can."""
    app, _, db = server

    def change(*statements):
        with app.app_context(), db.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    return change


def rows_of(app):
    with app.app_context():
        return list(current_state().trail.read())


def events_of(app):
    return [row.event for row in rows_of(app)]


@pytest.fixture
def audit(app):
    def audit(*words):
        return app.test_cli_runner().invoke(args=["oauth2", "audit", *words])

    return audit


@pytest.fixture
def three(oauth, in_app, client):
    """A trail of five rows: a client was registered with a key, changed twice, and disabled."""
    oauth.clients.update(CLIENT_ID, {"client_name": "One"})
    oauth.clients.update(CLIENT_ID, {"client_name": "Two"})
    oauth.clients.disable(CLIENT_ID)


# --- what is kept ------------------------------------------------------------------------------------------
def test_what_changes_rights_is_kept(app, three):
    assert events_of(app) == ["client_registered", "client_keys_changed", *["client_changed"] * 3]
    last = rows_of(app)[-1]
    assert (last.number, last.client_id, last.subject) == (5, CLIENT_ID, None)
    assert json.loads(last.details) == {
        "client_id": CLIENT_ID,
        "by": "operator",
        "members": ["enabled"],
        "enabled": False,
    }


def test_a_consent_a_code_a_token_and_their_end(app, oauth, get_code, redeem, post, people):
    answer = redeem(get_code()).json
    post("/oauth2/revoke", token=answer["access_token"])
    post("/oauth2/revoke", token=answer["refresh_token"])
    with app.app_context():
        oauth.revoke(subject="alice")

    assert events_of(app)[2:] == [
        "consent_given",
        "signing_key_changed",
        "token_revoked",
        "grant_revoked",
        "tokens_revoked",
        "consent_withdrawn",
        "grant_revoked",
    ]
    consent = rows_of(app)[2]
    assert (consent.client_id, consent.subject) == (APP_ID, "alice")
    kept = {name for name, kind in find_events().items() if kind.changes_rights}
    assert set(events_of(app)) <= kept


@pytest.mark.parametrize("settings", [{**AUDIT, "OAUTH2_CLIENT_SECRETS_UNTIL": "2040-01-01"}])
def test_secrets_of_a_client_are_kept_by_their_names_only(app, oauth, in_app, client):
    first = oauth.clients.secrets.give(CLIENT_ID)
    second = oauth.clients.secrets.replace(CLIENT_ID, overlap_seconds=0)
    app.test_cli_runner().invoke(args=["oauth2", "client", "secret", "remove", CLIENT_ID, "--all", "--yes"])

    kept = [row for row in rows_of(app) if row.event == "client_secrets_changed"]
    old, new = first.described.name, second.described.name
    changes = [{name: value for name, value in json.loads(row.details).items() if value} for row in kept]
    assert changes == [
        {"client_id": CLIENT_ID, "added": [old]},
        {"client_id": CLIENT_ID, "added": [new], "ended": [old], "ends_at": START},
        {"client_id": CLIENT_ID, "removed": [old]},
        {"client_id": CLIENT_ID, "removed": [new]},
    ]
    for given in (first, second):
        assert given.secret not in "".join(row.details for row in kept)


@pytest.mark.parametrize("settings", [{}, {"OAUTH2_AUDIT": "off"}])
def test_without_the_setting_nothing_is_kept(app, three, audit):
    assert events_of(app) == []
    result = audit()
    assert (result.exit_code, result.output) == (0, "Note: OAUTH2_AUDIT is off, so nothing is added.\n")


@pytest.mark.parametrize("value", ["SQL", "file", True])
def test_another_place_is_refused(value, tmp_path):
    with pytest.raises(ConfigurationError, match="OAUTH2_AUDIT"):
        make_app(f"sqlite:///{tmp_path}/other.sqlite", OAUTH2_AUDIT=value)


# --- one transaction ----------------------------------------------------------------------------------------
def test_a_change_that_cannot_be_kept_is_not_made(app, oauth, client, in_app, change):
    change("DROP TABLE oauth2_audit")

    with pytest.raises(StoreUnavailable):
        oauth.clients.disable(CLIENT_ID)
    assert oauth.clients.get(CLIENT_ID).enabled

    with pytest.raises(StoreUnavailable):
        oauth.revoke(subject="alice")
    with pytest.raises(StoreUnavailable):
        current_state().registration_tokens.create(uses=1, lifetime=60)
    assert current_state().registration_tokens.all() == []


def test_a_change_that_is_not_made_is_not_kept(app, oauth, client, in_app):
    before = events_of(app)

    with pytest.raises(Exception, match="registered already"):
        oauth.clients.add({"client_id": CLIENT_ID, "jwks": oauth.clients.describe(CLIENT_ID)["jwks"]})

    assert events_of(app) == before
    with app.app_context():
        assert current_state().trail.find_end().number == len(before)


def test_many_at_once_make_one_chain_in_every_kind_of_database(sql_database):
    database = Database(lambda: sql_database.engine)
    trail = AuditTrail(database, sql_database.tables.trail, Secrets((SECRET,)), keep_seconds=None)
    recorder = Recorder(database, trail=trail)
    before = trail.find_end().number

    def write(number):
        with recorder.begin() as change:
            change.note(ClientRemoved(f"client-{number}", "operator"))

    write(0)  # the very first row has to be inserted
    for name in ("\x00", "\ud800", "x" * 999):  # PostgreSQL takes none of these as they are
        with recorder.begin() as change:
            change.note(TokensRevoked(client_id=name, subject=name))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(1, 24)))

    check = ChainCheck(trail)
    for entry in trail.read():
        check.take(entry)
    check.finish(trail.find_end())
    assert check.problems == []
    assert check.end.number == before + 27


# --- verified -------------------------------------------------------------------------------------------------
def test_a_whole_trail_is_printed_with_exit_code_0(three, audit):
    result = audit()

    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.output.splitlines()
    assert len(lines) == 5
    assert re.fullmatch(
        "5  2027-01-15 08:00:00 UTC  client_changed  client_id=console  by=operator  members=enabled  enabled=False",
        lines[4],
    )


@pytest.mark.parametrize(
    ("attack", "says"),
    [
        ("UPDATE oauth2_audit SET details = '{}' WHERE number = 3", "Row 3 was altered"),
        ("UPDATE oauth2_audit SET client_id = 'other' WHERE number = 3", "Row 3 was altered"),
        ("UPDATE oauth2_audit SET subject = 'bob' WHERE number = 3", "Row 3 was altered"),
        ("UPDATE oauth2_audit SET recorded_at = 5 WHERE number = 1", "Row 1 was altered"),
        ("UPDATE oauth2_audit SET event = 'token_revoked' WHERE number = 5", "Row 5 was altered"),
        ("DELETE FROM oauth2_audit WHERE number = 3", "Row 3 is missing."),
        ("DELETE FROM oauth2_audit WHERE number IN (2, 3)", "Rows 2 to 3 are missing."),
        ("DELETE FROM oauth2_audit WHERE number = 1", "Row 1 is missing."),
        ("DELETE FROM oauth2_audit WHERE number > 3", "Rows 4 to 5 are missing."),
        ("DELETE FROM oauth2_audit", "Rows 1 to 5 are missing."),
        ("UPDATE oauth2_audit SET previous = mac WHERE number = 4", "Row 4 does not follow row 3"),
        ("UPDATE oauth2_audit_head SET mac = zeroblob(32)", "The end of the chain is not the one"),
        ("UPDATE oauth2_audit_head SET number = 3", "The end of the chain is not the one"),
        ("DELETE FROM oauth2_audit_head", "The end of the chain is not the one"),
    ],
)
def test_whatever_is_done_to_the_rows_shows(three, audit, change, attack, says):
    change(attack)

    result = audit("--client", "nobody")
    assert result.exit_code == 1
    assert f"Error: {says}" in result.stderr
    assert audit("--head").exit_code == 1


def test_a_row_moved_to_another_number_shows(three, audit, change):
    change(
        "UPDATE oauth2_audit SET number = 99 WHERE number = 3",
        "UPDATE oauth2_audit SET number = 3 WHERE number = 4",
        "UPDATE oauth2_audit SET number = 4 WHERE number = 99",
    )

    assert "Row 3 was altered" in audit().stderr


def test_a_cut_tail_shows_against_an_end_that_was_kept(three, audit, change):
    kept = audit("--head").output.strip()
    assert re.fullmatch(r"5:[0-9a-f]{64}", kept)
    assert audit("--against", kept).exit_code == 0
    change(
        "DELETE FROM oauth2_audit WHERE number > 3",
        "UPDATE oauth2_audit_head SET number = 3, mac = (SELECT mac FROM oauth2_audit WHERE number = 3)",
    )

    assert audit().exit_code == 0  # nothing in the database tells
    result = audit("--against", kept)
    assert (result.exit_code, "Error: Rows 4 to 5 are missing." in result.stderr) == (1, True)


def test_an_end_of_another_chain_shows(three, audit):
    result = audit("--against", f"5:{'0' * 64}")

    assert (result.exit_code, "is not the end that you kept" in result.stderr) == (1, True)


def test_an_end_that_is_not_one_is_refused(three, audit):
    assert audit("--against", "5").exit_code == 2


def test_an_end_that_was_kept_is_good_while_the_trail_grows(three, audit, oauth):
    kept = audit("--head").output.strip()
    oauth.clients.update(CLIENT_ID, {"client_name": "Three", "enabled": True})

    assert audit("--against", kept).exit_code == 0


def test_rows_of_an_older_secret_are_valid_while_it_is_a_fallback(three, app):
    def ask(**config):
        other, _, db = make_app(str(app.config["SQLALCHEMY_DATABASE_URI"]), **AUDIT, **config)
        with other.app_context():
            result = other.test_cli_runner().invoke(args=["oauth2", "audit"])
            db.engine.dispose()
        return result

    new = "another secret for tests only, long enough"
    assert ask(SECRET_KEY=new, SECRET_KEY_FALLBACKS=[SECRET]).exit_code == 0
    result = ask(SECRET_KEY=new)
    assert result.exit_code == 1
    assert "made with a secret that is no longer among the application's" in result.stderr


# --- filters ---------------------------------------------------------------------------------------------------
def test_rows_are_chosen_by_client_person_and_time(oauth, in_app, three, audit, clock):
    clock.move(3600)
    oauth.revoke(subject="alice", client_id=CLIENT_ID)
    oauth.revoke(subject="bob")

    def numbers(*words):
        result = audit("--json", *words)
        assert result.exit_code == 0
        return [json.loads(line)["number"] for line in result.output.splitlines()]

    assert numbers() == [1, 2, 3, 4, 5, 6, 7]
    assert numbers("--client", CLIENT_ID) == [1, 2, 3, 4, 5, 6]
    assert numbers("--subject", "alice") == [6]
    assert numbers("--subject", "bob") == [7]
    assert numbers("--since", "30m") == [6, 7]
    assert numbers("--since", "2027-01-15T08:30:00") == [6, 7]
    assert numbers("--since", "2027-01-15") == [1, 2, 3, 4, 5, 6, 7]
    assert numbers("--since", "2027-01-16") == []
    assert audit("--since", "yesterday").exit_code == 2


def test_control_characters_do_not_reach_the_terminal(oauth, in_app, audit):
    oauth.revoke(subject="\x1b[31malice")

    assert "\x1b" not in audit().output


# --- how long --------------------------------------------------------------------------------------------------
@pytest.fixture
def purge(app):
    def purge(*words, command="purge-audit"):
        return app.test_cli_runner().invoke(args=["oauth2", command, *words])

    return purge


def test_old_rows_are_deleted_and_the_trail_stays_whole(app, oauth, in_app, three, audit, purge, clock):
    kept = audit("--head").output.strip()
    clock.move(3600)
    oauth.revoke(subject="bob")

    assert purge("--older-than", "30m", "--yes").output == "5 rows deleted.\n"
    assert events_of(app) == ["tokens_revoked", "audit_purged"]
    assert audit().exit_code == 0
    assert audit("--against", kept).exit_code == 0  # that row was purged
    assert purge("--older-than", "30m", "--yes").output == "0 rows deleted.\n"


def test_nobody_else_can_shorten_the_beginning(app, oauth, in_app, three, audit, purge, clock, change):
    clock.move(3600)
    oauth.revoke(subject="bob")
    oauth.revoke(subject="carol")
    purge("--older-than", "30m", "--yes")

    change("DELETE FROM oauth2_audit WHERE number = 6")

    assert "Row 6 is missing." in audit().stderr


def test_it_deletes_nothing_that_nobody_agreed_to(app, in_app, three, purge):
    assert purge("--older-than", "0d").exit_code == 2
    assert len(events_of(app)) == 5


@pytest.mark.parametrize(
    ("settings", "left"), [({**AUDIT, "OAUTH2_AUDIT_KEEP_SECONDS": 86400}, 2), (AUDIT, 6)], indirect=["settings"]
)
def test_the_usual_purge_deletes_them_where_a_setting_says_when(app, oauth, in_app, three, purge, clock, audit, left):
    clock.move(86401)
    oauth.revoke(subject="bob")

    assert purge(command="purge").exit_code == 0
    assert len(events_of(app)) == left
    assert audit().exit_code == 0
