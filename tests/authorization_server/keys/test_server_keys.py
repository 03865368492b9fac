"""The server's signing keys: made once, encrypted at rest, never replaced by accident."""

import logging
import secrets as random
import subprocess
import sys

import jwt as pyjwt
import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from flask_private_key_jwt.authorization_server.stores.tables.all_tables import build_tables
from flask_private_key_jwt.jose import jose
from tests.checkout import CHECKOUT
from tests.conftest import API, CLIENT_ID, SECRET, close, make_app
from tests.servers.throwaway import server_url

UNAVAILABLE = {
    "error": "temporarily_unavailable",
    "error_description": "The server cannot answer right now; try again later.",
}
OTHER_SECRET = "another secret for tests only, long enough"


@pytest.fixture
def rows(server):
    """The rows of the key table."""
    app, _, db = server

    def rows():
        with app.app_context(), db.engine.connect() as connection:
            return connection.execute(text("SELECT * FROM oauth2_server_key ORDER BY slot")).all()

    return rows


@pytest.fixture
def make_server(tmp_path):
    """Makes further apps on the same database, as a restart with other settings would."""
    made = []

    def make(**config):
        made.append(make_app(f"sqlite:///{tmp_path}/as.sqlite", **config))
        return made[-1]

    yield make
    for app, _, db in made:
        close(app, db)


@pytest.fixture
def ask_server(client, build_assertion):
    """A valid token request to any of them."""

    def ask(app):
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": build_assertion(),
        }
        return app.test_client().post("/oauth2/token", data=form)

    return ask


def jwks_of(app):
    return app.test_client().get("/oauth2/jwks")


# --- made once --------------------------------------------------------------------------------------------
def test_no_key_is_made_before_it_is_needed(app, rows, client):
    app.test_client().get("/.well-known/oauth-authorization-server")

    assert rows() == []


@pytest.mark.parametrize("need", ["a token", "the JWKS"])
def test_key_is_made_when_it_is_first_needed_and_kept(need, app, rows, ask_token):
    for _ in range(2):
        assert (ask_token() if need == "a token" else jwks_of(app)).status_code == 200

    assert [(row.slot, row.alg) for row in rows()] == [(1, "ES256")]


def test_restart_finds_the_key(app, make_server):
    assert jwks_of(make_server()[0]).json == jwks_of(app).json


