"""An application's own grant is not for clients that registered themselves, unless a setting names it."""

import json

import pytest
from sqlalchemy import text

from tests.authorization_server.grants.test_authlib_users import BADGE, BadgeGrant
from tests.authorization_server.registration.self_registration.answers import assert_refused
from tests.conftest import ASSERTION_TYPE

TOKEN = {"OAUTH2_REGISTRATION": "token", "OAUTH2_SCOPES": ["read", "write"]}
NAMED = {**TOKEN, "OAUTH2_REGISTRATION_GRANT_TYPES": [BADGE]}
TRUSTED = {**TOKEN, "OAUTH2_REGISTRATION_TRUSTED": True}
REASON = f"grant type {BADGE!r} is the application's own, for the operator's clients"


@pytest.fixture(autouse=True)
def _with_badges(oauth):
    oauth.register_grant(BadgeGrant)


@pytest.fixture
def show_badge(app, build_assertion):
    """The answer to a token request of any client that shows a badge."""

    def show_badge(client_id):
        assertion = build_assertion(iss=client_id, sub=client_id)
        form = {"grant_type": BADGE, "badge": "4711", "scope": "read", "client_assertion": assertion}
        return app.test_client().post("/oauth2/token", data={**form, "client_assertion_type": ASSERTION_TYPE})

    return show_badge


@pytest.mark.parametrize("settings", [NAMED, TRUSTED], ids=["named", "trusted"])
def test_own_grant_that_strangers_may_have_is_registered_and_works(post, create_token, show_badge):
    answer = post(create_token(), grant_types=[BADGE])

    assert answer.json["grant_types"] == [BADGE]
    assert show_badge(answer.json["client_id"]).status_code == 200


@pytest.mark.parametrize("settings", [TOKEN])
def test_own_grant_is_refused_at_registration(post, create_token, refusals):
    assert_refused(
        post(create_token(), grant_types=[BADGE]),
        "invalid_client_metadata",
        refusals,
        "grant_type_not_open",
        says=REASON,
    )


@pytest.mark.parametrize("settings", [TOKEN])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_own_grant_is_refused_in_an_update(manage, registered, metadata, refusals, method):
    whole = {**metadata, "client_id": registered["client_id"]} if method == "PUT" else {}

    answer = manage(method, {**whole, "grant_types": ["client_credentials", BADGE]})

    assert_refused(answer, "invalid_client_metadata", refusals, "grant_type_not_open", says=REASON)
    assert manage("GET").json["grant_types"] == ["client_credentials"]


@pytest.mark.parametrize("settings", [TOKEN])
def test_client_that_registered_for_it_before_the_rule_gets_no_token(server, registered, show_badge, refusals):
    app, _, db = server
    with app.app_context(), db.engine.begin() as connection:
        own = json.dumps({"grant_types": [BADGE]})
        connection.execute(text("UPDATE oauth2_client SET client_metadata = :own, version = 'x'"), {"own": own})

    answer = show_badge(registered["client_id"])

    assert (answer.status_code, answer.json["error"]) == (400, "unauthorized_client")
    assert refusals[-1].startswith(f"{BADGE!r} is for the operator's clients, and OAUTH2_REGISTRATION_GRANT_TYPES")
    assert refusals[-1].cause == "grant_type_not_open"


@pytest.mark.parametrize("settings", [TOKEN])
def test_operators_client_keeps_the_own_grant_when_it_manages_itself(app, oauth, register, client_key, manage):
    jwks = {"keys": [client_key.public_jwk()]}
    client_id = register(jwks=jwks, grant_types=[BADGE]).client_id
    with app.app_context():
        issued = app.extensions["private_key_jwt"].self_registration.reissue(client_id)
    token, uri = issued["registration_access_token"], issued["registration_client_uri"]

    assert manage("PATCH", {"client_name": "Terminal"}, token=token, uri=uri).json["grant_types"] == [BADGE]
