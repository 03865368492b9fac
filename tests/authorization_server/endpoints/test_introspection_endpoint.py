"""Introspection (RFC 7662): who may read which claims of an access token; all others get nothing."""

import json
import secrets

import pytest

from flask_private_key_jwt.errors import InvalidTarget
from flask_private_key_jwt.jose import jose
from tests.authorization_server.endpoints.answers import assert_json_never_stored
from tests.conftest import API, CLIENT_ID, ISSUER
from tests.refusals import causes

FILES = "urn:example:files"
INACTIVE = b'{"active": false}'


@pytest.fixture
def token(ask_token):
    """A Bearer token of the usual client, for the usual API."""
    return ask_token().json["access_token"]


@pytest.fixture
def other(register, client_key):
    """Another client; ``other("api", introspection_resources=[API])`` is a resource server."""

    def other(client_id="other", **metadata):
        return register(client_id=client_id, jwks={"keys": [client_key.public_jwk()]}, scope="read", **metadata)

    return other


def assert_inactive(answer, refusals, cause, *, says=""):
    """One and the same answer, whatever the reason, which is the log's."""
    assert (answer.status_code, answer.data) == (200, INACTIVE)
    assert_json_never_stored(answer)
    assert len(answer.headers["Error-Reference"]) == 16
    assert causes(refusals) == [cause], refusals
    assert refusals.pop().startswith(says)


# --- what is said ---------------------------------------------------------------------------------------------
def test_client_reads_what_its_token_says(introspect, token, clock):
    answer = introspect(token)

    assert answer.status_code == 200
    assert_json_never_stored(answer)
    assert answer.json == {
        "active": True,
        "token_type": "Bearer",
        "iss": ISSUER,
        "sub": CLIENT_ID,
        "client_id": CLIENT_ID,
        "aud": API,
        "scope": "read",
        "iat": clock.now,
        "exp": clock.now + 600,
        "jti": jose.decode_unverified(token)[1]["jti"],
    }


@pytest.mark.parametrize("header", [None, "no proof at all"])
def test_bound_token_says_so_and_needs_no_proof(header, introspect, ask_token, build_dpop, proof_key):
    bound = ask_token(proof=build_dpop()).json["access_token"]

    answer = introspect(bound, headers={"DPoP": header} if header else {}).json

    assert (answer["active"], answer["token_type"]) == (True, "DPoP")
    assert answer["cnf"] == {"jkt": proof_key.public.thumbprint}


def test_claims_of_the_token_policy_are_said_but_decide_nothing(oauth, introspect, ask_token):
    oauth.token_policy(lambda *_: {"tenant": {"id": 7}, "active": False, "token_type": "evil"})

    answer = introspect(ask_token().json["access_token"]).json

    assert answer["tenant"] == {"id": 7}
    assert (answer["active"], answer["token_type"]) == (True, "Bearer")


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "", "x", "urn:nonsense", "é" * 500])
def test_hint_changes_nothing(hint, introspect, token):
    assert introspect(token, token_type_hint=hint).json["active"] is True


def test_look_ends_nothing(introspect, token):
    assert [introspect(token).json["active"] for _ in range(3)] == [True] * 3


# --- who may know ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("settings", [{"OAUTH2_RESOURCES": [API, FILES]}])
@pytest.mark.parametrize(
    ("audience", "served", "active"),
    [
        (API, [API], True),
        (API, [API, FILES], True),
        ([API, FILES], [FILES], True),
        (API, [FILES], False),
        (API, [], False),
    ],
)
def test_resource_server_reads_tokens_that_are_made_for_it(audience, served, active, other, introspect, ask_token):
    other("api", introspection_resources=served)
    token = ask_token(resource=audience).json["access_token"]

    assert introspect(token, by="api").json["active"] is active


def test_token_of_another_client_is_nobody_s_business(other, introspect, token, refusals):
    other()

    says = "the access token belongs to client 'console', not for the caller to see"
    assert_inactive(introspect(token, by="other"), refusals, "token_foreign", says=says)


def test_policy_of_the_application_decides_instead(oauth, other, introspect, token):
    other()
    asked = []

    @oauth.introspection_policy
    def policy(caller, claims):
        asked.append((caller.client_id, claims["client_id"], claims["scope"], "grant_id" in claims))
        return caller.client_id == "other"

    assert introspect(token, by="other").json["active"] is True
    assert introspect(token).data == INACTIVE
    assert asked == [("other", CLIENT_ID, "read", False), (CLIENT_ID, CLIENT_ID, "read", False)]


@pytest.mark.parametrize("answers", [(None,), (False,), (0,), (True, False), (None, True)])
def test_policies_that_do_not_all_say_yes_say_no(answers, oauth, introspect, token):
    for answer in answers:
        oauth.introspection_policy(lambda *_, answer=answer: answer)

    assert introspect(token).data == INACTIVE


