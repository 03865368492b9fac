"""A change of the server's keys takes effect in the next request on every worker, within the same second."""

import threading
from dataclasses import replace

import pytest

from flask_private_key_jwt import ResourceProtector
from flask_private_key_jwt.authorization_server.keys.rotation import Schedule
from flask_private_key_jwt.authorization_server.keys.server_keys import ServerKeys
from flask_private_key_jwt.authorization_server.stores.contracts import StoredKey
from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.derived import Secrets
from tests.authorization_server.keys.memory_server_keys import MemoryServerKeyStore
from tests.conftest import API, ASSERTION_TYPE, CLIENT_ID, SECRET, close, make_app


class Worker:
    """One of two servers on one database."""

    def __init__(self, app, build_assertion):
        self.app = app
        self._build_assertion = build_assertion

    def post(self, path, **form):
        fields = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self._build_assertion(), **form}
        return self.app.test_client().post(path, data=fields)

    def ask_token(self):
        return self.post("/oauth2/token", grant_type="client_credentials")

    def signer(self):
        """The ``kid`` of the key that signs a token now."""
        return kid_of(self.ask_token().json["access_token"])

    def published(self):
        return [key["kid"] for key in self.app.test_client().get("/oauth2/jwks").json["keys"]]

    def call_api(self, token):
        return self.app.test_client().get("/api", headers={"Authorization": f"Bearer {token}"})

    def run(self, *words):
        outcome = self.app.test_cli_runner().invoke(args=["oauth2", "key", *words])
        assert outcome.exit_code == 0, outcome.output
        return outcome.stdout


@pytest.fixture
def workers(tmp_path, build_assertion, client_key):
    """Two servers, each with an API, that have used their copies of the keys."""
    made = []
    for _ in range(2):
        app, oauth, db = make_app(
            f"sqlite:///{tmp_path}/as.sqlite",
            OAUTH2_REPLAY_STORE="sql",
            OAUTH2_RESOURCE=API,
        )
        require_oauth = ResourceProtector()
        require_oauth.init_app(app)
        app.add_url_rule("/api", view_func=require_oauth()(lambda: "in"))
        made.append((app, db))
        if len(made) == 1:
            with app.app_context():
                oauth.clients.add(
                    {
                        "client_id": CLIENT_ID,
                        "jwks": {"keys": [client_key.public_jwk()]},
                        "scope": "read",
                        "default_scope": "read",
                    }
                )
    workers = [Worker(app, build_assertion) for app, _ in made]
    assert workers[0].signer() == workers[1].signer()
    yield workers
    for app, db in made:
        close(app, db)


def kid_of(token):
    return jose.decode_unverified(token)[0]["kid"]


def test_a_retired_key_signs_nothing_more_on_any_worker(workers):
    here, there = workers
    leaked = there.signer()

    here.run("retire", leaked, "--yes")

    assert there.signer() not in (leaked, None)
    assert here.signer() == there.signer()


def test_a_retired_key_is_not_published_any_more_by_any_worker(workers):
    here, there = workers
    leaked = there.signer()
    assert leaked in there.published()

    here.run("retire", leaked, "--yes")

    assert leaked not in there.published()
    assert there.published() == here.published()


def test_an_api_in_the_same_app_takes_no_token_of_a_retired_key(workers):
    here, there = workers
    token = there.ask_token().json["access_token"]
    assert there.call_api(token).status_code == 200  # and now it is known as verified

    here.run("retire", kid_of(token), "--yes")

    assert there.call_api(token).status_code == 401
    assert there.call_api(there.ask_token().json["access_token"]).status_code == 200


@pytest.mark.parametrize("words", [("rotate", "--now"), ("retire", "KID", "--yes")])
def test_an_api_in_the_same_app_takes_a_token_of_a_key_that_signs_at_once(workers, words):
    here, there = workers
    here.run(*(here.signer() if word == "KID" else word for word in words))
    token = here.ask_token().json["access_token"]

    assert there.call_api(token).status_code == 200
    assert there.call_api(token[:-8] + "AAAAAAAA").status_code == 401


