"""Registrations that write out what is not set, and those that name no scope."""

import pytest

from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.settings.reading import read
from flask_private_key_jwt.settings.server import ServerSettings
from tests.authorization_server.registration.self_registration.answers import assert_refused
from tests.conftest import ISSUER

SCOPES = ["read", "write", "admin"]
DEFAULTS = {"OAUTH2_REGISTRATION": "token", "OAUTH2_SCOPES": SCOPES, "OAUTH2_DEFAULT_SCOPES": ["read", "write"]}
NARROWED = {**DEFAULTS, "OAUTH2_REGISTRATION": "open", "OAUTH2_REGISTRATION_SCOPES": ["write", "admin"]}
NOTHING_LEFT = {**NARROWED, "OAUTH2_REGISTRATION_SCOPES": ["admin"]}
UNSET = {
    "redirect_uris": [],
    "grant_types": [],
    "response_types": [],
    "contacts": [],
    "client_uri": "",
    "logo_uri": "",
    "jwks_uri": "",
    "software_statement": "",
    "default_max_age": "",
    "subject_type": "",
    "sector_identifier_uri": "",
    "id_token_signed_response_alg": "",
    "request_object_signing_alg": "",
    "token_endpoint_auth_method": "",
    "token_endpoint_auth_signing_alg": "",
    "application_type": "",
    "post_logout_redirect_uris": [],
}


def test_registration_that_writes_out_what_is_not_set_is_as_one_that_does_not(post, create_token):
    def comparable(answer):
        assert answer.status_code == 201
        issued = ("client_id", "registration_client_uri", "registration_access_token")
        return {name: value for name, value in answer.json.items() if name not in issued}

    assert comparable(post(create_token(), **UNSET)) == comparable(post(create_token()))


def test_jwks_with_unset_members_is_registered_and_signs(post, create_token, ask_token_as, client_key):
    jwk = {**client_key.public_jwk(), "d": None, "key_ops": [], "oth": [], "x5c": [], "x5t": ""}

    answer = post(create_token(), jwks={"keys": [jwk]})

    assert answer.status_code == 201
    assert ask_token_as(answer.json["client_id"], client_key) == 200


def test_unset_members_of_a_jwk_are_not_kept_and_a_label_of_another_type_costs_no_key(post, create_token, client_key):
    jwk = {**client_key.public_jwk(), "d": None, "key_ops": [], "x5c": [], "x5t": 5, "x5t#S256": ["x"]}

    answer = post(create_token(), jwks={"keys": [jwk]})

    assert answer.json["jwks"] == {"keys": [client_key.public_jwk()]}


def test_empty_response_types_go_on_meaning_none(post, create_token, refusals):
    answer = post(create_token(), grant_types=["client_credentials"], response_types=["code"])

    assert_refused(answer, "invalid_client_metadata", refusals, "response_types_without_grant")


def test_put_takes_null_and_empty_for_absent(registered, manage, refusals):
    issued = {"registration_access_token": None, "registration_client_uri": "", "client_id_issued_at": None}
    body = {**registered, **issued, "client_name": "", "logo_uri": None, "client_secret": ""}

    answer = manage("PUT", body)

    assert answer.status_code == 200
    assert "client_name" not in answer.json
    assert_refused(manage("PUT", {**body, "client_id": ""}), "invalid_client_metadata", refusals, "client_id_missing")


def test_patch_with_an_empty_jwks_uri_leaves_the_keys_alone(registered, manage):
    answer = manage("PATCH", {"jwks_uri": "", "client_name": "New"})

    assert answer.status_code == 200
    assert answer.json["jwks"] == registered["jwks"]
    assert manage("PATCH", {"jwks": None}).status_code == 400  # null removes (RFC 7396), and then there is no key


# --- scopes -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("settings", [DEFAULTS])
@pytest.mark.parametrize("scope", [None, "", "  "])
def test_registration_without_a_scope_gets_the_default_scopes(scope, post, create_token, ask_token_as, client_key):
    answer = post(create_token(), scope=scope)

    assert answer.json["scope"] == "read write"
    assert ask_token_as(answer.json["client_id"], client_key, scope="read write") == 200


