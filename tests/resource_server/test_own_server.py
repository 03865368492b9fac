"""An API in the same app as its authorization server: no fetching, one replay store, one set of secrets."""

import pytest

from flask_private_key_jwt import ResourceProtector, current_token
from flask_private_key_jwt.authorization_server.state import State
from flask_private_key_jwt.database.batches import KEEP_ENDED_SECONDS
from flask_private_key_jwt.dpop.proof import access_token_hash
from flask_private_key_jwt.errors import ConfigurationError, StoreUnavailable
from flask_private_key_jwt.jose import jose
from tests.conftest import API, make_app
from tests.refusals import causes
from tests.resource_server.api_answers import INVALID_PROOF, INVALID_TOKEN, UNAVAILABLE


@pytest.fixture
def nothing_is_fetched(issuer):
    yield
    assert issuer.fetches == 0


@pytest.fixture
def combined(tmp_path, settings, nothing_is_fetched):
    app, oauth, db = make_app(f"sqlite:///{tmp_path}/both.sqlite", OAUTH2_RESOURCE=API, **settings)
    require_oauth = ResourceProtector()
    require_oauth.init_app(app)
    app.get("/any")(require_oauth("read")(lambda: {"client": current_token["client_id"]}))
    yield app, oauth
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def app(combined):
    return combined[0]


@pytest.fixture
def oauth(combined):
    return combined[1]


def test_a_bearer_token_of_the_own_server_is_accepted(app, ask_token):
    token = ask_token().json["access_token"]

    answer = app.test_client().get("/any", headers={"Authorization": f"Bearer {token}"})

    assert answer.json == {"client": "console"}


def test_a_bound_token_of_the_own_server_is_accepted_once_per_proof(app, ask_token, build_dpop, refusals):
    token = ask_token(proof=build_dpop()).json["access_token"]
    proof = build_dpop(htm="GET", htu=f"{API}/any", ath=access_token_hash(token))
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof}

    assert app.test_client().get("/any", headers=headers).status_code == 200
    assert app.test_client().get("/any", headers=headers).json == INVALID_PROOF
    assert causes(refusals) == ["proof_replayed"]


@pytest.mark.parametrize("settings", [{"OAUTH2_REPLAY_STORE": "sql"}])
def test_the_servers_own_database_remembers_the_proofs(app, ask_token, build_dpop):
    token = ask_token(proof=build_dpop()).json["access_token"]
    proof = build_dpop(htm="GET", htu=f"{API}/any", ath=access_token_hash(token))
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof}

    statuses = [app.test_client().get("/any", headers=headers).status_code for _ in range(2)]

    assert statuses == [200, 401]


