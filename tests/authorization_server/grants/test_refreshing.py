"""Refresh tokens: which client may use them, how long they last, when they are replaced."""

from dataclasses import replace
from hashlib import sha256

import pytest
from sqlalchemy import func, select

from flask_private_key_jwt.authorization_server.stores.granted import Granted
from flask_private_key_jwt.authorization_server.stores.revocation_names import grant_name
from flask_private_key_jwt.authorization_server.stores.sql import refresh_tokens as sqlalchemy_refresh_tokens
from flask_private_key_jwt.authorization_server.stores.sql import revocations as sqlalchemy_revocations
from flask_private_key_jwt.errors import InvalidScope
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.derived import Secrets
from tests.authorization_server.conftest import APP_ID, PATH, Browser, answer_in, build_request
from tests.conftest import INVALID_CLIENT, SECRET
from tests.refusals import causes

INVALID_GRANT = {"error": "invalid_grant", "error_description": "The grant is invalid, expired or revoked."}
DAY = 86400


@pytest.fixture
def token(get_code, redeem):
    return redeem(get_code(scope="read write")).json["refresh_token"]


# --- confidential clients -------------------------------------------------------------------------------------
def test_token_of_a_confidential_client_stays(token, refresh):
    for _ in range(3):
        answer = refresh(token)
        assert (answer.status_code, answer.json["scope"]) == (200, "read write")
        assert "refresh_token" not in answer.json
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("scope", "error"),
    [("read", None), ("write read", None), ("admin", "invalid_scope"), ("read admin", "invalid_scope")],
)
def test_scope_is_a_part_of_what_was_granted(scope, error, token, refresh):
    answer = refresh(token, scope=scope)

    assert answer.json.get("error") == error
    assert answer.json.get("scope") == (None if error else scope)
    assert refresh(token).json["scope"] == "read write"


def test_scope_that_was_not_asked_for_at_first_is_refused(get_code, redeem, refresh, refusals):
    narrow = redeem(get_code(scope="read")).json["refresh_token"]

    assert refresh(narrow, scope="write").json["error"] == "invalid_scope"
    assert refusals == ["scope 'write' was not granted"]
    assert causes(refusals) == ["scope_not_granted"]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"refresh_token": "x"}, "refresh_token_unknown"),
        ({"owner": "other"}, "refresh_token_foreign"),
    ],
)
def test_wrong_token_is_refused(change, cause, token, refresh, register, client_key, refusals):
    register(
        client_id="other",
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code", "refresh_token"],
        redirect_uris=["https://other.example/"],
        scope="read write",
    )

    answer = refresh(**{"token": token, **change})

    assert (answer.status_code, answer.json, causes(refusals)) == (400, INVALID_GRANT, [cause])
    assert refresh(token).status_code == 200


def test_client_has_to_authenticate(token, refresh, refusals):
    assert refresh(token, assertion=False, client_id=APP_ID).json == INVALID_CLIENT
    assert causes(refusals) == ["assertion_missing"]


def test_bound_grant_never_yields_a_bearer_token(get_code, redeem, refresh, build_dpop, refusals):
    bound = redeem(get_code(), proof=build_dpop()).json["refresh_token"]

    assert refresh(bound).json["error"] == "invalid_request"
    assert causes(refusals) == ["proof_missing_for_grant"]
    assert refresh(bound, proof=build_dpop()).json["token_type"] == "DPoP"


def test_token_ends_when_nobody_uses_it(token, refresh, clock):
    clock.move(30 * DAY - 1)
    assert refresh(token).status_code == 200
    clock.move(30 * DAY)

    assert refresh(token).json == INVALID_GRANT


def test_token_ends_even_when_it_is_used(token, refresh, clock):
    for days in (29, 29, 29):
        clock.move(days * DAY)
        assert refresh(token).status_code == 200
    clock.move(3 * DAY - 1)
    assert refresh(token).status_code == 200
    clock.move(1)

    assert refresh(token).json == INVALID_GRANT


def test_token_ends_with_its_client(app, oauth, token, refresh, webapp, register, client_key):
    with app.app_context():
        oauth.clients.remove(APP_ID)
    register(
        client_id=APP_ID,
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code", "refresh_token"],
        redirect_uris=["https://app.example/"],
        scope="read write",
    )

    assert refresh(token).json == INVALID_GRANT