@pytest.mark.parametrize("settings", [DEFAULTS])
def test_registration_with_a_scope_gets_no_default(post, create_token):
    assert post(create_token(), scope="admin").json["scope"] == "admin"


@pytest.mark.parametrize(
    ("settings", "scope"), [(NARROWED, "write"), (NOTHING_LEFT, None)], ids=["narrowed", "nothing left"]
)
def test_default_scopes_are_cut_to_what_clients_may_give_themselves(scope, post):
    answer = post(scope=None)

    assert answer.status_code == 201
    assert answer.json.get("scope") == scope
    assert answer.json.get("scope") != ""


@pytest.mark.parametrize("settings", [DEFAULTS])
def test_operators_client_without_a_scope_gets_the_default_scopes(register, client_key):
    assert register(jwks={"keys": [client_key.public_jwk()]}).scope == {"read", "write"}


@pytest.mark.parametrize("settings", [DEFAULTS])
def test_scope_that_was_taken_away_does_not_come_back_as_the_default(registered, manage, app, oauth):
    with app.app_context():
        oauth.clients.update(registered["client_id"], {"scope": None})
        assert oauth.clients.update(registered["client_id"], {"client_name": "x"}).scope == frozenset()

    assert "scope" not in manage("PATCH", {"client_name": "New"}).json
    assert "scope" not in manage("PUT", {"client_id": registered["client_id"], "jwks": registered["jwks"]}).json


@pytest.mark.parametrize("scope", ["read  write", " read write ", "read read   write"])
def test_needless_spaces_are_no_scopes(scope, post, create_token):
    assert post(create_token(), scope=scope).json["scope"] == "read write"


def test_default_scopes_lie_within_the_servers():
    base = {"OAUTH2_ISSUER": ISSUER, "OAUTH2_SCOPES": ["read"]}

    assert read({**base, "OAUTH2_DEFAULT_SCOPES": ["read", "offline_access"]}, ServerSettings)
    with pytest.raises(ConfigurationError, match="OAUTH2_DEFAULT_SCOPES holds 'write', which is not in OAUTH2_SCOPES"):
        read({**base, "OAUTH2_DEFAULT_SCOPES": ["write"]}, ServerSettings)


# --- offline_access -----------------------------------------------------------------------------------------
CODE = {
    "grant_types": ["authorization_code", "refresh_token"],
    "redirect_uris": ["https://app.example/callback"],
    "scope": "read offline_access",
}


def test_offline_access_may_be_registered_wherever_refresh_tokens_are_offered(post, create_token, oauth, refusals):
    refused = post(create_token(), scope="read offline_access")
    assert_refused(
        refused,
        "invalid_client_metadata",
        refusals,
        "scope_not_offered",
        says="scope holds 'offline_access', which is not in",
    )

    oauth.user(lambda: None)
    answer = post(create_token(), **CODE)

    assert answer.status_code == 201
    assert answer.json["scope"] == "offline_access read"
    unknown = post(create_token(), **{**CODE, "scope": "read offline_access delete"})
    assert_refused(
        unknown, "invalid_client_metadata", refusals, "scope_not_offered", says="scope holds 'delete', which is not in"
    )


WITH_OFFLINE_ACCESS = {**DEFAULTS, "OAUTH2_DEFAULT_SCOPES": ["read", "offline_access"]}


@pytest.mark.parametrize("settings", [WITH_OFFLINE_ACCESS])
def test_default_offline_access_is_for_clients_that_use_refresh_tokens(post, create_token, oauth, refusals):
    assert post(create_token(), scope=None).json["scope"] == "read"
    assert_refused(
        post(create_token(), scope=None, grant_types=5),
        "invalid_client_metadata",
        refusals,
        "grant_types_not_accepted",
        says="grant_types ",
    )

    oauth.user(lambda: None)

    assert post(create_token(), scope=None).json["scope"] == "read"
    assert post(create_token(), **{**CODE, "scope": None}).json["scope"] == "offline_access read"
