"""The order of the seven steps, and that nothing is spent before the fourth (rows A17, A34, B24, E9, I19)."""

import pytest
from authlib.oauth2.rfc6749 import BaseGrant, ClientCredentialsGrant, TokenEndpointMixin

from flask_private_key_jwt.errors import ConfigurationError, InvalidScope
from flask_private_key_jwt.keys import jose
from flask_private_key_jwt.stores.memory import MemoryReplayStore
from flask_private_key_jwt.tokens.access_token import RESERVED_CLAIMS
from tests.conftest import CLIENT_ID, INVALID_CLIENT, INVALID_PROOF


@pytest.fixture
def remembered(monkeypatch):
    """The marks that any app of this test has spent, request by request."""
    calls = []
    really_remember = MemoryReplayStore.remember

    def remember(self, marks):
        calls.append([(mark.purpose, mark.owner, mark.jti) for mark in marks])
        really_remember(self, marks)

    monkeypatch.setattr(MemoryReplayStore, "remember", remember)
    return calls


def test_assertion_and_proof_are_spent_in_one_step(ask_token, build_assertion, build_dpop, proof_key, remembered):
    ask_token(assertion=build_assertion(jti="a"), proof=build_dpop(jti="p"))

    assert remembered == [[("client_assertion", CLIENT_ID, "a"), ("dpop_proof", proof_key.public.thumbprint, "p")]]


# --- steps 1 to 3 spend nothing -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_assertion_type": "x"}, "invalid_client"),
        ({"client_secret": "x"}, "invalid_request"),
        ({"client_id": "other"}, "invalid_client"),
        ({"headers": {"Authorization": "Basic x"}}, "invalid_request"),
        ({"headers": {"Content-Type": "text/plain"}}, "invalid_request"),
        ({"proof": "x"}, "invalid_dpop_proof"),
        ({"proof": {"htm": "GET"}}, "invalid_dpop_proof"),
        ({"proof": {"iat": 0}}, "invalid_dpop_proof"),
    ],
)
def test_refusal_before_the_fourth_step_spends_nothing(
    change, error, ask_token, build_assertion, build_dpop, remembered
):
    assertion, proof = build_assertion(), build_dpop(jti="p")
    changed = {"proof": proof, **change}
    if isinstance(changed["proof"], dict):
        changed["proof"] = build_dpop(jti="p", **changed["proof"])

    assert ask_token(assertion=assertion, **changed).json["error"] == error

    assert remembered == []
    assert ask_token(assertion=assertion, proof=proof).status_code == 200


@pytest.mark.parametrize("settings", [{"OAUTH2_DPOP_NONCE": "required"}])
def test_being_sent_for_a_nonce_spends_nothing(ask_token, build_assertion, build_dpop, remembered):
    assertion = build_assertion()

    answer = ask_token(assertion=assertion, proof=build_dpop(jti="p"))

    assert (answer.json["error"], remembered) == ("use_dpop_nonce", [])
    proof = build_dpop(jti="p", nonce=answer.headers["DPoP-Nonce"])
    assert ask_token(assertion=assertion, proof=proof).status_code == 200


def test_stranger_cannot_spend_the_jti_of_a_client(ask_token, build_assertion, keys, client_key, remembered):
    forged = build_assertion(key=keys("ES256", "stranger"), jti="a", header={"kid": client_key.public.thumbprint})

    assert ask_token(assertion=forged).json == INVALID_CLIENT

    assert remembered == []
    assert ask_token(assertion=build_assertion(jti="a")).status_code == 200


# --- from the fourth on both are spent ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"resource": "https://evil.example"}, "invalid_target"),
    ],
)
def test_later_refusal_has_spent_assertion_and_proof(change, error, ask_token, build_assertion, build_dpop):
    assertion, proof = build_assertion(), build_dpop()
    assert ask_token(assertion=assertion, proof=proof, **change).json["error"] == error

    assert ask_token(assertion=assertion, proof=build_dpop()).json == INVALID_CLIENT
    assert ask_token(proof=proof).json == INVALID_PROOF


def test_replayed_proof_leaves_the_assertion_good(ask_token, build_assertion, build_dpop):
    proof, assertion = build_dpop(), build_assertion()
    ask_token(proof=proof)

    assert ask_token(assertion=assertion, proof=proof).json == INVALID_PROOF

    assert ask_token(assertion=assertion, proof=build_dpop()).status_code == 200


def test_replayed_assertion_leaves_the_proof_good(ask_token, build_assertion, build_dpop):
    proof, assertion = build_dpop(), build_assertion()
    ask_token(assertion=assertion)

    assert ask_token(assertion=assertion, proof=proof).json == INVALID_CLIENT

    assert ask_token(proof=proof).status_code == 200


@pytest.mark.parametrize("used", ["assertion", "proof"])
def test_replay_is_logged_with_the_client(used, ask_token, build_assertion, build_dpop, caplog):
    twice = {used: build_assertion() if used == "assertion" else build_dpop()}
    ask_token(**twice)

    ask_token(**twice)

    assert f"was used before [client {CLIENT_ID}, reference " in caplog.messages[-1]


