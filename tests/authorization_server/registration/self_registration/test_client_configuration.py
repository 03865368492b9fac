"""A client manages its registration (RFC 7592 §2, RFC 7396); also what the conformance suite tests."""

import logging

import pytest
from sqlalchemy import update

from flask_private_key_jwt.authorization_server.registration.registry import ClientRegistry
from flask_private_key_jwt.authorization_server.state import current_state
from flask_private_key_jwt.authorization_server.stores.contracts import DocumentKey
from flask_private_key_jwt.authorization_server.stores.sql.registrations import SQLAlchemyRegistrations
from tests.authorization_server.registration.self_registration.answers import assert_json_never_stored, assert_refused
from tests.conftest import API, ISSUER, close, make_app
from tests.refusals import causes

MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
ISSUED = ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"]
NOT_ITS_TOKEN = "the registration access token is not that of client"


def sendable(registered):
    """What a client may send back of what it was told."""
    return {name: value for name, value in registered.items() if name not in ISSUED}


# --- reading ----------------------------------------------------------------------------------------------
def test_reading_gives_what_registering_gave(registered, manage, clock):
    for _ in range(2):
        clock.move(60)
        answer = manage("GET")

        assert answer.status_code == 200
        assert_json_never_stored(answer)
        assert answer.json == registered


def test_head_is_get_without_the_body(manage):
    answer = manage("HEAD")

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == manage("GET").headers["Content-Length"]


def test_operators_changes_are_told(app, oauth, registered, manage):
    with app.app_context():
        oauth.clients.update(registered["client_id"], {"scope": "admin", "default_scope": "admin", "owner": "ops"})

    assert manage("GET").json == {**registered, "scope": "admin"}


# --- who may ----------------------------------------------------------------------------------------------
METHODS = pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])


@METHODS
def test_request_without_a_token_is_refused(registered, manage, refusals, method):
    answer = manage(method, token=None)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="registration"'
    assert causes(refusals) == ["registration_access_token_missing"]
    assert manage("GET").json == registered


@METHODS
def test_request_with_a_wrong_token_is_refused(registered, manage, refusals, method):
    answer = manage(method, {"client_id": registered["client_id"]}, token="wrong")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="registration", error="invalid_token"'
    assert refusals == [f"{NOT_ITS_TOKEN} '{registered['client_id']}'"]
    assert causes(refusals) == ["registration_access_token_mismatch"]
    assert manage("GET").json == registered


def test_token_in_body_or_query_is_no_token(registered, manage, refusals):
    token = registered["registration_access_token"]
    uri = f"{registered['registration_client_uri']}&access_token={token}"

    assert_refused(manage("GET", token=None, uri=uri), "missing_token", refusals, "registration_access_token_missing")
    answer = manage("PATCH", {"access_token": token}, token=None)
    assert_refused(answer, "missing_token", refusals, "registration_access_token_missing")


def test_token_of_another_client_is_refused_and_stays_good(post, create_token, manage, refusals):
    other = post(create_token()).json

    assert_refused(
        manage("GET", token=other["registration_access_token"]),
        "invalid_token",
        refusals,
        "registration_access_token_mismatch",
    )
    uri, token = other["registration_client_uri"], other["registration_access_token"]
    assert manage("GET", uri=uri, token=token).status_code == 200


def test_token_for_registering_manages_nobody(create_token, manage, refusals):
    assert_refused(manage("GET", token=create_token()), "invalid_token", refusals, "registration_access_token_mismatch")


def test_token_for_managing_is_no_access_token(registered, app):
    headers = {"Authorization": f"Bearer {registered['registration_access_token']}"}
    form = {"grant_type": "client_credentials", "client_id": registered["client_id"]}

    assert app.test_client().post("/oauth2/token", data=form, headers=headers).json["error"] == "invalid_client"


@pytest.mark.parametrize("token", ["", "wrong"])
def test_client_of_the_operator_manages_nothing(client, manage, refusals, token):
    uri = f"{ISSUER}/oauth2/register/client?client_id={client.client_id}"

    error = "invalid_token" if token else "missing_token"
    cause = "client_not_self_managed" if token else "registration_access_token_missing"
    assert_refused(manage("GET", uri=uri, token=token), error, refusals, cause)