def test_policy_cannot_change_what_a_token_says(oauth, introspect, ask_token, build_dpop, proof_key):
    @oauth.introspection_policy
    def policy(caller, claims):
        claims["scope"] = "admin"
        claims["cnf"]["jkt"] = "stolen"
        return True

    bound = ask_token(proof=build_dpop()).json["access_token"]

    for _ in range(2):
        answer = introspect(bound).json
        assert (answer["scope"], answer["cnf"]) == ("read", {"jkt": proof_key.public.thumbprint})


def test_policy_may_refuse_the_request(oauth, introspect, token, refusals):
    @oauth.introspection_policy
    def policy(caller, claims):
        raise InvalidTarget("not from here")

    answer = introspect(token)

    assert (answer.status_code, answer.json["error"], refusals) == (400, "invalid_target", ["not from here"])
    assert causes(refusals) == ["invalid_target"]


# --- what counts no longer, or never did --------------------------------------------------------------------------
def test_token_is_inactive_from_the_second_it_expires(introspect, token, clock, refusals):
    clock.move(599)
    assert introspect(token).json["active"] is True
    clock.move(1)

    assert_inactive(introspect(token), refusals, "token_expired")


def test_token_of_a_clock_that_is_a_little_ahead_is_active(introspect, token, clock):
    clock.move(-5)

    assert introspect(token).json["active"] is True


@pytest.mark.parametrize("ended", ["disabled", "removed"])
def test_token_of_a_client_that_is_gone_is_inactive(ended, app, oauth, other, introspect, token, clock, refusals):
    other("api", introspection_resources=[API])
    with app.app_context():
        oauth.clients.disable(CLIENT_ID) if ended == "disabled" else oauth.clients.remove(CLIENT_ID)

    cause = "client_gone" if ended == "disabled" else "token_revoked"
    assert_inactive(introspect(token, by="api"), refusals, cause)


def test_token_of_a_client_that_is_enabled_again_is_active_again(app, oauth, introspect, token):
    with app.app_context():
        oauth.clients.disable(CLIENT_ID)
        oauth.clients.update(CLIENT_ID, {"enabled": True})

    assert introspect(token).json["active"] is True


def test_token_of_a_removed_client_stays_dead_when_its_name_is_used_again(
    app, oauth, introspect, ask_token, token, other, clock, refusals
):
    with app.app_context():
        oauth.clients.remove(CLIENT_ID)
    clock.move(1)
    other(CLIENT_ID)

    assert_inactive(introspect(token), refusals, "token_revoked")
    assert introspect(ask_token(scope="read").json["access_token"]).json["active"] is True


def test_token_of_a_withdrawn_key_is_inactive(app, introspect, token, refusals):
    keys = app.extensions["private_key_jwt"].server_keys
    with app.app_context():
        keys.retire(keys.current().signing.public.kid)

    assert_inactive(introspect(token), refusals, "token_no_key")


@pytest.fixture
def forge(app, keys, clock):
    """An access token made with the server's own key, or another one's, with things changed."""

    def forge(*, key=None, header=None, **changes):
        with app.app_context():
            own = app.extensions["private_key_jwt"].server_keys.current().signing
        claims = {
            "iss": ISSUER,
            "sub": CLIENT_ID,
            "aud": API,
            "client_id": CLIENT_ID,
            "iat": clock.now,
            "exp": clock.now + 600,
            "jti": secrets.token_urlsafe(8),
            "grant_id": "g",
            "scope": "read",
            **changes,
        }
        full = {"typ": "at+jwt", "kid": own.public.kid, **(header or {})}
        return jose.sign(full, {name: value for name, value in claims.items() if value is not None}, key or own)

    return forge


def test_what_is_forged_here_is_good_but_for_what_is_changed(client, introspect, forge):
    assert introspect(forge()).json["active"] is True


@pytest.mark.parametrize(
    ("change", "cause", "says"),
    [
        ({"key": "stranger"}, "token_signature", ""),
        ({"header": {"typ": "JWT"}}, "token_typ", "token: typ 'jwt' is not at+jwt"),
        ({"header": {"typ": "dpop+jwt"}}, "token_typ", "token: typ 'dpop+jwt' is not at+jwt"),
        ({"header": {"kid": "x"}}, "token_no_key", "token: the issuer has no key with kid 'x'"),
        ({"iss": "https://evil.example"}, "token_iss", "token: iss 'https://evil.example' is not"),
        ({"client_id": None}, "token_client_id_missing", ""),
        ({"jti": None}, "token_jti_missing", ""),
        ({"exp": None}, "token_exp_missing", ""),
        ({"exp": 1}, "token_expired", ""),
        ({"nbf": 4_000_000_000}, "token_not_yet_valid", "token: iat or nbf is in the future"),
        ({"client_id": "nobody", "aud": FILES}, "token_foreign", "the access token belongs to client 'nobody'"),
    ],
)
def test_what_is_no_token_of_ours_is_inactive(change, cause, says, client, introspect, forge, keys, refusals):
    if "key" in change:
        change = {"key": keys("ES256", change["key"])}

    assert_inactive(introspect(forge(**change)), refusals, cause, says=says)


