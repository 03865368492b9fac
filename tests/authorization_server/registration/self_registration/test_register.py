"""A client registers itself (RFC 7591 §3)."""

import logging
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from flask_private_key_jwt.authorization_server.state import current_state
from tests.authorization_server.registration.self_registration.answers import (
    REGISTER,
    assert_json_never_stored,
    assert_refused,
)
from tests.conftest import ISSUER, START
from tests.refusals import causes

CLOSED = {}
OPEN = {"OAUTH2_REGISTRATION": "open", "OAUTH2_SCOPES": ["read", "write", "admin"]}
OPEN_FOR_READING = {**OPEN, "OAUTH2_REGISTRATION_SCOPES": ["read"]}
TOKEN_FOR_READING = {**OPEN_FOR_READING, "OAUTH2_REGISTRATION": "token"}
BY_TOKEN = {**OPEN, "OAUTH2_REGISTRATION": "token"}
WITH_DOCUMENTS = {
    **BY_TOKEN,
    "OAUTH2_CLIENT_ID_METADATA_DOCUMENTS": True,
    "OAUTH2_CLIENT_ID_HOSTS": ["app.example"],
}
DOCUMENT_URL = "https://app.example/client.json"
METADATA_PATH = "/.well-known/oauth-authorization-server"


# --- what comes back --------------------------------------------------------------------------------------
def test_registration_is_answered_with_all_that_is_registered(post, create_token, metadata):
    answer = post(create_token())

    assert answer.status_code == 201
    assert_json_never_stored(answer)
    client_id, token = answer.json["client_id"], answer.json["registration_access_token"]
    assert answer.json == {
        "client_id": client_id,
        "client_id_issued_at": START,
        "registration_client_uri": f"https://as.example/oauth2/register/client?client_id={client_id}",
        "registration_access_token": token,
        "client_name": "Console",
        "jwks": metadata["jwks"],
        "scope": "read write",
        "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": ["client_credentials"],
        "response_types": [],
        "dpop_bound_access_tokens": False,
    }
    assert len(client_id) == 32
    assert len(token) == 43


def test_every_member_a_client_may_choose_is_registered(post, create_token):
    chosen = {
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "grant_types": ["client_credentials"],
        "response_types": [],
        "dpop_bound_access_tokens": True,
        "client_uri": "https://console.example/",
        "logo_uri": "https://console.example/logo.png",
        "tos_uri": "https://console.example/terms",
        "policy_uri": "https://console.example/policy",
        "contacts": ["ops@console.example"],
        "software_id": "4NRB1-0XZABZI9E6-5SM3R",
        "software_version": "2.1",
        "redirect_uris": ["https://console.example/back?a=b"],
    }

    assert chosen.items() <= post(create_token(), **chosen).json.items()


def test_keys_may_be_registered_by_where_they_are(post, create_token):
    answer = post(create_token(), jwks=None, jwks_uri="https://keys.example/set")

    assert answer.status_code == 201
    assert answer.json["jwks_uri"] == "https://keys.example/set"
    assert "jwks" not in answer.json


def test_client_gets_tokens_at_once(registered, ask_token_as, client_key, keys):
    assert ask_token_as(registered["client_id"], client_key) == 200
    assert ask_token_as(registered["client_id"], keys("ES256", "another")) == 400


def test_there_is_no_secret(registered):
    assert not [name for name in registered if "secret" in name]


def test_two_registrations_make_two_clients(post, create_token):
    token = create_token(uses=2)
    first, second = post(token).json, post(token).json

    for member in ("client_id", "registration_access_token", "registration_client_uri"):
        assert first[member] != second[member]


@pytest.mark.parametrize(
    "settings", [{"OAUTH2_REGISTRATION": "token", "OAUTH2_ISSUER": "https://as.example/tenant"}], ids=["path"]
)
def test_issuer_with_a_path_is_part_of_the_uri(post, create_token, app):
    answer = post(create_token())

    uri = answer.json["registration_client_uri"]
    assert uri.startswith("https://as.example/tenant/oauth2/register/client?client_id=")
    headers = {"Authorization": f"Bearer {answer.json['registration_access_token']}"}
    assert app.test_client().get(uri.removeprefix("https://as.example"), headers=headers).status_code == 200