@pytest.mark.parametrize(
    "whose", [{"subject": "alice"}, {"client_id": APP_ID}, {"subject": "alice", "client_id": APP_ID}]
)
def test_token_is_revoked_with_the_person_or_the_client(whose, app, oauth, token, refresh):
    with app.app_context():
        assert oauth.revoke(subject="Alice") == 0
        assert oauth.revoke(**whose) == 1

    assert refresh(token).json == INVALID_GRANT


def test_more_grants_and_consents_than_one_statement_takes_are_revoked(
    app, oauth, webapp, redeem, refresh, monkeypatch
):
    monkeypatch.setattr(sqlalchemy_refresh_tokens, "CHUNK", 2)
    tokens = []
    for name in ("alice", "bob", "carol", "dora", "eve"):
        browser = Browser(app).sign_in(name)
        code = answer_in(browser.decide(browser.open(build_request())))["code"]
        tokens.append(redeem(code).json["refresh_token"])

    with app.app_context():
        assert oauth.revoke(client_id=APP_ID) == 5

    assert [refresh(token).json for token in tokens] == [INVALID_GRANT] * 5
    assert browser.open(build_request()).status_code == 200  # asked anew


def test_access_tokens_end_with_the_client(app, oauth, webapp, redeem, monkeypatch):
    monkeypatch.setattr(sqlalchemy_revocations, "CHUNK", 2)
    grants = []
    for name in ("alice", "bob", "carol"):
        browser = Browser(app).sign_in(name)
        code = answer_in(browser.decide(browser.open(build_request())))["code"]
        grants.append(jose.decode_unverified(redeem(code).json["access_token"])[1]["grant_id"])
    state = app.extensions["private_key_jwt"]

    def find_revoked():
        return [state.revocations.covers([grant_name(grant_id)], issued_at=4_000_000_000) for grant_id in grants]

    with app.app_context():
        granted = Granted(grants[1], APP_ID, "bob", ("read",), ())
        state.server.revocations.revoke_grant(granted, because="client")  # before, so that it must not be in the way
        assert find_revoked() == [False, True, False]
        oauth.clients.remove(APP_ID)
        assert find_revoked() == [True] * 3


def test_refusal_of_the_token_policy_replaces_nothing(oauth, token, refresh):
    refuse = True

    @oauth.token_policy
    def policy(client, request, grant):
        if refuse:
            raise InvalidScope("not now")

    assert refresh(token).status_code == 400
    refuse = False
    assert refresh(token).status_code == 200


PUBLIC = {"jwks": None, "token_endpoint_auth_method": "none", "dpop_bound_access_tokens": True}


def test_token_that_is_bound_to_no_key_ends_when_its_client_becomes_public(
    app, oauth, token, refresh, build_dpop, refusals
):
    """It was given out while the client had to authenticate: whoever finds it could use it now."""
    with app.app_context():
        oauth.clients.update(APP_ID, PUBLIC)

    answer = refresh(token, assertion=False, client_id=APP_ID, proof=build_dpop())

    assert answer.json == INVALID_GRANT
    assert causes(refusals) == ["refresh_token_unbound"]


def test_token_that_is_bound_to_a_key_stays_when_its_client_gets_keys(app, oauth, public, client_key, post, build_dpop):
    first = public().json["refresh_token"]
    with app.app_context():
        keys = {"jwks": {"keys": [client_key.public_jwk()]}, "token_endpoint_auth_method": "private_key_jwt"}
        oauth.clients.update("native", keys)
    form = {"owner": "native", "grant_type": "refresh_token", "refresh_token": first}

    assert post("/oauth2/token", proof=build_dpop(), **form).status_code == 200


# --- who gets one ---------------------------------------------------------------------------------------------
def test_client_that_is_not_registered_for_it_gets_none(app, oauth, get_code, redeem, webapp):
    with app.app_context():
        oauth.clients.update(APP_ID, {"grant_types": ["authorization_code"]})

    assert "refresh_token" not in redeem(get_code()).json


@pytest.mark.parametrize(("scope", "gets_one"), [("read", False), ("read offline_access", True)])
def test_client_with_offline_access_gets_one_for_it_only(scope, gets_one, app, oauth, get_code, redeem, webapp):
    with app.app_context():
        oauth.clients.update(APP_ID, {"scope": "read offline_access"})

    assert ("refresh_token" in redeem(get_code(scope=scope)).json) == gets_one


@pytest.fixture
def count_tokens(server):
    """How many refresh tokens there are."""
    app, _, db = server
    table = db.metadata.tables["oauth2_refresh_token"]

    def count():
        with app.app_context():
            return db.session.scalar(select(func.count()).select_from(table))

    return count