@pytest.mark.parametrize("text", ["x", "\x00", " ", "é" * 20, "null", "-" * 43, "A" * 60000])
def test_what_no_token_looks_like_is_inactive(text, client, introspect, refusals):
    assert_inactive(introspect(text), refusals, "token_unknown")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (".", "token_malformed"),
        ("..", "token_malformed"),
        ("a.b.c", "token_not_base64"),
        ("a.b.c.d", "token_malformed"),
        ("eyJ.eyJ.x", "token_not_json"),
        ("." * 60000, "token_malformed"),
        ("e30.e30.", "token_malformed"),
        ("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.", "token_malformed"),
    ],
)
def test_what_is_no_jwt_is_inactive(text, cause, client, introspect, refusals):
    assert_inactive(introspect(text), refusals, cause)


def test_assertion_shown_as_a_token_is_inactive_and_not_logged(client, introspect, build_assertion, refusals, caplog):
    shown = build_assertion()

    assert_inactive(introspect(shown), refusals, "token_typ", says="token: typ None is not at+jwt")
    assert shown[-20:] not in caplog.text


def test_token_is_not_in_the_log(other, introspect, token, caplog):
    other()
    with caplog.at_level(0):
        introspect(token)
        introspect(token, by="other")
        introspect(token[:-4])

    assert token[-30:-4] not in caplog.text


# --- the request -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("token", [None, ""])
def test_token_is_required(token, client, introspect, refusals):
    answer = introspect(token)

    assert (answer.status_code, answer.json["error"], causes(refusals)) == (
        400,
        "invalid_request",
        ["token_parameter_missing"],
    )
    assert_json_never_stored(answer)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/oauth2/introspect", "/oauth2/revoke"])
def test_other_methods_are_refused(method, path, app, token):
    answer = app.test_client().open(f"{path}?token={token}", method=method)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_parameters_in_the_url_do_not_count(app, token, build_assertion):
    query = {"client_assertion": build_assertion()}

    answer = app.test_client().post("/oauth2/introspect", query_string=query, data={"token": token})

    assert answer.status_code == 401


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data", ""])
def test_form_is_required(content_type, app, token):
    body = json.dumps({"token": token})

    assert app.test_client().post("/oauth2/introspect", data=body, content_type=content_type).status_code == 400


# --- the caller --------------------------------------------------------------------------------------------------
def test_caller_has_to_authenticate(app, client, token, refusals):
    for form, reason in (
        ({"token": token}, "no client_assertion"),
        ({"token": token, "client_id": CLIENT_ID}, "no client_assertion"),
        ({"token": token, "client_id": "nobody"}, "no client_assertion, and client 'nobody' is not registered"),
    ):
        answer = app.test_client().post("/oauth2/introspect", data=form)

        assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
        assert answer.headers.getlist("WWW-Authenticate") == ['Basic realm="private_key_jwt is needed instead"']
        assert refusals.pop() == reason


def test_secret_is_no_way_in(app, client, token):
    answer = app.test_client().post("/oauth2/introspect", data={"token": token}, auth=(CLIENT_ID, "secret"))

    assert answer.status_code == 401


def test_token_is_no_way_in(app, client, token):
    """RFC 7662 §2.1 allows it; whoever steals one bearer token would learn of others."""
    answer = app.test_client().post(
        "/oauth2/introspect", data={"token": token}, headers={"Authorization": f"Bearer {token}"}
    )

    assert answer.status_code == 401


def test_assertion_is_good_once(introspect, ask_token, token, build_assertion, refusals):
    assertion = build_assertion()
    assert introspect(token, assertion=assertion).json["active"] is True

    answer = introspect(token, assertion=assertion)

    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert ask_token(assertion=assertion).status_code == 400
    assert causes(refusals) == ["assertion_replayed"] * 2


def test_refused_authentication_spends_nothing(introspect, token, build_assertion, keys):
    jti = secrets.token_urlsafe(8)
    assert introspect(token, assertion=build_assertion(jti=jti, key=keys("ES256", "stranger"))).status_code == 401

    assert introspect(token, assertion=build_assertion(jti=jti)).json["active"] is True


@pytest.mark.parametrize("settings", [{"OAUTH2_DPOP_NONCE": "required", "OAUTH2_DPOP_REQUIRED": True}])
def test_no_proof_is_needed_even_where_tokens_are_bound(client, introspect, refusals):
    assert_inactive(introspect("x"), refusals, "token_unknown")