def test_a_token_of_another_key_is_refused(app, ask_token, build_token, keys):
    ask_token()
    token = build_token(key=keys("ES256", "thief"))

    assert app.test_client().get("/any", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_keys_that_cannot_be_read_are_unavailable(app, ask_token, monkeypatch, refusals):
    def away(self):
        raise StoreUnavailable("the database is away")

    token = ask_token().json["access_token"]
    monkeypatch.setattr(State, "verification_keys", away)

    answer = app.test_client().get("/any", headers={"Authorization": f"Bearer {token}"})

    assert answer.json == UNAVAILABLE
    assert refusals == ["the database is away"]
    assert causes(refusals) == ["store_unavailable"]


@pytest.mark.parametrize("settings", [{"OAUTH2_DPOP_NONCE": "required"}])
def test_nonces_of_the_token_endpoint_do_not_pass_at_the_api(app, ask_token, build_dpop):
    as_nonce = ask_token(proof=build_dpop()).headers["DPoP-Nonce"]
    token = ask_token(proof=build_dpop(nonce=as_nonce)).json["access_token"]

    def ask(nonce):
        proof = build_dpop(htm="GET", htu=f"{API}/any", ath=access_token_hash(token), nonce=nonce)
        return app.test_client().get("/any", headers={"Authorization": f"DPoP {token}", "DPoP": proof})

    refused = ask(as_nonce)
    assert refused.json["error"] == "use_dpop_nonce"
    assert ask(refused.headers["DPoP-Nonce"]).status_code == 200


# --- what was revoked ---------------------------------------------------------------------------------------------
GONE = "the token was revoked, or its client is removed or disabled"


@pytest.fixture
def call(app):
    return lambda token: app.test_client().get("/any", headers={"Authorization": f"Bearer {token}"}).status_code


@pytest.mark.parametrize(
    "end",
    [
        lambda oauth, claims: oauth.revoke_token(claims["jti"]),
        lambda oauth, claims: oauth.revoke(client_id="console"),
        lambda oauth, claims: oauth.revoke(subject="console"),
        lambda oauth, claims: oauth.revoke(subject="console", client_id="console"),
        lambda oauth, claims: oauth.clients.disable("console"),
        lambda oauth, claims: oauth.clients.remove("console"),
    ],
    ids=["token", "client", "subject", "both", "disabled", "removed"],
)
def test_a_token_that_was_revoked_is_refused_at_once(end, app, oauth, ask_token, call, refusals):
    token = ask_token().json["access_token"]
    assert call(token) == 200

    with app.app_context():
        end(oauth, jose.decode_unverified(token)[1])

    assert call(token) == 401
    assert causes(refusals) == ["token_revoked"]


def test_a_token_that_its_client_revoked_is_refused_at_once(ask_token, revoke, call, refusals):
    token, another = (ask_token().json["access_token"] for _ in range(2))
    assert revoke(token).status_code == 200

    assert call(token) == 401
    assert call(another) == 200
    assert causes(refusals) == ["token_revoked"]


def test_revocation_outlives_the_allowance_for_other_clocks(app, ask_token, revoke, call, clock):
    token = ask_token().json["access_token"]
    revoke(token)
    clock.move(605 + KEEP_ENDED_SECONDS)
    with app.app_context():
        app.extensions["private_key_jwt"].revocations.purge()
    clock.move(-KEEP_ENDED_SECONDS)  # expired, but an API allows ten seconds

    assert call(token) == 401


def test_revocation_outlives_a_purge_by_a_machine_whose_clock_is_ahead(app, ask_token, revoke, call, clock, refusals):
    token = ask_token().json["access_token"]
    revoke(token)
    clock.move(619 + KEEP_ENDED_SECONDS)
    with app.app_context():
        app.extensions["private_key_jwt"].revocations.purge()
    clock.move(-10 - KEEP_ENDED_SECONDS)  # the API's own clock

    assert call(token) == 401
    assert causes(refusals) == ["token_revoked"]


def test_revocations_without_their_table_are_unavailable(app, oauth, combined, ask_token, call, refusals):
    token = ask_token().json["access_token"]
    with app.app_context():
        oauth._tables.granted.revocation.drop(oauth._db.engine)

    assert call(token) == 503
    [reason] = refusals
    assert reason.startswith("database: OperationalError 'no such table: oauth2_revocation'")


# --- online=True: asked at home ---------------------------------------------------------------------------
@pytest.fixture
def ask_online(app, ask_token):
    app.get("/online", endpoint="online")(
        ResourceProtector()("read", online=True)(lambda: {"client": current_token["client_id"]})
    )
    token = ask_token().json["access_token"]
    return lambda: app.test_client().get("/online", headers={"Authorization": f"Bearer {token}"})


def test_the_own_server_is_asked_without_being_called(ask_online, monkeypatch, refusals):
    assert ask_online().json == {"client": "console"}

    monkeypatch.setattr(State, "is_revoked", lambda self, claims: True)
    assert ask_online().json == INVALID_TOKEN
    assert causes(refusals) == ["token_revoked"]


def test_revocations_that_cannot_be_read_are_unavailable(ask_online, monkeypatch, refusals):
    def away(self, claims):
        raise StoreUnavailable("the database is away")

    monkeypatch.setattr(State, "is_revoked", away)

    assert ask_online().json == UNAVAILABLE
    assert refusals == ["the database is away"]
    assert causes(refusals) == ["store_unavailable"]


def test_an_api_whose_view_asks_needs_no_key_beside_its_own_server(tmp_path):
    app, _, _ = make_app(f"sqlite:///{tmp_path}/both.sqlite", OAUTH2_RESOURCE=API)
    require_oauth = ResourceProtector()
    app.get("/")(require_oauth(online=True)(lambda: "in"))

    require_oauth.init_app(app)


def test_beside_the_server_of_another_issuer_it_does(tmp_path):
    app, _, _ = make_app(f"sqlite:///{tmp_path}/both.sqlite", OAUTH2_RESOURCE=API)
    app.config["OAUTH2_ISSUER"] = "https://other.example"
    require_oauth = ResourceProtector()
    app.get("/")(require_oauth(online=True)(lambda: "in"))

    with pytest.raises(ConfigurationError, match="OAUTH2_CLIENT_ID"):
        require_oauth.init_app(app)