# --- public clients ---------------------------------------------------------------------------------------------
@pytest.fixture
def public(app, native, post, build_dpop):
    """Refresh as the public client: ``public(token, proof=…)``; without a token, get the first one."""
    browser, redirect_uri = Browser(app).sign_in(), "http://127.0.0.1:4/callback"

    def ask(token=None, *, proof=None, **form):
        if token is None:
            page = browser.open(build_request(client_id="native", redirect_uri=redirect_uri))
            code = browser.decide(page).headers["Location"].partition("code=")[2].partition("&")[0]
            grant = {"code": code, "redirect_uri": redirect_uri, "code_verifier": "v" * 43}
            form = {"grant_type": "authorization_code", **grant, **form}
        else:
            form = {"grant_type": "refresh_token", "refresh_token": token, **form}
        return post("/oauth2/token", assertion=False, client_id="native", proof=proof or build_dpop(), **form)

    return ask


def test_token_of_a_public_client_is_replaced_at_each_use(public):
    first = public().json["refresh_token"]
    second = public(first).json["refresh_token"]
    third = public(second).json["refresh_token"]

    assert len({first, second, third}) == 3


def test_retries_of_a_replaced_token_get_the_same_successor(public, clock):
    """RFC 9700 §4.14.2: of a client that did not get the answer, not two chains of tokens."""
    first = public().json["refresh_token"]
    second = public(first)
    clock.move(30)
    third = public(first)
    clock.move(29)
    fourth = public(first)

    assert {second.json["refresh_token"], third.json["refresh_token"]} == {fourth.json["refresh_token"]}
    assert len({answer.json["access_token"] for answer in (second, third, fourth)}) == 3
    assert public(fourth.json["refresh_token"]).status_code == 200


@pytest.mark.parametrize("use", ["token", "retried"])
def test_use_of_the_successor_ends_the_while(use, public, refusals):
    first = public().json["refresh_token"]
    second = public(first).json["refresh_token"]
    if use == "retried":
        assert public(first).json["refresh_token"] == second
    third = public(second).json["refresh_token"]

    assert public(first).json == INVALID_GRANT
    assert causes(refusals) == ["refresh_token_reused"]
    assert public(third).json == INVALID_GRANT


def test_successor_may_be_retried_as_its_predecessor_was(public):
    first = public().json["refresh_token"]
    second = public(first).json["refresh_token"]

    assert public(second).json["refresh_token"] == public(second).json["refresh_token"]


@pytest.mark.parametrize(("seconds", "error"), [(59, None), (60, "invalid_grant")])
def test_replaced_token_revokes_the_grant_after_a_while(seconds, error, public, clock, refusals):
    first = public().json["refresh_token"]
    second = public(first).json["refresh_token"]
    clock.move(seconds)

    assert public(first).json.get("error") == error
    assert public(second).json.get("error") == error
    assert causes(refusals) == (["refresh_token_reused", "refresh_token_unknown"] if error else [])


@pytest.mark.parametrize("who", ["another key", "another client", "no proof"])
def test_retry_of_somebody_else_is_refused_and_revokes_nothing(who, public, build_dpop, keys, register, post, refusals):
    register(
        client_id="thief",
        token_endpoint_auth_method="none",
        application_type="native",
        grant_types=["authorization_code", "refresh_token"],
        redirect_uris=["http://127.0.0.1/"],
        scope="read",
    )
    first = public().json["refresh_token"]
    second = public(first).json["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": first, "client_id": "native", "proof": build_dpop()}
    changes = {
        "another key": {"proof": build_dpop(key=keys("ES256", "another"))},
        "another client": {"client_id": "thief"},
        "no proof": {"proof": None},
    }

    answer = post("/oauth2/token", assertion=False, **{**form, **changes[who]})

    assert answer.status_code == 400
    assert "refresh_token" not in answer.json
    assert len(refusals) == 1
    assert public(first).json["refresh_token"] == second


def test_retries_leave_one_row_and_nothing_that_can_be_used(public, tmp_path, count_tokens):
    first = public().json["refresh_token"]
    second = public(first).json["refresh_token"]
    for _ in range(3):
        public(first)

    assert count_tokens() == 2
    written = b"".join(path.read_bytes() for path in tmp_path.glob("as.sqlite*"))
    assert sha256(second.encode()).digest() in written
    assert second.encode() not in written


OTHER_SECRET = "another secret for tests only, long too"