# --- who may ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("settings", [CLOSED])
@pytest.mark.parametrize("path", [REGISTER, f"{REGISTER}/client"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_closed_registration_is_not_there(app, create_token, metadata, method, path):
    headers = {"Authorization": f"Bearer {create_token()}"}

    assert app.test_client().open(path, method=method, json=metadata, headers=headers).status_code == 404
    assert "registration_endpoint" not in app.test_client().get(METADATA_PATH).json


@pytest.mark.parametrize("settings", [OPEN, TOKEN_FOR_READING])
def test_registration_that_can_be_used_is_advertised(app):
    metadata = app.test_client().get(METADATA_PATH).json

    assert metadata["registration_endpoint"] == "https://as.example/oauth2/register"


def test_registration_without_a_token_is_refused(post, refusals):
    assert_refused(post(), "missing_token", refusals, "registration_token_missing")


@pytest.mark.parametrize("settings", [OPEN])
def test_open_registration_needs_no_token(post):
    assert post().status_code == 201


@pytest.mark.parametrize("settings", [OPEN])
def test_token_that_comes_to_open_registration_must_be_good_all_the_same(post, create_token, refusals):
    assert_refused(post("wrong"), "invalid_token", refusals, "registration_token_unusable")
    assert post(create_token()).status_code == 201


@pytest.mark.parametrize("authorization", ["", "Basic YTpi", "DPoP {token}", "{token}", "bearertoken {token}"])
def test_token_under_another_scheme_is_no_token(post, create_token, refusals, authorization):
    headers = {"Authorization": authorization.format(token=create_token())}

    assert_refused(post(headers=headers), "missing_token", refusals, "registration_token_missing")


@pytest.mark.parametrize(
    "authorization", ["Bearer", "Bearer ", "Bearer {token} x", "Bearer {token},{token}", 'Bearer token="{token}"']
)
def test_header_that_does_not_hold_one_token_is_refused(post, create_token, refusals, authorization):
    headers = {"Authorization": authorization.format(token=create_token())}

    assert_refused(post(headers=headers), "invalid_token", refusals, "authorization_header_malformed")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_scheme_is_read_in_any_case(post, create_token, scheme):
    assert post(headers={"Authorization": f"{scheme} {create_token()}"}).status_code == 201


def test_token_in_body_or_query_is_no_token(post, create_token, refusals):
    token = create_token()

    assert_refused(post(access_token=token), "missing_token", refusals, "registration_token_missing")
    assert_refused(
        post(path=f"{REGISTER}?access_token={token}"), "missing_token", refusals, "registration_token_missing"
    )
    assert post(token).status_code == 201


@pytest.mark.parametrize("change", ["shorter", "longer", "other case"])
def test_token_that_is_nearly_right_is_refused(post, create_token, refusals, change):
    token = create_token()
    wrong = {"shorter": token[:-1], "longer": token + "A", "other case": token.swapcase()}[change]

    assert_refused(post(wrong), "invalid_token", refusals, "registration_token_unusable")


def test_token_is_good_for_as_many_clients_as_it_says(post, create_token, refusals):
    token = create_token(uses=2)

    assert [post(token).status_code, post(token).status_code] == [201, 201]
    assert_refused(post(token), "invalid_token", refusals, "registration_token_unusable")


def test_token_is_good_until_it_expires(post, create_token, clock, refusals):
    token = create_token(uses=2, lifetime=60)

    clock.move(59)
    assert post(token).status_code == 201
    clock.move(1)
    assert_refused(post(token), "invalid_token", refusals, "registration_token_unusable")


def test_revoked_token_is_refused_and_its_clients_stay(app, post, create_token, manage, refusals):
    token = create_token(uses=2)
    assert post(token).status_code == 201
    with app.app_context():
        tokens = current_state().registration_tokens
        assert all(tokens.revoke(kept) for kept in tokens.all())

    assert_refused(post(token), "invalid_token", refusals, "registration_token_unusable")
    assert manage("GET").status_code == 200


def test_registration_access_token_registers_nobody(post, registered, refusals):
    assert_refused(
        post(registered["registration_access_token"]), "invalid_token", refusals, "registration_token_unusable"
    )


def test_access_token_registers_nobody(post, ask_token, refusals):
    assert_refused(post(ask_token().json["access_token"]), "invalid_token", refusals, "registration_token_unusable")


# --- what a failed registration costs ---------------------------------------------------------------------
def test_refused_metadata_leave_the_token_as_it_was(post, create_token, rows, refusals):
    token = create_token()

    assert_refused(post(token, jwks={"keys": []}), "invalid_client_metadata", refusals, "jwks_no_usable_key")
    assert rows("oauth2_client") == []
    assert post(token).status_code == 201


def test_client_id_that_is_taken_leaves_the_token_as_it_was(post, create_token, client, rows, refusals):
    token = create_token(may_choose_client_id=True)

    answer = post(token, client_id=client.client_id)

    assert_refused(
        answer, "invalid_client_metadata", refusals, "client_id_taken", says="client_id 'console' is registered already"
    )
    assert rows("oauth2_client")[0]["registration_access_token_digest"] is None
    assert post(token, client_id="console-2").status_code == 201


def test_database_that_fails_is_unavailable_and_registers_nobody(server, post, create_token, rows, refusals):
    app, _, db = server
    token = create_token()
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE oauth2_client RENAME TO away")

    assert_refused(
        post(token),
        "temporarily_unavailable",
        refusals,
        "database_not_migrated",
        status=503,
        says="database: OperationalError",
    )

    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO oauth2_client")
    assert rows("oauth2_client") == []
    assert post(token).status_code == 201


# --- what only the operator may set -----------------------------------------------------------------------
OPERATOR_MEMBERS = {
    "assertion_audience": "compatibility",
    "default_scope": "read",
    "introspection_resources": [ISSUER],
    "owner": "someone",
    "enabled": False,
}


def test_members_of_the_operator_are_passed_over(app, oauth, post, create_token):
    answer = post(create_token(), **OPERATOR_MEMBERS)

    assert answer.status_code == 201
    assert OPERATOR_MEMBERS.keys().isdisjoint(answer.json)
    with app.app_context():
        client = oauth.clients.get(answer.json["client_id"])
    assert (client.assertion_audience, client.default_scope, client.owner, client.enabled) == ("issuer", (), None, True)


@pytest.mark.parametrize("value", [5, "", [], {}, "no such value"])
@pytest.mark.parametrize("member", OPERATOR_MEMBERS)
def test_members_of_the_operator_are_not_even_looked_at(post, create_token, member, value):
    assert post(create_token(), **{member: value}).status_code == 201


@pytest.mark.parametrize(
    ("settings", "client_id", "status"),
    [
        (WITH_DOCUMENTS, DOCUMENT_URL, 400),
        (WITH_DOCUMENTS, "app.example/client.json", 201),
        (BY_TOKEN, DOCUMENT_URL, 201),
    ],
)
def test_url_of_a_document_is_not_a_client_id_to_choose(post, create_token, refusals, settings, client_id, status):
    answer = post(create_token(may_choose_client_id=True), client_id=client_id)

    assert answer.status_code == status
    if status == 400:
        assert answer.json["error"] == "invalid_client_metadata"
        assert refusals == [f"client_id {DOCUMENT_URL!r} is for the client whose document is there"]
        assert causes(refusals) == ["client_id_of_document"]


def test_client_id_is_the_servers_to_choose(post, create_token):
    assert post(create_token(), client_id="mine").json["client_id"] != "mine"


def test_client_id_may_be_chosen_with_a_token_that_allows_it(post, create_token, ask_token_as, client_key):
    answer = post(create_token(may_choose_client_id=True), client_id="a/b?c=d&e #f%")

    assert answer.json["client_id"] == "a/b?c=d&e #f%"
    assert answer.json["registration_client_uri"].endswith("?client_id=a%2Fb%3Fc%3Dd%26e%20%23f%25")
    assert ask_token_as("a/b?c=d&e #f%", client_key) == 200


def test_client_id_need_not_be_chosen(post, create_token):
    assert len(post(create_token(may_choose_client_id=True)).json["client_id"]) == 32


@pytest.mark.parametrize("client_id", [" ", 5, ["a"], "a\nb", "é", "x" * 256])
def test_chosen_client_id_that_is_none_is_refused(post, create_token, refusals, client_id):
    answer = post(create_token(may_choose_client_id=True), client_id=client_id)

    assert_refused(
        answer,
        "invalid_client_metadata",
        refusals,
        "client_id_not_accepted",
        says="client_id is not a string of 1 to 255",
    )


def test_what_the_server_issues_is_not_taken_from_the_client(post, create_token):
    sent = {
        "client_secret_expires_at": 5,
        "client_id_issued_at": 5,
        "registration_access_token": "mine",
        "registration_client_uri": "https://evil.example",
    }

    answer = post(create_token(), **sent)

    assert answer.status_code == 201
    assert [name for name, value in sent.items() if answer.json.get(name) == value] == []


def test_secret_of_its_own_is_refused(post, create_token, refusals):
    token = create_token()
    answer = post(token, client_secret="mine")

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_client_metadata")
    assert causes(refusals) == ["client_secret_sent"]
    assert post(token, client_secret="").status_code == 201


SECRETS = {"OAUTH2_REGISTRATION": "token", "OAUTH2_CLIENT_SECRETS_UNTIL": "2027-02-01"}


@pytest.mark.parametrize("settings", [SECRETS])
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "client_secret_jwt"])
def test_method_with_a_secret_is_for_the_operators_clients(method, settings, post, create_token, refusals):
    token = create_token()
    for keys in ({}, {"jwks": None}):
        answer = post(token, token_endpoint_auth_method=method, **keys)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_client_metadata")
    assert causes(refusals) == ["auth_method_operator_only"] * 2
    assert "client_secret" not in post(token).json