@pytest.mark.parametrize("query", ["", "?client_id=", "?client_id=nobody", "?client_id=%00", "?client_id=" + "x" * 300])
def test_nobodys_registration_is_refused_like_a_wrong_token(registered, manage, refusals, query):
    answer = manage("GET", uri=f"{ISSUER}/oauth2/register/client{query}")

    assert_refused(answer, "invalid_token", refusals, "client_not_self_managed")
    assert refusals[-1].endswith("is not one that manages itself")
    assert answer.json == manage("GET", token="wrong").json


def test_client_id_given_twice_is_nobodys(registered, manage, refusals):
    uri = f"{registered['registration_client_uri']}&client_id={registered['client_id']}"

    assert_refused(
        manage("GET", uri=uri),
        "invalid_token",
        refusals,
        "client_not_self_managed",
        says="client '' is not one that manages itself",
    )


def test_client_id_is_compared_exactly(post, create_token, manage, refusals):
    mine = post(create_token(may_choose_client_id=True), client_id="Mine").json
    uri = mine["registration_client_uri"].replace("Mine", "mine")

    answer = manage("GET", uri=uri, token=mine["registration_access_token"])
    assert_refused(
        answer,
        "invalid_token",
        refusals,
        "client_not_self_managed",
        says="client 'mine' is not one that manages itself",
    )


def test_disabled_client_manages_nothing_until_it_is_enabled(app, oauth, registered, manage, refusals):
    with app.app_context():
        oauth.clients.disable(registered["client_id"])
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = manage(method, sendable(registered))
        assert_refused(
            answer, "invalid_token", refusals, "client_disabled", says=f"client '{registered['client_id']}' is disabled"
        )

    with app.app_context():
        oauth.clients.update(registered["client_id"], {"enabled": True})
    assert manage("GET").json == registered


def test_post_is_refused(manage):
    answer = manage("POST")

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD, PUT, PATCH, DELETE"


# --- replacing --------------------------------------------------------------------------------------------
def test_put_replaces_everything(registered, manage, metadata):
    full = {"client_name": "New", "contacts": ["a"], "software_id": "s", "dpop_bound_access_tokens": True}
    assert manage("PUT", {**sendable(registered), **full}).status_code == 200

    answer = manage("PUT", {"client_id": registered["client_id"], "jwks": metadata["jwks"], "scope": "read"})

    assert answer.status_code == 200
    assert_json_never_stored(answer)
    expected = {**registered, "scope": "read"}
    del expected["client_name"]
    assert answer.json == expected
    assert manage("GET").json == expected


def test_put_of_what_was_read_changes_nothing(registered, manage):
    assert manage("PUT", sendable(registered)).json == registered


def test_put_takes_null_for_absent(registered, manage):
    assert "client_name" not in manage("PUT", {**sendable(registered), "client_name": None}).json


def test_put_changes_the_keys_for_the_very_next_request(registered, manage, ask_token_as, client_key, keys):
    new = keys("ES256", "new")
    assert ask_token_as(registered["client_id"], client_key) == 200

    assert manage("PUT", {**sendable(registered), "jwks": {"keys": [new.public_jwk()]}}).status_code == 200

    assert ask_token_as(registered["client_id"], new) == 200
    assert ask_token_as(registered["client_id"], client_key) == 400


def test_put_without_its_client_id_is_refused(registered, manage, refusals):
    body = sendable(registered)
    del body["client_id"]

    assert_refused(manage("PUT", body), "invalid_client_metadata", refusals, "client_id_missing")


# --- merging ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("headers", [MERGE_PATCH, {"Content-Type": "application/json"}], ids=["merge-patch", "json"])
def test_patch_changes_what_it_names(registered, manage, headers):
    answer = manage("PATCH", {"client_name": "New", "scope": "read"}, headers=headers)

    assert answer.status_code == 200
    assert_json_never_stored(answer)
    assert answer.json == {**registered, "client_name": "New", "scope": "read"}
    assert manage("GET").json == answer.json


def test_patch_removes_what_it_names_null(registered, manage):
    expected = {name: value for name, value in registered.items() if name not in ("client_name", "scope")}

    assert manage("PATCH", {"client_name": None, "scope": None}).json == expected


def test_patch_of_nothing_changes_nothing(registered, manage):
    assert manage("PATCH", {}).json == registered
    assert manage("PATCH", {"client_id": registered["client_id"]}).json == registered


