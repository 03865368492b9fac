"""The table of grants decides what is served, advertised and registered for: a new grant is one file and one line."""

import pytest

from flask_private_key_jwt.authorization_server.grants import GRANTS, token_grants
from flask_private_key_jwt.authorization_server.grants.base import Allowed, BuiltInGrant
from flask_private_key_jwt.authorization_server.registration import authentication
from flask_private_key_jwt.errors import InvalidClientMetadata, InvalidGrant, InvalidScope
from flask_private_key_jwt.jose import jose
from tests.authorization_server.endpoints.answers import assert_refused
from tests.conftest import CLIENT_ID
from tests.refusals import causes

EXCHANGE, VISIT = "urn:example:exchange", "urn:example:visit"
METADATA_PATH = "/.well-known/oauth-authorization-server"


class ExchangeGrant:
    """Takes an access token of this server, once, and gives another for the same subject."""

    def __init__(self, parts):
        self._issued = parts.issued
        self.used = set()

    def check(self, request, client, proof):
        token = self._issued.load(request.get("subject_token") or "")
        return Allowed(
            grant_type=EXCHANGE,
            client=client,
            request=request,
            proof=proof,
            subject=token.claims["sub"],
            scope=request.get("scope"),
            lifetime=30,
            spend=lambda: self._use(token.claims["jti"]),
        )

    def _use(self, jti):
        if jti in self.used:
            raise InvalidGrant("the token was exchanged before")
        self.used.add(jti)
        return "another one"


@pytest.fixture(autouse=True)
def _longer_table(monkeypatch):
    table = (*GRANTS, BuiltInGrant(EXCHANGE, ExchangeGrant), BuiltInGrant(VISIT, ExchangeGrant, frozenset({"people"})))
    monkeypatch.setattr(token_grants, "GRANTS", table)
    monkeypatch.setattr(authentication, "GRANTS", table)


@pytest.fixture
def exchange(app, oauth, ask_token):
    """A valid exchange, changed."""
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"grant_types": ["client_credentials", EXCHANGE]})
    token = ask_token(scope="read write").json["access_token"]
    return lambda **changes: ask_token(**{"grant_type": EXCHANGE, "subject_token": token, **changes})


def test_new_grant_is_advertised(app):
    assert app.test_client().get(METADATA_PATH).json["grant_types_supported"] == ["client_credentials", EXCHANGE]


def test_new_grant_is_served_by_the_rules_of_all(exchange, build_dpop, proof_key):
    answer = exchange(scope="write", proof=build_dpop())

    assert (answer.json["token_type"], answer.json["expires_in"], answer.json["scope"]) == ("DPoP", 30, "write")
    assert answer.json["refresh_token"] == "another one"
    claims = jose.decode_unverified(answer.json["access_token"])[1]
    assert (claims["sub"], claims["cnf"]) == (CLIENT_ID, {"jkt": proof_key.public.thumbprint})
    assert exchange(scope="admin").json["error"] == "invalid_scope"


def test_what_it_takes_is_spent_once(exchange, refusals):
    assert exchange().status_code == 200

    assert exchange().json["error"] == "invalid_grant"
    assert refusals == ["the token was exchanged before"]
    assert causes(refusals) == ["invalid_grant"]


def test_refusal_on_the_way_has_not_spent_it(exchange, oauth):
    closed = [True]

    @oauth.token_policy
    def refuse(client, request, grant):
        if closed:
            raise InvalidScope("closed at night")

    assert exchange().json["error"] == "invalid_scope"
    assert exchange(resource="https://evil.example").json["error"] == "invalid_target"

    closed.clear()
    assert exchange().status_code == 200


def test_client_that_is_not_registered_for_it_is_refused(ask_token, refusals):
    assert_refused(
        ask_token(grant_type=EXCHANGE),
        "unauthorized_client",
        refusals,
        "grant_type_not_registered",
        says=f"not registered for {EXCHANGE!r}",
    )


def test_grant_that_needs_people_is_not_there_without(app, oauth, ask_token, refusals):
    assert_refused(
        ask_token(grant_type=VISIT),
        "unsupported_grant_type",
        refusals,
        "grant_type_unknown",
        says=f"grant_type {VISIT!r} is not",
    )

    oauth.user(lambda: None)
    assert VISIT in app.test_client().get(METADATA_PATH).json["grant_types_supported"]
    assert ask_token(grant_type=VISIT).json["error"] == "unauthorized_client"


def test_grant_that_is_not_for_public_clients_cannot_be_registered_by_one(oauth, register):
    oauth.user(lambda: None)
    public = {"token_endpoint_auth_method": "none", "redirect_uris": ["https://app.example/callback"]}

    with pytest.raises(InvalidClientMetadata) as refused:
        register(**public, grant_types=["authorization_code", EXCHANGE])

    assert refused.value.reason == f"grant type {EXCHANGE!r} is not for a public client; name its grant_types"
    assert register(**public, grant_types=["authorization_code"]).is_public