@pytest.mark.parametrize("settings", [SECRETS])
@pytest.mark.parametrize("vouched", [False, True])
def test_client_cannot_change_itself_to_a_secret(vouched, settings, app, oauth, registered, manage, refusals):
    client_id = registered["client_id"]
    with app.app_context():
        oauth.clients.vouch(client_id, vouched=vouched)
    change = {"token_endpoint_auth_method": "client_secret_basic", "jwks": None}

    assert manage("PATCH", change).status_code == 400
    assert causes(refusals) == ["auth_method_operator_only"]

    with app.app_context():
        oauth.clients.vouch(client_id)
        oauth.clients.update(client_id, change)
    assert manage("PATCH", {"client_name": "Old"}).json["token_endpoint_auth_method"] == "client_secret_basic"


def test_unknown_members_are_ignored(post, create_token):
    answer = post(create_token(), favourite_colour="blue", **{"client_name#de": "Konsole"})

    assert answer.status_code == 201
    assert {"favourite_colour", "client_name#de"}.isdisjoint(answer.json)


# --- scopes -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("settings", "with_token", "registered_scope"),
    [
        (OPEN, False, None),
        (OPEN, True, "read write"),
        (OPEN_FOR_READING, False, "read"),
        (OPEN_FOR_READING, True, "read"),
        (TOKEN_FOR_READING, True, "read"),
        ({**OPEN, "OAUTH2_REGISTRATION_SCOPES": []}, True, None),
    ],
    ids=["open", "open with a token", "open for reading", "both", "token for reading", "for nothing"],
)
def test_scope_beyond_what_clients_may_give_themselves_is_left_out(post, create_token, with_token, registered_scope):
    answer = post(create_token() if with_token else None)

    assert answer.status_code == 201
    assert answer.json.get("scope") == registered_scope
    assert answer.json.get("scope") != ""