def test_patch_replaces_a_list_whole(registered, manage, ask_token_as, client_key, keys):
    assert manage("PATCH", {"contacts": ["a", "b"]}).json["contacts"] == ["a", "b"]
    assert manage("PATCH", {"contacts": ["c"]}).json["contacts"] == ["c"]

    new = keys("ES256", "new")
    assert manage("PATCH", {"jwks": {"keys": [new.public_jwk()]}}).json["jwks"] == {"keys": [new.public_jwk()]}
    assert ask_token_as(registered["client_id"], new) == 200
    assert ask_token_as(registered["client_id"], client_key) == 400


def test_patch_may_keep_the_old_key_beside_the_new(registered, manage, ask_token_as, client_key, keys):
    new = keys("ES256", "new")

    manage("PATCH", {"jwks": {"keys": [client_key.public_jwk(), new.public_jwk()]}})

    assert ask_token_as(registered["client_id"], new) == 200
    assert ask_token_as(registered["client_id"], client_key) == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    "wrong",
    [{"n": 5}, {"key_ops": ["verify", 5]}, {"kid": "\ud800"}, {"key_ops": ["verify", "\udfff"]}, {"e": "\ud800"}],
    ids=ascii,
)
def test_only_key_with_a_member_that_is_not_kept_is_refused(registered, manage, metadata, refusals, wrong, method):
    body = {**sendable(registered), "jwks": {"keys": [{**metadata["jwks"]["keys"][0], **wrong}]}}

    assert_refused(manage(method, body), "invalid_client_metadata", refusals, "jwks_no_usable_key")
    assert refusals[-1].endswith("(a member has the wrong type)")
    assert manage("GET").json == registered


@pytest.mark.parametrize(
    ("method", "client_id"), [("PUT", "another"), ("PUT", 5), *(("PATCH", other) for other in ("another", "", None, 5))]
)
def test_another_client_id_is_refused(registered, manage, refusals, method, client_id):
    answer = manage(method, {**sendable(registered), "client_id": client_id})

    assert_refused(answer, "invalid_client_metadata", refusals, "client_id_not_own")
    assert refusals[-1].endswith("is not the client's own")
    assert manage("GET").json == registered


# --- jwks and jwks_uri ------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_jwks_uri_and_jwks_take_each_others_place(registered, manage, metadata, ask_token_as, client_key, method):
    base = {"client_id": registered["client_id"], "scope": "read"} if method == "PUT" else {}

    by_uri = manage(method, {**base, "jwks_uri": "https://keys.example/set"})
    assert by_uri.status_code == 200
    assert by_uri.json["jwks_uri"] == "https://keys.example/set"
    assert "jwks" not in by_uri.json

    by_value = manage(method, {**base, "jwks": metadata["jwks"]})
    assert by_value.json["jwks"] == metadata["jwks"]
    assert "jwks_uri" not in by_value.json
    assert ask_token_as(registered["client_id"], client_key) == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_jwks_and_jwks_uri_at_once_are_refused(registered, manage, metadata, refusals, method):
    both = {"jwks": metadata["jwks"], "jwks_uri": "https://keys.example/set"}

    answer = manage(method, {"client_id": registered["client_id"], **both})

    assert_refused(answer, "invalid_client_metadata", refusals, "jwks_twice")
    assert manage("GET").json == registered


def test_client_is_not_left_without_keys(registered, manage, refusals):
    assert_refused(manage("PATCH", {"jwks": None}), "invalid_client_metadata", refusals, "jwks_missing")
    assert manage("GET").json == registered


@pytest.mark.parametrize("body", [{"jwks_uri": "https://keys.example/set"}, {"jwks_uri": "https://other.example/set"}])
def test_update_that_names_a_jwks_uri_passes_over_what_was_fetched_and_deletes_nothing(
    app, registered, manage, rows, clock, body
):
    manage("PATCH", {"jwks_uri": "https://keys.example/set"})
    clock.move(100)
    with app.app_context():
        documents = current_state().documents
        for url in ("https://keys.example/set", "https://other.example/set"):
            key = DocumentKey("jwks", url)
            assert documents.claim(key, now=clock.now + 5, not_before=0)  # by a worker whose clock is ahead
            documents.save(key, "{}", fetched_at=clock.now + 5, fresh_until=clock.now + 600)
    before = rows("oauth2_fetched_document")

    assert manage("PATCH", {"client_name": "New"}).status_code == 200
    assert rows("oauth2_client")[0]["jwks_not_before"] == clock.now - 100
    assert manage("PATCH", body).status_code == 200
    assert rows("oauth2_client")[0]["jwks_not_before"] == clock.now + 5
    assert rows("oauth2_fetched_document") == before