def race(url):
    program = [sys.executable, "-m", "tests.authorization_server.keys.key_racer", url]
    finished = subprocess.run(program, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    assert finished.stderr == ""
    return finished.stdout.split()


def create_tables(url):
    db = SQLAlchemy()
    build_tables(db)
    engine = create_engine(url)
    db.metadata.create_all(engine)
    engine.dispose()


def test_twenty_processes_on_an_empty_sqlite_database_make_one_key(tmp_path):
    url = f"sqlite:///{tmp_path}/race.sqlite"
    create_tables(url)

    kids = race(url)

    assert len(kids) == 20
    assert len(set(kids)) == 1


def test_twenty_processes_on_an_empty_postgresql_database_make_one_key():
    with server_url("postgres") as url:
        name = f"pkjwt_race_{random.token_hex(4)}"
        server = create_engine(url, isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            own = make_url(url).set(database=name).render_as_string(hide_password=False)
            create_tables(own)
            kids = race(own)
        finally:
            with server.connect() as connection:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
            server.dispose()

    assert len(kids) == 20
    assert len(set(kids)) == 1


# --- at rest ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("settings", [{"OAUTH2_SIGNING_ALG": "ES256"}, {"OAUTH2_SIGNING_ALG": "RS256"}], ids=str)
def test_no_private_member_lies_in_the_database_file(settings, app, tmp_path):
    assert jwks_of(app).status_code == 200
    private = app.extensions["private_key_jwt"].server_keys.current().signing.as_jwk()

    stored = b"".join(file.read_bytes() for file in tmp_path.glob("as.sqlite*"))
    assert private["kid"].encode() in stored
    for member in jose.PRIVATE_MEMBERS & private.keys():
        assert private[member].encode() not in stored


def test_secret_is_changed_by_keeping_the_old_one_as_a_fallback(app, make_server, ask_token, ask_server):
    assert ask_token().status_code == 200
    changed, _, _ = make_server(SECRET_KEY=OTHER_SECRET, SECRET_KEY_FALLBACKS=[SECRET])

    assert ask_server(changed).status_code == 200
    assert jwks_of(changed).json == jwks_of(app).json


def test_new_key_is_encrypted_with_the_newest_secret(app, make_server, ask_token, ask_server, clock):
    ask_token()
    changed, _, _ = make_server(SECRET_KEY=OTHER_SECRET, SECRET_KEY_FALLBACKS=[SECRET], OAUTH2_SIGNING_ALG="ES384")
    assert ask_server(changed).status_code == 200  # the next key is made, and announced

    assert ask_server(make_server(SECRET_KEY=OTHER_SECRET)[0]).status_code == 503
    clock.move(14 * 86400)
    assert ask_server(make_server(SECRET_KEY=OTHER_SECRET)[0]).status_code == 200


@pytest.mark.parametrize("send", [lambda app, ask: ask(app), lambda app, ask: jwks_of(app)], ids=["token", "jwks"])
def test_wrong_secret_issues_nothing_makes_no_key_and_says_what_to_do(
    send, app, make_server, rows, ask_token, ask_server, caplog
):
    kid = pyjwt.get_unverified_header(ask_token().json["access_token"])["kid"]
    wrong, _, _ = make_server(SECRET_KEY=OTHER_SECRET)
    before = rows()

    answer = send(wrong, ask_server)

    assert (answer.status_code, answer.json) == (503, UNAVAILABLE)
    assert answer.headers["Retry-After"]
    assert answer.headers["Cache-Control"] == "no-store"
    (message,) = (record.message for record in caplog.records if record.levelno >= logging.ERROR)
    assert f"Signing key {kid} cannot be decrypted with this SECRET_KEY. Put the secret it was made with" in message
    assert "SECRET_KEY_FALLBACKS" in message
    assert SECRET not in caplog.text
    assert OTHER_SECRET not in caplog.text
    assert rows() == before


# --- what is published ------------------------------------------------------------------------------------
@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "EdDSA"])
def test_every_signing_algorithm_issues_tokens_that_verify(alg, client, make_server, ask_server):
    app, _, _ = make_server(OAUTH2_SIGNING_ALG=alg)

    token = ask_server(app).json["access_token"]

    (published,) = jwks_of(app).json["keys"]
    header = pyjwt.get_unverified_header(token)
    assert header == {"alg": alg, "typ": "at+jwt", "kid": published["kid"]}
    key = pyjwt.PyJWK(published)
    claims = pyjwt.decode(
        token, key, algorithms=[alg], audience=API, options={"verify_exp": False, "verify_iat": False}
    )
    assert claims["client_id"] == CLIENT_ID


def test_jwks_holds_public_members_a_purpose_and_unique_names(make_server, clock):
    for alg in ("ES256", "RS256", "EdDSA"):
        answer = jwks_of(make_server(OAUTH2_SIGNING_ALG=alg, OAUTH2_KEY_ANNOUNCE_SECONDS=900)[0])
        clock.move(901)
    published = answer.json["keys"]

    assert answer.content_type == "application/jwk-set+json"
    assert [key["alg"] for key in published] == ["ES256", "RS256", "EdDSA"]
    assert len({key["kid"] for key in published}) == 3
    for key in published:
        assert not jose.PRIVATE_MEMBERS & key.keys()
        assert key["use"] == "sig"
        assert key["kid"] == jose.import_public_jwk(key).thumbprint
    assert len(published[1]["n"]) == 342  # 2048 bits