@pytest.mark.parametrize("settings", [OPEN])
def test_client_from_the_street_gets_no_token(post, ask_token_as, client_key):
    assert ask_token_as(post().json["client_id"], client_key) == 400


def test_scope_that_is_left_out_gives_nothing(post, create_token):
    assert "scope" not in post(create_token(), scope=None).json


def test_unknown_scope_is_refused(post, create_token, refusals):
    answer = post(create_token(), scope="read delete")

    assert_refused(
        answer,
        "invalid_client_metadata",
        refusals,
        "scope_not_offered",
        says="scope holds 'delete', which is not in OAUTH2_SCOPES",
    )


# --- what is refused, as for the operator -----------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "cause", "says"),
    [
        ({"jwks": None}, "jwks_missing", ""),
        ({"jwks_uri": "https://keys.example/set"}, "jwks_twice", ""),
        ({"jwks": None, "jwks_uri": "http://keys.example/set"}, "jwks_uri_not_https", ""),
        ({"jwks": None, "jwks_uri": "https://169.254.169.254/latest"}, "jwks_uri_not_public", ""),
        ({"jwks": None, "jwks_uri": "https://localhost/set"}, "jwks_uri_this_machine", ""),
        ({"jwks": None, "jwks_uri": 5}, "jwks_uri_not_accepted", "jwks_uri is not a string"),
        ({"jwks": "keys"}, "jwks_not_accepted", "jwks is missing"),
        ({"jwks": {"a": 1}}, "jwks_not_a_set", ""),
        ({"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}}, "jwks_private", ""),
        ({"jwks": {"keys": [{"kty": "unknown"}]}}, "jwks_no_usable_key", ""),
        (
            {"token_endpoint_auth_method": "none"},
            "auth_method_not_supported",
            "token_endpoint_auth_method 'none' is not supported",
        ),
        (
            {"token_endpoint_auth_method": "client_secret_basic"},
            "auth_method_not_supported",
            "token_endpoint_auth_method ",
        ),
        (
            {"token_endpoint_auth_method": ["private_key_jwt"]},
            "auth_method_not_supported",
            "token_endpoint_auth_method ",
        ),
        (
            {"token_endpoint_auth_signing_alg": "none"},
            "signing_alg_not_accepted",
            "token_endpoint_auth_signing_alg 'none' is not accepted",
        ),
        (
            {"token_endpoint_auth_signing_alg": "HS256"},
            "signing_alg_not_accepted",
            "token_endpoint_auth_signing_alg 'HS256' is not accepted",
        ),
        (
            {"token_endpoint_auth_signing_alg": "RS256"},
            "jwks_no_usable_key",
            "jwks holds no public key that can verify RS256",
        ),
        ({"grant_types": ["implicit"]}, "grant_type_not_supported", "grant type 'implicit' is not supported"),
        ({"grant_types": [5]}, "grant_types_not_accepted", "grant_types is not a list"),
        ({"response_types": ["code"]}, "response_types_without_grant", ""),
        ({"response_types": 5}, "response_types_without_grant", ""),
        ({"scope": ["read"]}, "scope_not_accepted", "scope is not a string"),
        ({"scope": 'read"'}, "scope_not_accepted", "scope holds"),
        (
            {"dpop_bound_access_tokens": "true"},
            "dpop_bound_access_tokens_not_accepted",
            "dpop_bound_access_tokens is not true or false",
        ),
        ({"client_name": {"de": "Konsole"}}, "client_name_not_accepted", "client_name is not a string"),
        ({"client_name": "x" * 256}, "client_name_not_accepted", "client_name is not a string of 1 to 255"),
        (
            {"logo_uri": "javascript:alert(1)"},
            "logo_uri_not_accepted",
            "logo_uri 'javascript:alert(1)' is not the URL of a web page",
        ),
        ({"contacts": "ops@console.example"}, "contacts_not_accepted", "contacts is not a list"),
        (
            {"userinfo_signed_response_alg": "ES256"},
            "userinfo_signed_response_alg_not_supported",
            "userinfo_signed_response_alg 'ES256' is not supported: UserInfo",
        ),
        (
            {"id_token_encrypted_response_alg": "RSA-OAEP"},
            "id_token_encrypted_response_alg_not_supported",
            "id_token_encrypted_response_alg 'RSA-OAEP' is not supported",
        ),
        ({"subject_type": "pairwise"}, "subject_type_not_public", "subject_type 'pairwise' is not 'public'"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value[:40],
)
def test_metadata_that_no_client_may_have_are_refused(post, create_token, rows, refusals, change, cause, says):
    assert_refused(post(create_token(), **change), "invalid_client_metadata", refusals, cause, says=says)
    assert rows("oauth2_client") == []


@pytest.mark.parametrize("wrong", [{"n": 5}, {"kid": "\ud800"}], ids=ascii)
def test_key_with_a_member_that_is_not_kept_does_not_count(post, create_token, rows, refusals, client_key, wrong):
    answer = post(create_token(), jwks={"keys": [client_key.public_jwk(**wrong)]})

    assert_refused(answer, "invalid_client_metadata", refusals, "jwks_no_usable_key")
    assert rows("oauth2_client") == []


def test_private_key_is_refused_and_not_logged(post, create_token, refusals, keys, caplog):
    private = keys("ES256", "private").as_jwk()

    assert_refused(
        post(create_token(), jwks={"keys": [private]}),
        "invalid_client_metadata",
        refusals,
        "jwks_private",
    )
    assert private["d"] not in caplog.text


def test_redirect_uri_that_no_client_may_have_has_an_error_of_its_own(post, create_token, refusals):
    answer = post(create_token(), redirect_uris=["https://console.example/back#fragment"])

    assert_refused(
        answer,
        "invalid_redirect_uri",
        refusals,
        "redirect_uris_not_accepted",
        says="redirect_uris: 'https://console.example/back#fragment'",
    )


def test_software_statement_has_an_error_of_its_own(post, create_token, refusals):
    answer = post(create_token(), software_statement="eyJhbGciOiJub25lIn0.e30.")

    assert_refused(answer, "unapproved_software_statement", refusals, "software_statement")


# --- bodies -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "cause", "says"),
    [
        (b"", "body_not_json", ""),
        (b"{", "body_not_json", ""),
        (b"null", "body_not_object", ""),
        (b"[]", "body_not_object", ""),
        (b'"jwks"', "body_not_object", ""),
        (b"\xff\xfe{\x00}\x00", "body_utf16", "the body is UTF-16 text; save it as UTF-8"),
        (b'{"scope": "a", "scope": "b"}', "body_member_repeated", ""),
        (b'{"scope": NaN}', "body_not_json", "the body is not acceptable: NaN is not JSON"),
        (b'{"a": ' + b"[" * 20 + b"]" * 20 + b"}", "body_too_deep", "the body is nested deeper than 16"),
        (b'{"a": ' + b"9" * 5000 + b"}", "body_not_json", ""),
    ],
    ids=range(10),
)
def test_body_that_is_no_json_object_is_refused(post_raw, refusals, body, cause, says):
    assert_refused(post_raw(body), "invalid_client_metadata", refusals, cause, says=says)


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/merge-patch+json", "json"]
)
def test_body_of_another_type_is_refused(post_raw, refusals, content_type):
    assert_refused(post_raw(b"{}", content_type), "invalid_request", refusals, "content_type")


def test_content_type_is_read_in_any_case_and_with_parameters(post_raw, refusals):
    answer = post_raw(b"{}", "Application/JSON; charset=utf-8")

    assert_refused(answer, "invalid_client_metadata", refusals, "jwks_missing")


def test_body_that_is_too_large_is_refused(post_raw, refusals):
    answer = post_raw(b'{"a": "' + b"x" * 65536 + b'"}')

    assert answer.status_code == 413
    assert refusals == ["the body is longer than 65536 bytes"]
    assert causes(refusals) == ["body_too_large"]


def test_nothing_is_read_of_the_body_without_a_token(app, refusals):
    answer = app.test_client().post(REGISTER, data=b"x" * 100_000)

    assert_refused(answer, "missing_token", refusals, "registration_token_missing")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(
    [
        "jwks",
        "jwks_uri",
        "scope",
        "grant_types",
        "response_types",
        "redirect_uris",
        "contacts",
        "client_name",
        "token_endpoint_auth_method",
        "token_endpoint_auth_signing_alg",
        "dpop_bound_access_tokens",
        "client_uri",
        "software_id",
        "software_statement",
        "client_id",
    ]
)


@pytest.mark.parametrize("settings", [{**OPEN, "OAUTH2_REGISTRATIONS_PER_HOUR": 100000}], ids=["open"])
@hypothesis_settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(MEMBERS | st.text(), JSON_VALUES, max_size=4))
def test_no_metadata_is_answered_with_a_defect(app, metadata, changes):
    answer = app.test_client().post(REGISTER, json={**metadata, **changes})

    assert answer.status_code in (201, 400)
    assert_json_never_stored(answer)


# --- methods, rest, logs ----------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_refused(app, method):
    answer = app.test_client().open(REGISTER, method=method)

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"


def test_options_tell_the_method(app):
    answer = app.test_client().options(REGISTER)

    assert (answer.status_code, answer.headers["Allow"]) == (204, "POST, OPTIONS")


def test_tokens_are_kept_as_hashes(post, create_token, rows):
    token = create_token(uses=2)
    issued = post(token).json["registration_access_token"]

    assert [row["digest"] for row in rows("oauth2_registration_token")] == [sha256(token.encode()).digest()]
    digests = [row["registration_access_token_digest"] for row in rows("oauth2_client")]
    assert digests == [sha256(issued.encode()).digest()]


def test_log_names_the_client_and_the_token_it_came_with_but_no_secret(post, create_token, caplog):
    caplog.set_level(logging.DEBUG)
    token = create_token(label="ACME")

    answer = post(token)

    assert f"client '{answer.json['client_id']}' registered itself with registration token" in caplog.text
    assert "'ACME'" in caplog.text
    assert token not in caplog.text
    assert answer.json["registration_access_token"] not in caplog.text