# --- which refusal comes first: what is wrong earlier in the table of contents --------------------------------
def test_form_comes_before_the_client(ask_token, refusals):
    ask_token(assertion="x", headers={"Content-Type": "text/plain"})

    assert refusals[0].startswith("content type")


def test_client_comes_before_the_proof(ask_token, refusals):
    ask_token(assertion="x", proof="x")

    assert refusals == ["assertion: not a compact JWS of three base64url parts"]


def test_proof_comes_before_the_grant(ask_token, refusals):
    ask_token(proof="x", grant_type="password", scope="admin")

    assert refusals == ["proof: not a compact JWS of three base64url parts"]


# --- Authlib's server underneath ------------------------------------------------------------------------------
class OwnGrant(BaseGrant, TokenEndpointMixin):
    """Written as Authlib's documentation teaches, with the one line that is needed here."""

    GRANT_TYPE = "urn:example:own"
    TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]

    def validate_token_request(self):
        self.request.client = self.authenticate_token_endpoint_client()

    def create_token_response(self):
        token = self.generate_token(scope=self.request.payload.scope, expires_in=60, include_refresh_token=True)
        self.save_token(token)
        return 200, token, self.TOKEN_RESPONSE_HEADER


@pytest.fixture
def authorization_server(app):
    return app.extensions["private_key_jwt"].server


def test_grant_of_the_application_answers_by_the_same_rules(oauth, ask_token, build_dpop, proof_key):
    oauth.register_grant(OwnGrant)

    answer = ask_token(grant_type=OwnGrant.GRANT_TYPE, proof=build_dpop())

    claims = jose.decode_unverified(answer.json["access_token"])[1]
    assert answer.json["token_type"] == "DPoP"
    assert answer.json["expires_in"] == claims["exp"] - claims["iat"] == 60
    assert (claims["cnf"], claims["scope"]) == ({"jkt": proof_key.public.thumbprint}, "read")
    assert "refresh_token" not in answer.json


@pytest.mark.parametrize(
    ("change", "error"),
    [({"scope": "admin"}, "invalid_scope"), ({"resource": "https://evil.example"}, "invalid_target")],
)
def test_grant_of_the_application_cannot_step_over_the_rules(change, error, oauth, ask_token):
    oauth.register_grant(OwnGrant)

    assert ask_token(grant_type=OwnGrant.GRANT_TYPE, **change).json["error"] == error


@pytest.mark.parametrize("where", ["oauth", "authorization_server"])
def test_grant_that_forgets_the_method_is_told_what_to_add(where, request):
    with pytest.raises(ConfigurationError, match=r'TOKEN_ENDPOINT_AUTH_METHODS = \["private_key_jwt"\]'):
        request.getfixturevalue(where).register_grant(ClientCredentialsGrant)


def test_no_other_way_of_authenticating_can_be_added(authorization_server):
    with pytest.raises(ConfigurationError, match="private_key_jwt only"):
        authorization_server.register_client_auth_method("client_secret_basic", lambda *_: None)


def test_registered_client_is_found_in_the_shape_of_authlib(authorization_server, app, client, oauth):
    with app.app_context():
        assert authorization_server.query_client(CLIENT_ID).get_client_id() == CLIENT_ID
        assert authorization_server.query_client("nobody") is None
        oauth.clients.disable(CLIENT_ID)
        assert authorization_server.query_client(CLIENT_ID) is None


# --- the token policy -------------------------------------------------------------------------------------------
def test_policy_adds_claims(oauth, ask_token):
    @oauth.token_policy
    def policy(client, request, grant):
        return {"tenant": f"{client.client_id} {request.get('grant_type')} {' '.join(grant.scope)}"}

    claims = jose.decode_unverified(ask_token().json["access_token"])[1]

    assert claims["tenant"] == "console client_credentials read"


def test_policy_may_refuse(oauth, ask_token, refusals):
    @oauth.token_policy
    def policy(client, request, grant):
        raise InvalidScope("not at night", client_id=client.client_id)

    answer = ask_token()

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")
    assert refusals == ["not at night"]


@pytest.mark.parametrize("claim", sorted(RESERVED_CLAIMS))
def test_policy_cannot_set_what_the_server_says(claim, oauth, ask_token, build_dpop, refusals):
    @oauth.token_policy
    def policy(client, request, grant):
        return {claim: "evil"}

    answer = ask_token(proof=build_dpop())

    assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
    assert refusals == [f"set up wrongly: The token policy may not set {claim}; the server does."]


class TextOnly:
    def __str__(self):
        return "private"


@pytest.mark.parametrize("debug", [True, False])
def test_defect_of_the_application_is_a_500_in_json_and_a_traceback_for_its_developers(
    debug, app, oauth, ask_token, refusals, caplog
):
    app.debug = debug
    oauth.token_policy(lambda client, request, grant: {"tenant": TextOnly()})
    if debug:
        with pytest.raises(TypeError):
            ask_token()
        return

    answer = ask_token()

    sentence = "The server met an unexpected condition."
    assert (answer.status_code, answer.json) == (500, {"error": "server_error", "error_description": sentence})
    assert answer.headers["Cache-Control"] == "no-store"
    assert refusals == ["unexpected TypeError"]
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [TypeError]
