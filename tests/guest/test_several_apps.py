"""Several apps in one process have nothing in common: not issuer, settings, keys, nor what is remembered."""

import flask
import pytest
from flask_sqlalchemy import SQLAlchemy

from flask_private_key_jwt import PrivateKeyJWT
from flask_private_key_jwt.jose import jose
from tests.conftest import CLIENT_ID, INVALID_CLIENT, SECRET, close
from tests.guest import host

FIRST, SECOND = "https://first.example", "https://second.example"


@pytest.fixture
def first(make_host):
    return make_host(OAUTH2_ISSUER=FIRST)


@pytest.fixture
def second(make_host):
    """An app of the same extension object, with another issuer, other settings and another database."""
    return make_host(
        OAUTH2_ISSUER=SECOND,
        OAUTH2_RESOURCES=["https://api.second.example"],
        OAUTH2_URL_PREFIX="/auth",
        OAUTH2_ACCESS_TOKEN_LIFETIME_SECONDS=60,
        OAUTH2_SIGNING_ALG="EdDSA",
        OAUTH2_REPLAY_STORE="memory",
    )


@pytest.fixture
def stranger(tmp_path, client_key):
    """An app of another extension object, on another SQLAlchemy object."""
    app = flask.Flask("stranger")
    app.config.from_mapping(
        SECRET_KEY=SECRET, OAUTH2_ISSUER=SECOND, SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/stranger.sqlite"
    )
    db = SQLAlchemy(app)
    oauth = PrivateKeyJWT(db, app)
    with app.app_context():
        db.create_all()
        oauth.clients.add(
            {"client_id": CLIENT_ID, "jwks": {"keys": [client_key.public_jwk()]}, "scope": "a", "default_scope": "a"}
        )
    yield app
    close(app, db)


def read(answer):
    return jose.decode_unverified(answer.json["access_token"])


def test_each_has_its_own_issuer_settings_and_keys(first, second, ask):
    header_1, claims_1 = read(ask(first, aud=FIRST))
    header_2, claims_2 = read(ask(second, "/auth/token", aud=SECOND))

    assert (claims_1["iss"], claims_2["iss"]) == (FIRST, SECOND)
    assert (claims_1["aud"], claims_2["aud"]) == ("https://api.example", "https://api.second.example")
    assert (claims_1["exp"] - claims_1["iat"], claims_2["exp"] - claims_2["iat"]) == (600, 60)
    assert (header_1["alg"], header_2["alg"]) == ("ES256", "EdDSA")
    assert header_1["kid"] != header_2["kid"]
    assert first.test_client().get("/oauth2/jwks").json["keys"][0]["kid"] == header_1["kid"]
    assert second.test_client().get("/auth/jwks").json["keys"][0]["kid"] == header_2["kid"]


def test_assertion_for_the_one_is_refused_by_the_other(first, second, ask):
    assert ask(first, aud=SECOND).json == INVALID_CLIENT
    assert ask(second, "/auth/token", aud=FIRST).json == INVALID_CLIENT


def test_client_of_the_one_is_unknown_to_the_other(first, second, ask):
    with second.app_context():
        host.oauth.clients.remove(CLIENT_ID)

    assert ask(second, "/auth/token", aud=SECOND).json == INVALID_CLIENT
    assert ask(first, aud=FIRST).status_code == 200


def test_what_the_one_remembers_the_other_does_not(make_host, build_form):
    apps = [make_host(), make_host()]
    form = build_form()

    for app in apps:
        assert app.test_client().post("/oauth2/token", data=form).status_code == 200
    for app in apps:
        assert app.test_client().post("/oauth2/token", data=form).json == INVALID_CLIENT


def test_issuers_that_share_a_replay_store_have_marks_of_their_own(make_host, ask, tmp_path):
    shared = f"sqlite:///{tmp_path}/shared-replay.sqlite"
    first = make_host(OAUTH2_ISSUER=FIRST, OAUTH2_REPLAY_STORE=shared)
    second = make_host(OAUTH2_ISSUER=SECOND, OAUTH2_REPLAY_STORE=shared)

    assert [ask(app, aud=aud, jti="1").status_code for app, aud in [(first, FIRST), (second, SECOND)]] == [200, 200]
    assert [ask(app, aud=aud, jti="1").json for app, aud in [(first, FIRST), (second, SECOND)]] == [INVALID_CLIENT] * 2


def test_processes_of_one_issuer_share_its_marks(make_host, build_form, tmp_path):
    shared = f"sqlite:///{tmp_path}/shared-replay.sqlite"
    one, other = (make_host(OAUTH2_REPLAY_STORE=shared) for _ in range(2))
    form = build_form()

    assert one.test_client().post("/oauth2/token", data=form).status_code == 200
    assert other.test_client().post("/oauth2/token", data=form).json == INVALID_CLIENT


def test_two_apps_on_one_database_share_everything_stored(make_host, build_form):
    first = make_host("shared")
    with first.app_context():
        host.oauth.clients.remove(CLIENT_ID)
    second = make_host("shared")
    form = build_form()

    assert first.test_client().post("/oauth2/token", data=form).status_code == 200
    assert second.test_client().post("/oauth2/token", data=form).json == INVALID_CLIENT
    assert first.test_client().get("/oauth2/jwks").json == second.test_client().get("/oauth2/jwks").json


def test_extension_objects_of_their_own_have_nothing_in_common(first, stranger, ask):
    host_header, host_claims = read(ask(first, aud=FIRST))
    header, claims = read(ask(stranger, aud=SECOND))

    assert (host_claims["scope"], claims["scope"]) == ("read", "a")
    assert claims["aud"] == SECOND
    assert header["kid"] != host_header["kid"]


def test_nonces_of_the_one_are_not_the_others(make_host):
    def nonces(app):
        return app.extensions["private_key_jwt"].server.dpop

    one = make_host(OAUTH2_DPOP_NONCE="required")
    same_secret = make_host(OAUTH2_DPOP_NONCE="required")
    other_secret = make_host(OAUTH2_DPOP_NONCE="required", SECRET_KEY=SECRET[::-1])

    assert nonces(one).new_nonce() == nonces(same_secret).new_nonce()
    assert nonces(one).new_nonce() != nonces(other_secret).new_nonce()


def test_registry_is_that_of_the_current_app(first, second):
    with first.app_context():
        host.oauth.clients.update(CLIENT_ID, {"owner": "first"})
    with second.app_context():
        assert host.oauth.clients.get(CLIENT_ID).owner is None