# --- what is refused leaves the client as it was ----------------------------------------------------------
@pytest.mark.parametrize(("method", "value"), [("PUT", "x"), ("PUT", 0), ("PATCH", "x"), ("PATCH", 0), ("PATCH", None)])
@pytest.mark.parametrize("member", ISSUED)
def test_what_the_server_issues_is_refused(registered, manage, refusals, method, member, value):
    answer = manage(method, {**sendable(registered), member: value})

    assert_refused(
        answer, "invalid_client_metadata", refusals, "server_member_sent", says=f"{member} is the server's to issue"
    )
    assert manage("GET").json == registered


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_client_secret_is_refused(registered, manage, refusals, method):
    answer = manage(method, {**sendable(registered), "client_secret": "mine"})

    assert_refused(answer, "invalid_client_metadata", refusals, "client_secret_sent")
    assert manage("PATCH", {"client_secret": None}).json == registered


@pytest.mark.parametrize(
    ("change", "error", "cause", "says"),
    [
        ({"jwks": {"keys": []}}, "invalid_client_metadata", "jwks_no_usable_key", ""),
        ({"jwks": {"keys": [{"kty": "oct", "k": "AA"}]}}, "invalid_client_metadata", "jwks_private", ""),
        ({"jwks": "keys"}, "invalid_client_metadata", "jwks_not_accepted", "jwks is missing"),
        (
            {"token_endpoint_auth_method": "none"},
            "invalid_client_metadata",
            "auth_method_not_supported",
            "token_endpoint_auth_method 'none'",
        ),
        (
            {"token_endpoint_auth_method": "client_secret_post"},
            "invalid_client_metadata",
            "auth_method_not_supported",
            "token_endpoint_auth_method",
        ),
        ({"token_endpoint_auth_signing_alg": "RS256"}, "invalid_client_metadata", "jwks_no_usable_key", ""),
        (
            {"grant_types": ["password"]},
            "invalid_client_metadata",
            "grant_type_not_supported",
            "grant type 'password' is not supported",
        ),
        ({"scope": "read delete"}, "invalid_client_metadata", "scope_not_offered", "scope holds 'delete'"),
        (
            {"redirect_uris": ["http://console.example"]},
            "invalid_redirect_uri",
            "redirect_uris_not_accepted",
            "redirect_uris: ",
        ),
        ({"software_statement": "x"}, "unapproved_software_statement", "software_statement", ""),
        (
            {"userinfo_signed_response_alg": "ES256"},
            "invalid_client_metadata",
            "userinfo_signed_response_alg_not_supported",
            "userinfo_signed_response_alg 'ES256'",
        ),
        (
            {"tls_client_certificate_bound_access_tokens": True},
            "invalid_client_metadata",
            "tls_client_certificate_bound_access_tokens_not_supported",
            "tls_client_certificate_b",
        ),
        (
            {"request_uris": ["https://console.example/r"]},
            "invalid_client_metadata",
            "request_uris_not_supported",
            "request_uris ",
        ),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value[:30],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_update_is_held_to_the_rules_of_registration(
    registered, manage, refusals, ask_token_as, client_key, method, change, error, cause, says
):
    answer = manage(method, {**sendable(registered), **change})

    assert_refused(answer, error, refusals, cause, says=says)
    assert manage("GET").json == registered
    assert ask_token_as(registered["client_id"], client_key) == 200


def test_bad_jwks_uri_is_refused(registered, manage, refusals):
    body = {"client_id": registered["client_id"], "jwks_uri": "http://keys.example"}

    assert_refused(manage("PUT", body), "invalid_client_metadata", refusals, "jwks_uri_not_https")


@pytest.mark.parametrize(
    ("method", "content_type"),
    [("PUT", "application/merge-patch+json"), ("PUT", "text/plain"), ("PATCH", "application/json-patch+json")],
)
def test_body_of_another_type_is_refused(registered, manage, refusals, method, content_type):
    answer = manage(method, sendable(registered), headers={"Content-Type": content_type})

    assert_refused(
        answer, "invalid_request", refusals, "content_type", says=f"content type '{content_type}' is not application/"
    )


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "body_not_json"),
        (b"[]", "body_not_object"),
        (b"null", "body_not_object"),
        (b'{"scope": "a", "scope": "b"}', "body_member_repeated"),
        (b"\xff", "body_not_json"),
    ],
)
def test_body_that_is_no_json_object_is_refused(registered, manage, refusals, method, data, cause):
    answer = manage(method, data=data, content_type="application/json")

    assert_refused(answer, "invalid_client_metadata", refusals, cause)
    assert manage("GET").json == registered


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_body_that_is_too_large_is_refused(manage, method):
    assert manage(method, {"a": "x" * 65536}).status_code == 413


