"""How a token is answered. Scope and resource are tested in grants/."""

import json

import pytest
from authlib.oauth2.rfc6749 import BaseGrant, TokenEndpointMixin

from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.signals import token_issued
from tests.authorization_server.endpoints.answers import assert_json_never_stored, assert_refused
from tests.conftest import API, CLIENT_ID, ISSUER, START


def claims_of(answer):
    return jose.decode_unverified(answer.json["access_token"])[1]


# --- the answer -------------------------------------------------------------------------------------------
def test_answer_holds_the_token_and_what_it_is_good_for(ask_token):
    answer = ask_token(scope="read write")

    assert answer.status_code == 200
    assert answer.json == {
        "access_token": answer.json["access_token"],
        "token_type": "Bearer",
        "expires_in": 600,
        "scope": "read write",
    }
    assert_json_never_stored(answer)
    assert "DPoP-Nonce" not in answer.headers
    assert "Error-Reference" not in answer.headers


def test_token_has_the_claims_of_rfc_9068_and_is_signed_with_a_published_key(ask_token, app):
    answer = ask_token()

    jwt = jose.parse(answer.json["access_token"], max_bytes=8192)
    keys = [jose.import_public_jwk(jwk) for jwk in json.loads(app.test_client().get("/oauth2/jwks").data)["keys"]]
    (key,) = [key for key in keys if key.kid == jwt.kid]
    assert jose.verify(jwt, key)
    assert jwt.header == {"alg": "ES256", "typ": "at+jwt", "kid": key.kid}
    claims = dict(jwt.claims)
    assert len(claims.pop("jti")) >= 22
    assert len(claims.pop("grant_id")) >= 22
    assert claims == {
        "iss": ISSUER,
        "aud": API,
        "sub": CLIENT_ID,
        "client_id": CLIENT_ID,
        "iat": START,
        "exp": START + 600,
        "scope": "read",
    }


@pytest.mark.parametrize("settings", [{"OAUTH2_ACCESS_TOKEN_LIFETIME_SECONDS": 90}])
def test_lifetime_is_a_setting_of_answer_and_token_alike(ask_token):
    answer = ask_token()

    assert answer.json["expires_in"] == 90
    assert claims_of(answer)["exp"] == START + 90


def test_two_tokens_have_nothing_secret_in_common(ask_token):
    first, second = claims_of(ask_token()), claims_of(ask_token())

    assert first["jti"] != second["jti"]
    assert first["grant_id"] != second["grant_id"]


def test_issue_is_announced_without_the_token(ask_token, app):
    events = []
    with token_issued.connected_to(lambda sender, **event: events.append(event), sender=app):
        answer = ask_token()

    (event,) = events
    assert (event["client_id"], event["scope"], event["jkt"]) == (CLIENT_ID, ("read",), None)
    assert answer.json["access_token"] not in str(event)


# --- grant_type -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("grant_type", [None, ""])
def test_missing_grant_type_is_refused(grant_type, ask_token, refusals):
    assert_refused(ask_token(grant_type=grant_type), "invalid_request", refusals, "grant_type_missing")


@pytest.mark.parametrize(
    "grant_type",
    [
        "password",
        "implicit",
        "authorization_code",
        "refresh_token",
        "CLIENT_CREDENTIALS",
        "client_credentials ",
        "x" * 999,
    ],
)
def test_other_grant_type_is_refused(grant_type, ask_token, refusals):
    form = {"username": "alice", "password": "wonderland", "code": "x", "refresh_token": "x"}

    answer = ask_token(grant_type=grant_type, **form)

    assert_refused(
        answer,
        "unsupported_grant_type",
        refusals,
        "grant_type_unknown",
        says=f"grant_type {grant_type[:100]!r} is not registered",
    )


def test_client_that_is_not_registered_for_the_grant_is_refused(
    oauth, register, keys, ask_token, build_assertion, refusals
):
    oauth.register_grant(OtherGrant)
    register(client_id="other", jwks={"keys": [keys().public_jwk()]}, grant_types=[OtherGrant.GRANT_TYPE])

    answer = ask_token(assertion=build_assertion(key=keys(), iss="other", sub="other"))

    assert_refused(
        answer,
        "unauthorized_client",
        refusals,
        "grant_type_not_registered",
        says="not registered for 'client_credentials'",
    )


class OtherGrant(BaseGrant, TokenEndpointMixin):
    GRANT_TYPE = "urn:example:other"
    TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]


def test_client_credentials_give_no_refresh_token(ask_token):
    assert not {"refresh_token", "id_token"} & ask_token(scope="read write").json.keys()


def test_audience_parameter_of_other_servers_is_not_read(ask_token):
    assert claims_of(ask_token(audience="https://evil.example"))["aud"] == API