@pytest.mark.parametrize(
    ("secrets", "gets_it"), [((OTHER_SECRET, SECRET), True), ((SECRET, OTHER_SECRET), True), ((OTHER_SECRET,), False)]
)
def test_successor_is_the_same_after_the_secrets_changed(secrets, gets_it, app, public, refusals):
    first = public().json["refresh_token"]
    second = public(first).json["refresh_token"]
    tokens = app.extensions["private_key_jwt"].server.refresh_tokens
    tokens._secrets = Secrets(secrets)
    tokens.__dict__.pop("_keys", None)

    if gets_it:
        assert public(first).json["refresh_token"] == second
    else:
        assert public(first).json == INVALID_GRANT
        assert causes(refusals) == ["refresh_token_successor"]
    assert public(second).status_code == 200


def test_token_that_is_revoked_while_it_is_replaced_has_no_successor(app, oauth, public, refusals, count_tokens):
    """A revocation that comes between the look and the use."""
    first = public().json["refresh_token"]

    @oauth.token_policy
    def revoke(client, request, grant):
        oauth.revoke(subject="alice")

    assert public(first).json == INVALID_GRANT
    assert causes(refusals) == ["refresh_token_successor"]
    assert count_tokens() == 0


@pytest.mark.parametrize("settings", [{"OAUTH2_REFRESH_TOKEN_ROTATION": "all"}])
def test_replaced_token_keeps_its_successor_when_rotation_ends(app, token, refresh):
    second = refresh(token).json["refresh_token"]
    tokens = app.extensions["private_key_jwt"].server.refresh_tokens
    tokens._settings = replace(tokens._settings, REFRESH_TOKEN_ROTATION="off")

    assert refresh(token).json["refresh_token"] == second
    assert "refresh_token" not in refresh(second).json


def test_replaced_token_with_another_key_revokes_nothing(public, clock, build_dpop, keys):
    first = public().json["refresh_token"]
    second = public(first).json["refresh_token"]
    clock.move(61)

    assert public(first, proof=build_dpop(key=keys("ES256", "another"))).json == INVALID_GRANT
    assert public(second).status_code == 200


def test_replacing_does_not_make_it_last_longer(public, clock):
    token = public().json["refresh_token"]
    for days in (29, 29, 29):
        clock.move(days * DAY)
        token = public(token).json["refresh_token"]
    clock.move(3 * DAY)

    assert public(token).json == INVALID_GRANT


@pytest.mark.parametrize("settings", [{"OAUTH2_REFRESH_TOKEN_ROTATION": "off"}])
def test_rotation_may_be_off(public):
    first = public().json["refresh_token"]

    assert "refresh_token" not in public(first).json


@pytest.mark.parametrize("settings", [{"OAUTH2_REFRESH_TOKEN_ROTATION": "all"}])
def test_rotation_may_be_on_for_all(token, refresh):
    assert refresh(token).json["refresh_token"] != token


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_secret": "x"}, "invalid_request"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"grant_type": "client_credentials"}, "unauthorized_client"),
        ({"client_assertion_type": "x"}, "invalid_request"),
        ({"client_assertion": "x"}, "invalid_client"),
    ],
)
def test_public_client_only_says_who_it_is(form, error, app, native, build_dpop):
    fields = {"grant_type": "refresh_token", "client_id": "native", "refresh_token": "x", **form}

    answer = app.test_client().post("/oauth2/token", data=fields, headers={"DPoP": build_dpop()})

    assert (answer.status_code, answer.json["error"]) == (400, error)


@pytest.mark.parametrize("name", ["client_secret", "client_assertion", "client_assertion_type"])
def test_empty_parameter_of_a_public_client_is_an_absent_one(name, app, native, build_dpop, refusals):
    fields = {"grant_type": "refresh_token", "client_id": "native", "refresh_token": "x", name: ""}

    answer = app.test_client().post("/oauth2/token", data=fields, headers={"DPoP": build_dpop()})

    assert answer.json["error"] == "invalid_grant"
    assert causes(refusals) == ["refresh_token_unknown"]


def test_public_client_needs_a_proof(app, native, refusals):
    fields = {"grant_type": "refresh_token", "client_id": "native", "refresh_token": "x"}

    assert app.test_client().post("/oauth2/token", data=fields).json["error"] == "invalid_request"
    assert causes(refusals) == ["proof_missing"]


def test_path_of_the_endpoint_is_a_route_of_the_app(app):
    assert PATH in {rule.rule for rule in app.url_map.iter_rules()}