def test_a_key_that_nobody_made_is_asked_for_and_refused(workers, keys):
    here, there = workers
    token = here.ask_token().json["access_token"]
    header, claims = jose.decode_unverified(token)
    made_up = jose.sign({**header, "kid": "made up"}, claims, keys("ES256", "thief"))

    assert there.call_api(made_up).status_code == 401
    assert there.call_api(token).status_code == 200


def test_a_token_of_a_key_that_cannot_be_looked_for_is_not_refused_for_good(workers, monkeypatch):
    here, there = workers
    here.run("rotate", "--now")
    token = here.ask_token().json["access_token"]
    store = there.app.extensions["private_key_jwt"].server_keys._store

    def fail():
        raise StoreUnavailable("database: away")

    with monkeypatch.context() as patch:
        patch.setattr(store, "find_version", fail)
        assert there.call_api(token).status_code == 503

    assert there.call_api(token).status_code == 200


def test_introspection_knows_no_token_of_a_retired_key(workers):
    here, there = workers
    token = there.ask_token().json["access_token"]
    assert there.post("/oauth2/introspect", token=token).json["active"] is True

    here.run("retire", kid_of(token), "--yes")

    assert there.post("/oauth2/introspect", token=token).json == {"active": False}


def test_a_key_that_signs_at_once_does_so_on_every_worker(workers):
    here, there = workers
    before = there.signer()

    here.run("rotate", "--now")

    assert there.signer() != before
    assert there.signer() == here.signer()


def test_several_changes_in_one_second_are_all_seen(workers):
    here, there = workers
    for _ in range(3):
        leaked = there.signer()
        here.run("retire", leaked, "--yes")
        assert leaked not in (there.signer(), here.signer())
        assert leaked not in there.published()


def test_nothing_is_signed_while_the_newer_keys_cannot_be_read(workers, monkeypatch):
    here, there = workers
    leaked = there.signer()
    here.run("retire", leaked, "--yes")
    store = there.app.extensions["private_key_jwt"].server_keys._store

    def fail():
        raise StoreUnavailable("database: away")

    with monkeypatch.context() as patch:
        patch.setattr(store, "load", fail)
        refused = there.ask_token()

    assert refused.status_code == 503
    assert refused.json["error"] == "temporarily_unavailable"
    assert there.signer() != leaked


def test_the_jwks_is_served_while_the_database_is_away(workers, monkeypatch, caplog):
    there = workers[1]
    published = there.published()
    store = there.app.extensions["private_key_jwt"].server_keys._store

    def fail():
        raise StoreUnavailable("database: away")

    monkeypatch.setattr(store, "find_version", fail)

    assert there.published() == published
    assert "whether the signing keys have changed is not known: database: away" in caplog.text


# --- a read that is under way -----------------------------------------------------------------------------
@pytest.fixture
def store():
    return MemoryServerKeyStore()


@pytest.fixture
def server_keys(store):
    schedule = Schedule(announce=900, sign=3600, retire=900)
    return ServerKeys(store, Secrets((SECRET,)), alg="ES256", schedule=schedule, cache_seconds=60)


def test_keys_that_were_read_before_a_change_do_not_serve_after_it(server_keys, store):
    old = server_keys.current().signer
    server_keys.note_version(-1)  # so that the next request reads them

    def change_meanwhile() -> None:
        """Another process retires the key, and a request of this one sees that, after the rows were read."""
        store.change(replace(old, retired_at=old.created_at), "retired")
        server_keys.note_version(store.find_version())

    store.after_load = change_meanwhile
    reader = threading.Thread(target=server_keys.current)
    reader.start()
    reader.join()

    assert server_keys.current().signer.kid != old.kid


@pytest.mark.parametrize("seen", [0, 1, 7])
def test_an_unchanged_version_costs_no_read(server_keys, store, seen):
    server_keys.current()
    loads = store.loads

    for _ in range(seen):
        server_keys.note_version(store.find_version())
        server_keys.current()

    assert store.loads == loads


def test_a_stored_key_says_nothing_of_its_version_when_it_is_compared():
    key = StoredKey(1, "k", "ES256", "{}", "x", 1, 1)

    assert replace(key, version=1) == replace(key, version=2)