def kid_of_token(token):
    return pyjwt.get_unverified_header(token)["kid"]


def kid_of(answer):
    return kid_of_token(answer.json["access_token"])


def test_tokens_of_the_old_algorithm_stay_verifiable(app, make_server, ask_token, ask_server, clock):
    old = ask_token().json["access_token"]
    changed, _, _ = make_server(OAUTH2_SIGNING_ALG="EdDSA")
    assert kid_of(ask_server(changed)) == kid_of_token(old)  # announced before it signs
    clock.move(14 * 86400)
    new = ask_server(changed).json["access_token"]

    published = {key["kid"]: key for key in jwks_of(changed).json["keys"]}
    for token in (old, new):
        assert jose.verify(
            jose.parse(token, max_bytes=8192),
            jose.import_public_jwk(published[pyjwt.get_unverified_header(token)["kid"]]),
        )


def test_key_another_process_added_is_published_at_once(app, make_server):
    assert len(jwks_of(app).json["keys"]) == 1
    jwks_of(make_server(OAUTH2_SIGNING_ALG="EdDSA")[0])

    assert len(jwks_of(app).json["keys"]) == 2


def test_unchanged_key_is_parsed_once(app, clock):
    keys = app.extensions["private_key_jwt"].server_keys
    with app.app_context():
        signing = keys.current().signing
        clock.move(3600)

        assert keys.current().signing is signing


# --- the database away ------------------------------------------------------------------------------------
@pytest.fixture
def take_database_away(server, tmp_path):
    """Takes the database file away; what it returns brings it back."""
    app, _, db = server

    def take_away():
        with app.app_context():
            db.engine.dispose()
        away = tmp_path / "away"
        away.mkdir()
        for file in tmp_path.glob("as.sqlite*"):
            file.rename(away / file.name)
        (tmp_path / "as.sqlite").mkdir()

        def bring_back():
            (tmp_path / "as.sqlite").rmdir()
            for file in away.iterdir():
                file.rename(tmp_path / file.name)

        return bring_back

    return take_away


def test_key_in_memory_outlives_the_database(app, ask_token, take_database_away, clock, caplog):
    ask_token()
    published = jwks_of(app).json
    take_database_away()

    for seconds in (0, 61, 3600):
        clock.move(seconds)
        assert jwks_of(app).json == published
        answer = ask_token()
        assert (answer.status_code, answer.json) == (503, UNAVAILABLE)
        assert answer.headers["Retry-After"] == "5"
    assert "the signing keys cannot be read again; the copy in memory goes on serving" in caplog.messages


def test_database_that_is_away_is_asked_again_after_five_seconds_only(app, take_database_away, clock, caplog):
    jwks_of(app)
    bring_back = take_database_away()
    clock.move(60)
    for _ in range(3):
        assert jwks_of(app).status_code == 200
    bring_back()
    clock.move(5)
    assert jwks_of(app).status_code == 200

    assert caplog.messages.count("the signing keys cannot be read again; the copy in memory goes on serving") == 1


def test_without_a_copy_there_are_no_keys_until_the_database_is_back(
    app, ask_token, take_database_away, build_assertion
):
    assertion = build_assertion()
    bring_back = take_database_away()

    assert (jwks_of(app).status_code, ask_token(assertion=assertion).status_code) == (503, 503)
    bring_back()
    assert (jwks_of(app).status_code, ask_token(assertion=assertion).status_code) == (200, 200)


# --- nothing private in sight -----------------------------------------------------------------------------
def test_repr_of_the_keys_shows_nothing_private(app):
    state = app.extensions["private_key_jwt"]
    with app.app_context():
        ring = state.server_keys.current()

    for shown in (repr(ring), repr(state.server_keys), repr(state)):
        assert ring.signing.as_jwk()["d"] not in shown
        assert ring.signer.encrypted_private_jwk not in shown
        assert SECRET not in shown
