"""``@oauth.token_policy`` adds claims or refuses a token; it cannot change the server's own claims."""

import logging

import pytest
from authlib.oauth2.rfc6749.errors import AccessDeniedError

from flask_private_key_jwt.authorization_server.tokens.access_token import RESERVED_CLAIMS
from flask_private_key_jwt.errors import InvalidScope, OAuthError
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.signals import token_issued
from tests.conftest import API, CLIENT_ID, close, make_app
from tests.refusals import causes


class AccessDenied(OAuthError):
    """An application's own refusal."""

    code = "access_denied"
    status = 403
    description = "The contract has ended."


def claims_of(answer):
    return jose.decode_unverified(answer.json["access_token"])[1]


def test_policy_adds_claims(oauth, ask_token):
    oauth.token_policy(lambda client, request, grant: {"tenant": 5, "roles": ["a"]})

    claims = claims_of(ask_token())
    assert (claims["tenant"], claims["roles"]) == (5, ["a"])


@pytest.mark.parametrize("nothing", [None, {}])
def test_policy_may_add_nothing(nothing, oauth, ask_token):
    plain = claims_of(ask_token()).keys()
    oauth.token_policy(lambda client, request, grant: nothing)

    assert claims_of(ask_token()).keys() == plain


def test_several_policies_all_count_and_the_last_wins(oauth, ask_token):
    oauth.token_policy(lambda client, request, grant: {"a": 1, "b": 1})
    oauth.token_policy(lambda client, request, grant: {"b": 2, "c": 2})

    claims = claims_of(ask_token())
    assert (claims["a"], claims["b"], claims["c"]) == (1, 2, 2)


def test_policy_sees_the_client_the_request_and_the_grant(oauth, ask_token, build_dpop, proof_key):
    seen = []

    @oauth.token_policy
    def look(client, request, grant):
        seen.append((client, request, grant))

    ask_token(scope="write", resource=API, proof=build_dpop(), tenant="5")

    ((client, request, grant),) = seen
    assert client.client_id == CLIENT_ID
    assert (request.get("tenant"), request.resources) == ("5", (API,))
    assert (grant.grant_type, grant.client_id, grant.subject) == ("client_credentials", CLIENT_ID, CLIENT_ID)
    assert (grant.scope, grant.audience, grant.lifetime) == (("write",), (API,), 600)
    assert grant.proof.thumbprint == proof_key.public.thumbprint


def test_decorator_gives_the_function_back(oauth):
    def policy(client, request, grant):
        return None

    assert oauth.token_policy(policy) is policy


def test_policy_is_not_asked_about_a_request_that_is_refused_anyway(oauth, ask_token):
    asked = []
    oauth.token_policy(lambda *arguments: asked.append(arguments))

    ask_token(scope="admin")
    ask_token(assertion="nonsense")

    assert asked == []


@pytest.mark.parametrize("claim", sorted(RESERVED_CLAIMS))
def test_claims_of_the_server_are_protected(claim, oauth, ask_token, refusals, caplog):
    oauth.token_policy(lambda client, request, grant: {claim: "mine", "tenant": 5})

    answer = ask_token()

    assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
    assert refusals == [f"set up wrongly: The token policy may not set {claim}; the server does."]
    assert causes(refusals) == ["setup_wrong"]
    assert caplog.records[-1].levelno == logging.ERROR


def test_reserved_claims_are_those_the_server_sets(ask_token, build_dpop):
    set_by_server = claims_of(ask_token(proof=build_dpop())).keys()

    assert set_by_server <= RESERVED_CLAIMS
    assert RESERVED_CLAIMS - set_by_server == {"nbf", "auth_time", "act", "may_act"}


@pytest.mark.parametrize(
    ("refusal", "status", "body"),
    [
        (
            AccessDenied("contract of tenant 5"),
            403,
            {"error": "access_denied", "error_description": "The contract has ended."},
        ),
        (
            InvalidScope("write is closed at night"),
            400,
            {"error": "invalid_scope", "error_description": "The requested scope is invalid."},
        ),
        (
            AccessDeniedError(description="tenant 5 has not paid"),
            400,
            {"error": "access_denied", "error_description": "The request was refused."},
        ),
    ],
)
def test_policy_refuses_by_raising(refusal, status, body, oauth, ask_token, refusals):
    @oauth.token_policy
    def refuse(client, request, grant):
        raise refusal

    answer = ask_token()

    assert (answer.status_code, answer.json) == (status, body)
    assert answer.headers["Cache-Control"] == "no-store"
    (reason,) = refusals
    assert reason.endswith(getattr(refusal, "reason", None) or refusal.description)


def test_refused_token_is_not_announced(oauth, app, ask_token):
    announced = []

    @oauth.token_policy
    def refuse(client, request, grant):
        raise InvalidScope("closed")

    def note(sender, **event):
        announced.append(event)

    with token_issued.connected_to(note, app):
        ask_token()

    assert announced == []


def test_defect_in_a_policy_is_a_server_error_that_says_nothing(oauth, app, ask_token, caplog):
    @oauth.token_policy
    def broken(client, request, grant):
        raise KeyError("tenant 5")

    answer = ask_token()

    assert answer.status_code == 500
    assert answer.json == {"error": "server_error", "error_description": "The server met an unexpected condition."}
    assert "tenant 5" in caplog.text


def test_defect_in_a_policy_is_raised_while_testing(oauth, app, ask_token):
    app.testing = True

    @oauth.token_policy
    def broken(client, request, grant):
        raise KeyError("tenant 5")

    with pytest.raises(KeyError):
        ask_token()


def test_policy_of_one_extension_is_not_anothers(ask_token, tmp_path):
    app, other, db = make_app(f"sqlite:///{tmp_path}/other.sqlite")
    other.token_policy(lambda client, request, grant: {"tenant": 5})
    close(app, db)

    assert "tenant" not in claims_of(ask_token())