def test_refusal_names_the_client_in_the_log(registered, manage, caplog):
    manage("PATCH", {"scope": 5})

    assert f", client {registered['client_id']}, reference" in caplog.text


# --- what only the operator may set -----------------------------------------------------------------------
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_the_operator_set_survives(app, oauth, registered, manage, method):
    given = {"assertion_audience": "compatibility", "owner": "ops", "default_scope": "read"}
    with app.app_context():
        oauth.clients.update(registered["client_id"], given)
    own = {"assertion_audience": "issuer", "owner": "me", "default_scope": "write", "enabled": False}

    assert manage(method, {**sendable(registered), **own, "client_name": "New"}).status_code == 200

    with app.app_context():
        client = oauth.clients.get(registered["client_id"])
    assert (client.assertion_audience, client.owner, client.default_scope) == ("compatibility", "ops", ("read",))
    assert (client.enabled, client.client_name) == (True, "New")


def test_default_scope_follows_when_its_scope_is_given_up(app, oauth, registered, manage):
    with app.app_context():
        oauth.clients.update(registered["client_id"], {"default_scope": "read write"})

    assert manage("PATCH", {"scope": "write"}).status_code == 200

    with app.app_context():
        assert oauth.clients.get(registered["client_id"]).default_scope == ("write",)


def test_scope_the_operator_gave_may_be_sent_back(app, oauth, registered, manage):
    with app.app_context():
        oauth.clients.update(registered["client_id"], {"scope": "read admin"})

    answer = manage("PUT", sendable(manage("GET").json))
    assert answer.json["scope"] == "admin read"


def test_scope_the_operator_took_away_does_not_come_back(app, oauth, registered, manage):
    with app.app_context():
        oauth.clients.update(registered["client_id"], {"scope": "read"})

    assert manage("PATCH", {"scope": "read write"}).json["scope"] == "read"
    assert manage("PUT", sendable(registered)).json["scope"] == "read"


@pytest.mark.parametrize(
    "settings", [{"OAUTH2_REGISTRATION": "token", "OAUTH2_REGISTRATION_SCOPES": ["read", "write"]}]
)
def test_scope_that_clients_may_give_themselves_may_come_later(registered, manage):
    assert manage("PATCH", {"scope": "read"}).json["scope"] == "read"
    assert manage("PATCH", {"scope": "read write admin"}).json["scope"] == "read write"


# --- ending -----------------------------------------------------------------------------------------------
def test_delete_ends_everything_at_once(registered, manage, rows, ask_token_as, client_key, refusals):
    answer = manage("DELETE")

    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Content-Type" not in answer.headers
    assert rows("oauth2_client") == rows("oauth2_client_key") == []
    assert ask_token_as(registered["client_id"], client_key) == 400
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = manage(method, sendable(registered))
        assert_refused(
            answer,
            "invalid_token",
            refusals,
            "client_not_self_managed",
            says=f"client '{registered['client_id']}' is not one that",
        )


def test_delete_ends_the_client_s_access_tokens(registered, manage, register, client_key, post_as, introspect):
    register(client_id="api", jwks={"keys": [client_key.public_jwk()]}, introspection_resources=[API])
    form = {"grant_type": "client_credentials", "scope": "read"}
    token = post_as(registered["client_id"], "/oauth2/token", **form).json["access_token"]
    assert introspect(token, by="api").json["active"] is True

    manage("DELETE")

    assert introspect(token, by="api").data == b'{"active": false}'


def test_delete_leaves_others_alone(post, create_token, manage):
    other = post(create_token()).json

    manage("DELETE")

    uri, token = other["registration_client_uri"], other["registration_access_token"]
    assert manage("GET", uri=uri, token=token).json == other


def test_client_the_operator_removed_is_gone(app, oauth, registered, manage, refusals):
    with app.app_context():
        oauth.clients.remove(registered["client_id"])

    assert_refused(manage("GET"), "invalid_token", refusals, "client_not_self_managed")


