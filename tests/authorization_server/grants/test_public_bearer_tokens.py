"""Public clients without DPoP, where OAUTH2_PUBLIC_BEARER_TOKENS lets them in: what their tokens may do."""

from dataclasses import replace

import pytest
from sqlalchemy import select, update

from flask_private_key_jwt.authorization_server.registration.metadata import describe_client
from flask_private_key_jwt.authorization_server.tokens.refresh_token import BEARER_RETRY_SECONDS, RefreshTokens
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.settings.reading import read
from flask_private_key_jwt.settings.server import ServerSettings
from tests.authorization_server.conftest import VERIFIER, Browser, build_request
from tests.conftest import API, ISSUER, close, make_app
from tests.refusals import causes

OTHER_API = "https://other-api.example"
REDIRECT_URI = "http://127.0.0.1:4/callback"
ON = {
    "OAUTH2_PUBLIC_BEARER_TOKENS": True,
    "OAUTH2_RESOURCES": [API, OTHER_API],
    "OAUTH2_ACCESS_TOKEN_LIFETIME_SECONDS": 3600,
}
INVALID_GRANT = "invalid_grant"


@pytest.fixture
def settings():
    return ON


@pytest.fixture
def flow(app, native, post):
    """Sign in as the public client: ``flow(proof=…, resource=…, asked=…)`` gives the answer of the token endpoint."""
    browser = Browser(app).sign_in()

    def get_code(**asked):
        page = browser.open(build_request(client_id="native", redirect_uri=REDIRECT_URI, **asked))
        return browser.decide(page).headers["Location"].partition("code=")[2].partition("&")[0]

    def flow(*, code=None, proof=None, asked=None, **form):
        fields = {"grant_type": "authorization_code", "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER, **form}
        code = code or get_code(**(asked or {}))
        return post("/oauth2/token", assertion=False, client_id="native", proof=proof, code=code, **fields)

    flow.get_code = get_code
    return flow


@pytest.fixture
def again(post):
    """Use a refresh token, with one thing changed."""

    def again(token, *, proof=None, client_id="native", **form):
        fields = {"grant_type": "refresh_token", "refresh_token": token, **form}
        return post("/oauth2/token", assertion=False, client_id=client_id, proof=proof, **fields)

    return again


def claims_of(answer):
    assert answer.status_code == 200, answer.json
    return jose.decode_unverified(answer.json["access_token"])[1]


def turn_off(app):
    """As if the server was started again without the setting."""
    state = app.extensions["private_key_jwt"]
    off = replace(state.settings, PUBLIC_BEARER_TOKENS=False)
    state.server.dpop._settings = state.server.token_maker._settings = state.server.refresh_tokens._settings = off


# --- who gets one -----------------------------------------------------------------------------------------------
def test_public_client_without_a_proof_gets_a_bearer_token(flow):
    answer = flow()

    assert (answer.json["token_type"], "cnf" in claims_of(answer)) == ("Bearer", False)


@pytest.mark.parametrize("settings", [{}])
def test_public_client_without_a_proof_gets_nothing_where_the_setting_is_off(settings, flow, refusals, build_dpop):
    code = flow.get_code()

    assert flow(code=code).json["error"] == "invalid_request"
    assert causes(refusals) == ["proof_missing"]
    assert flow(code=code, proof=build_dpop()).json["token_type"] == "DPoP"


def test_public_client_with_a_proof_gets_bound_tokens(flow, again, build_dpop, keys, refusals):
    answer = flow(proof=build_dpop())
    refresh_token = answer.json["refresh_token"]

    assert (answer.json["token_type"], answer.json["expires_in"]) == ("DPoP", 3600)
    assert "cnf" in claims_of(answer)
    assert again(refresh_token).json["error"] == "invalid_request"
    assert again(refresh_token, proof=build_dpop(key=keys("ES256", "thief"))).json["error"] == INVALID_GRANT
    assert causes(refusals) == ["proof_missing_for_grant", "refresh_token_key_mismatch"]
    assert again(refresh_token, proof=build_dpop()).json["token_type"] == "DPoP"


def test_client_that_registers_for_bound_tokens_gets_no_others(app, oauth, flow, build_dpop, refusals):
    with app.app_context():
        oauth.clients.update("native", {"dpop_bound_access_tokens": True})
    code = flow.get_code()

    assert flow(code=code).json["error"] == "invalid_request"
    assert causes(refusals) == ["proof_missing"]
    assert flow(code=code, proof=build_dpop()).status_code == 200


def test_registration_says_whether_the_tokens_are_bound(app, oauth, native):
    with app.app_context():
        assert describe_client(oauth.clients.get("native"))["dpop_bound_access_tokens"] is False
        oauth.clients.update("native", {"dpop_bound_access_tokens": True})
        assert describe_client(oauth.clients.get("native"))["dpop_bound_access_tokens"] is True
        oauth.clients.update("native", {"dpop_bound_access_tokens": False, "client_name": "Native"})
        assert describe_client(oauth.clients.get("native"))["dpop_bound_access_tokens"] is False


def test_worker_of_an_older_version_takes_the_client_for_a_bound_one(server, native):
    app, oauth, db = server
    with app.app_context():
        assert db.session.scalar(select(oauth.Client.dpop_bound_access_tokens).filter_by(client_id="native")) is True


@pytest.mark.parametrize("settings", [{**ON, "OAUTH2_DPOP_REQUIRED": True}])
def test_server_that_requires_bound_tokens_gives_no_others(settings, flow, refusals):
    assert flow().json["error"] == "invalid_request"
    assert causes(refusals) == ["proof_missing"]


# --- how long, and where ----------------------------------------------------------------------------------------
def test_bearer_token_of_a_public_client_lives_ten_minutes_at_most(flow, build_dpop):
    answer = flow()
    claims = claims_of(answer)

    assert (answer.json["expires_in"], claims["exp"] - claims["iat"]) == (600, 600)
    assert flow(proof=build_dpop()).json["expires_in"] == 3600


@pytest.mark.parametrize("settings", [{**ON, "OAUTH2_ACCESS_TOKEN_LIFETIME_SECONDS": 60}])
def test_shorter_life_is_kept(settings, flow):
    assert flow().json["expires_in"] == 60


def test_bearer_token_of_a_public_client_is_for_one_resource(flow, build_dpop, refusals):
    both = {"resource": [API, OTHER_API]}
    code = flow.get_code(**both)

    assert flow(code=code).json["error"] == "invalid_target"
    assert flow(code=code, **both).json["error"] == "invalid_target"
    assert causes(refusals) == ["resource_not_single"] * 2
    assert claims_of(flow(code=code, resource=OTHER_API))["aud"] == OTHER_API  # nothing was spent before
    assert claims_of(flow(proof=build_dpop(), asked=both))["aud"] == [API, OTHER_API]


def test_refresh_token_stays_with_the_resource_of_the_first_token(flow, again, refusals):
    answer = flow(asked={"resource": [API, OTHER_API]}, resource=OTHER_API)
    refreshed = again(answer.json["refresh_token"])

    assert claims_of(refreshed)["aud"] == OTHER_API
    assert again(refreshed.json["refresh_token"], resource=API).json["error"] == "invalid_target"
    assert causes(refusals) == ["resource_not_granted"]
    assert claims_of(again(refreshed.json["refresh_token"], resource=OTHER_API))["aud"] == OTHER_API


def test_bound_refresh_token_is_for_all_that_was_granted(flow, again, build_dpop):
    answer = flow(proof=build_dpop(), asked={"resource": [API, OTHER_API]}, resource=OTHER_API)

    assert claims_of(again(answer.json["refresh_token"], proof=build_dpop()))["aud"] == [API, OTHER_API]


def test_bearer_token_of_a_public_client_is_not_for_userinfo(app, oauth, flow, build_dpop):
    with app.app_context():
        oauth.clients.update("native", {"scope": "openid read"})
    bearer = flow(asked={"scope": "openid read"})
    bound = flow(asked={"scope": "openid read"}, proof=build_dpop())

    assert (claims_of(bearer)["aud"], claims_of(bound)["aud"]) == (API, [API, ISSUER])
    assert "id_token" in bearer.json
    header = {"Authorization": f"Bearer {bearer.json['access_token']}"}
    assert app.test_client().get("/oauth2/userinfo", headers=header).status_code == 401


# --- refresh tokens that were stolen ----------------------------------------------------------------------------
def test_bearer_refresh_token_is_replaced_at_each_use_and_reuse_ends_the_grant(flow, again, clock, refusals):
    first = flow().json["refresh_token"]
    second = again(first).json["refresh_token"]
    clock.move(61)  # the owner of the first one had time to try again

    assert again(first).json["error"] == INVALID_GRANT
    assert again(second).json["error"] == INVALID_GRANT
    assert causes(refusals) == ["refresh_token_reused", "refresh_token_unknown"]


def test_stolen_refresh_token_that_the_thief_uses_first_ends_with_the_owners_next_use(flow, again, clock, refusals):
    stolen = flow().json["refresh_token"]
    thiefs = again(stolen).json["refresh_token"]
    clock.move(600)

    assert again(stolen).json["error"] == INVALID_GRANT
    assert again(thiefs).json["error"] == INVALID_GRANT
    assert causes(refusals) == ["refresh_token_reused", "refresh_token_unknown"]


@pytest.mark.parametrize("seconds", [BEARER_RETRY_SECONDS - 1, BEARER_RETRY_SECONDS])
def test_refresh_token_that_is_bound_to_no_key_may_be_retried_for_a_short_time_only(
    seconds, flow, again, clock, refusals
):
    first = flow().json["refresh_token"]
    second = again(first).json["refresh_token"]
    clock.move(seconds)
    retried = again(first)

    if seconds < BEARER_RETRY_SECONDS:
        assert retried.json["refresh_token"] == second
        assert again(second).status_code == 200
    else:
        assert retried.json["error"] == INVALID_GRANT
        assert again(second).json["error"] == INVALID_GRANT
        assert causes(refusals) == ["refresh_token_reused", "refresh_token_unknown"]


def test_refresh_token_that_is_bound_to_a_key_may_be_retried_for_longer(flow, again, build_dpop, clock, refusals):
    first = flow(proof=build_dpop()).json["refresh_token"]
    second = again(first, proof=build_dpop()).json["refresh_token"]
    clock.move(59)
    assert again(first, proof=build_dpop()).json["refresh_token"] == second

    clock.move(1)
    assert again(first, proof=build_dpop()).json["error"] == INVALID_GRANT
    assert causes(refusals) == ["refresh_token_reused"]


def test_two_who_share_a_refresh_token_are_noticed_as_soon_as_one_is_ahead(flow, again, refusals):
    shared = flow().json["refresh_token"]
    owners, thiefs = again(shared).json["refresh_token"], again(shared).json["refresh_token"]
    assert owners == thiefs
    last = again(owners).json["refresh_token"]

    assert again(shared).json["error"] == INVALID_GRANT  # at once: the answer to the first use has arrived
    assert again(last).json["error"] == INVALID_GRANT
    assert causes(refusals) == ["refresh_token_reused", "refresh_token_unknown"]


def test_stolen_refresh_token_is_of_no_use_to_another_client(flow, again, register, refusals):
    register(
        client_id="other",
        token_endpoint_auth_method="none",
        grant_types=["authorization_code", "refresh_token"],
        redirect_uris=["http://127.0.0.1/"],
        scope="read",
    )
    stolen = flow().json["refresh_token"]

    assert again(stolen, client_id="other").json["error"] == INVALID_GRANT
    assert causes(refusals) == ["refresh_token_foreign"]
    assert again(stolen).status_code == 200


def test_refresh_token_is_bound_when_its_client_shows_a_key(flow, again, build_dpop, keys, refusals):
    first = flow().json["refresh_token"]
    bound = again(first, proof=build_dpop())

    assert bound.json["token_type"] == "DPoP"
    assert again(bound.json["refresh_token"]).json["error"] == "invalid_request"
    assert again(bound.json["refresh_token"], proof=build_dpop(key=keys("ES256", "thief"))).status_code == 400
    assert causes(refusals) == ["proof_missing_for_grant", "refresh_token_key_mismatch"]
    assert again(bound.json["refresh_token"], proof=build_dpop()).status_code == 200


def test_thief_who_binds_the_successor_to_a_key_is_noticed_at_the_owners_next_use(flow, again, build_dpop, refusals):
    stolen = flow().json["refresh_token"]
    thiefs = again(stolen, proof=build_dpop()).json["refresh_token"]

    assert again(stolen).json["error"] == INVALID_GRANT  # at once, when the owner might be trying again
    assert again(thiefs, proof=build_dpop()).json["error"] == INVALID_GRANT
    assert causes(refusals) == ["refresh_token_reused", "refresh_token_unknown"]


def test_so_is_one_with_another_key(flow, again, build_dpop, keys, refusals):
    stolen = flow().json["refresh_token"]
    again(stolen, proof=build_dpop(key=keys("ES256", "thief")))

    assert again(stolen, proof=build_dpop()).json["error"] == INVALID_GRANT
    assert causes(refusals) == ["refresh_token_reused"]


def test_two_parties_at_once_are_noticed_too(flow, again, build_dpop, monkeypatch, refusals):
    stolen = flow().json["refresh_token"]
    load = RefreshTokens.load

    def load_and_let_the_thief_be_first(*arguments):
        stored = load(*arguments)
        monkeypatch.setattr(RefreshTokens, "load", load)
        thiefs.append(again(stolen, proof=build_dpop()).json["refresh_token"])
        return stored

    thiefs: list[str] = []
    monkeypatch.setattr(RefreshTokens, "load", load_and_let_the_thief_be_first)

    assert again(stolen).json["error"] == INVALID_GRANT
    assert again(thiefs[0], proof=build_dpop()).json["error"] == INVALID_GRANT
    assert causes(refusals) == ["refresh_token_reused", "refresh_token_unknown"]


@pytest.mark.parametrize("shows_a_key", [False, True])
def test_owner_who_did_not_get_the_answer_gets_the_same_one(shows_a_key, flow, again, build_dpop):
    first = flow().json["refresh_token"]
    second, retried = (again(first, proof=build_dpop() if shows_a_key else None) for _ in range(2))

    assert second.json["refresh_token"] == retried.json["refresh_token"]
    assert second.json["token_type"] == retried.json["token_type"] == ("DPoP" if shows_a_key else "Bearer")


# --- the setting changes ----------------------------------------------------------------------------------------
def test_refresh_tokens_that_anybody_could_use_end_when_the_setting_is_switched_off(
    app, flow, again, build_dpop, refusals
):
    token, bound = flow().json["refresh_token"], flow(proof=build_dpop()).json["refresh_token"]
    code = flow.get_code()
    turn_off(app)

    assert again(token).json["error"] == "invalid_request"
    assert again(token, proof=build_dpop()).json["error"] == INVALID_GRANT
    assert flow(code=code).json["error"] == "invalid_request"
    assert causes(refusals) == ["proof_missing", "refresh_token_unbound", "proof_missing"]
    assert again(bound, proof=build_dpop()).status_code == 200


def test_refresh_token_of_a_client_that_had_to_authenticate_is_none_for_everybody(
    app, oauth, get_code, redeem, again, webapp, refusals
):
    token = redeem(get_code()).json["refresh_token"]
    with app.app_context():
        oauth.clients.update("webapp", {"jwks": None, "token_endpoint_auth_method": "none"})

    assert again(token, client_id="webapp").json["error"] == INVALID_GRANT
    assert causes(refusals) == ["refresh_token_unbound"]


def test_worker_of_an_older_version_finds_a_key_that_nobody_has(server, flow, again, build_dpop, refusals):
    app, _, db = server
    token, table = flow().json["refresh_token"], db.metadata.tables["oauth2_refresh_token"]
    with app.app_context():
        assert db.session.scalars(select(table.c.dpop_jkt)).all() == ["bearer"]
        db.session.execute(update(table).values(dpop_jkt="bearer."))  # what an older version compares with a thumbprint
        db.session.commit()

    assert again(token, proof=build_dpop()).json["error"] == INVALID_GRANT
    assert causes(refusals) == ["refresh_token_key_mismatch"]


def test_setting_needs_the_replacement_of_refresh_tokens():
    given = {"OAUTH2_ISSUER": ISSUER, "OAUTH2_PUBLIC_BEARER_TOKENS": True}

    assert read({**given, "OAUTH2_REFRESH_TOKEN_ROTATION": "all"}, ServerSettings)
    with pytest.raises(ConfigurationError, match="needs OAUTH2_REFRESH_TOKEN_ROTATION"):
        read({**given, "OAUTH2_REFRESH_TOKEN_ROTATION": "off"}, ServerSettings)


@pytest.mark.parametrize("on", [True, False])
def test_setting_is_warned_about_at_the_start(on, tmp_path, caplog):
    app, _, db = make_app(f"sqlite:///{tmp_path}/warned.sqlite", OAUTH2_PUBLIC_BEARER_TOKENS=on)
    close(app, db)

    assert ("whoever steals a token of a public client can use it" in caplog.text) == on