# --- reissue ----------------------------------------------------------------------------------------------
def test_reissued_token_takes_the_place_of_the_old(app, registered, manage, refusals):
    with app.app_context():
        issued = current_state().self_registration.reissue(registered["client_id"])

    assert issued["registration_client_uri"] == registered["registration_client_uri"]
    assert_refused(manage("GET"), "invalid_token", refusals, "registration_access_token_mismatch")
    assert manage("GET", token=issued["registration_access_token"]).json == {**registered, **issued}


def test_client_of_the_operator_manages_itself_once_it_has_a_token(app, client, manage):
    with app.app_context():
        issued = current_state().self_registration.reissue(client.client_id)
    uri, token = issued["registration_client_uri"], issued["registration_access_token"]

    assert manage("PATCH", {"client_name": "New"}, uri=uri, token=token).json["client_name"] == "New"


# --- several at once --------------------------------------------------------------------------------------
def test_change_made_meanwhile_is_not_lost(app, oauth, registered, manage, monkeypatch):
    """Another worker changes the client between the reading and the writing of this one."""
    build, changes = ClientRegistry.build, [{"scope": "read"}, {"scope": "write"}]

    def build_meanwhile(registry, metadata, **options):
        if changes:
            monkeypatch.setattr(ClientRegistry, "build", build)
            with app.app_context():
                oauth.clients.update(registered["client_id"], changes.pop())
            monkeypatch.setattr(ClientRegistry, "build", build_meanwhile)
        return build(registry, metadata, **options)

    monkeypatch.setattr(ClientRegistry, "build", build_meanwhile)

    answer = manage("PATCH", {"client_name": "New"})

    assert answer.status_code == 200
    assert (answer.json["client_name"], answer.json["scope"]) == ("New", "read")
    assert manage("GET").json == answer.json


def test_client_that_never_stands_still_is_unavailable(registered, manage, monkeypatch, refusals):
    monkeypatch.setattr(SQLAlchemyRegistrations, "replace", lambda *_, **__: False)

    answer = manage("PATCH", {"client_name": "New"})

    assert_refused(answer, "temporarily_unavailable", refusals, "client_contended", status=503)
    assert answer.headers["Retry-After"] == "5"


def test_client_disabled_in_sql_meanwhile_stays_disabled(server, registered, manage, monkeypatch):
    app, oauth, db = server
    replace = SQLAlchemyRegistrations.replace

    def replace_after_sql(self, before, after, **options):
        with app.app_context(), db.engine.begin() as connection:
            table = oauth.Client.__table__
            connection.execute(update(table).values(enabled=False, version=before.version))
        return replace(self, before, after, **options)

    monkeypatch.setattr(SQLAlchemyRegistrations, "replace", replace_after_sql)
    assert manage("PATCH", {"client_name": "New"}).status_code == 200

    with app.app_context():
        client = oauth.clients.get(registered["client_id"])
    assert (client.client_name, client.enabled) == ("New", False)


def test_change_counts_on_every_worker(server, registered, manage, ask_token_as, client_key, keys, settings):
    """A second app on the same database stands for another worker: it has the client in its memory already."""
    app = server[0]
    other_app, _, other_db = make_app(app.config["SQLALCHEMY_DATABASE_URI"], **settings)
    uri, new = registered["registration_client_uri"].removeprefix(ISSUER), keys("ES256", "new")
    headers = {"Authorization": f"Bearer {registered['registration_access_token']}"}
    assert ask_token_as(registered["client_id"], client_key) == 200

    body = {"jwks": {"keys": [new.public_jwk()]}}
    assert other_app.test_client().patch(uri, json=body, headers=headers).status_code == 200

    assert ask_token_as(registered["client_id"], client_key) == 400
    assert ask_token_as(registered["client_id"], new) == 200
    assert other_app.test_client().delete(uri, headers=headers).status_code == 204
    assert ask_token_as(registered["client_id"], new) == 400
    assert manage("GET").status_code == 401
    close(other_app, other_db)


def test_log_tells_of_changes_and_holds_no_token(registered, manage, caplog):
    caplog.set_level(logging.DEBUG)
    manage("PATCH", {"client_name": "New"})
    manage("GET", token="another-token-that-is-wrong")
    manage("DELETE")

    assert f"client '{registered['client_id']}' changed its registration" in caplog.text
    assert f"client '{registered['client_id']}' deleted its registration" in caplog.text
    assert registered["registration_access_token"] not in caplog.text
    assert "another-token-that-is-wrong" not in caplog.text
