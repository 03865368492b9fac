"""What the metadata says about OpenID Connect, and whether it is true."""

import pytest

from flask_private_key_jwt.authorization_server.tokens.user_claims import STANDARD_CLAIMS
from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.jose import jose
from tests.authorization_server.conftest import APP_ID
from tests.conftest import API, ISSUER, close, make_app

OAUTH = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
ID_TOKEN_CLAIMS = ["iss", "sub", "aud", "iat", "exp", "auth_time", "nonce", "at_hash"]
SCOPES = ["openid", "profile", "email", "address", "phone", "offline_access"]
DAY = 86400


@pytest.fixture
def read(app, people):
    return lambda: app.test_client().get(OPENID).json


@pytest.fixture
def webapp(app, people, register, client_key):
    """A client that is registered for whatever is advertised."""
    return register(
        client_id=APP_ID,
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code", "refresh_token"],
        redirect_uris=["https://app.example/callback?tenant=1"],
        scope=" ".join(app.test_client().get(OPENID).json["scopes_supported"]),
    )


# --- the document ---------------------------------------------------------------------------------------------
def test_document_says_what_there_is(read):
    members = {
        "userinfo_endpoint": f"{ISSUER}/oauth2/userinfo",
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": SCOPES,
        "claims_supported": ID_TOKEN_CLAIMS,
    }

    assert read().items() >= members.items()


def test_required_members_are_there(read):
    """OpenID Connect Discovery §3."""
    required = {
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
    }

    assert required <= read().keys()


def test_it_is_the_same_document_in_both_places(app, people, read):
    answer = app.test_client().get(OPENID)

    assert answer.data == app.test_client().get(OAUTH).data
    assert (answer.headers["Content-Type"], answer.headers["Access-Control-Allow-Origin"]) == ("application/json", "*")
    assert answer.headers["Cache-Control"] == "public, max-age=300"


def test_nothing_is_said_of_what_there_is_not(read):
    document = read()

    assert all(value not in (None, [], "") for value in document.values())
    assert not {"claims_parameter_supported", "acr_values_supported", "display_values_supported"} & document.keys()
    assert not {"userinfo_signing_alg_values_supported", "id_token_encryption_alg_values_supported"} & document.keys()


@pytest.mark.parametrize("settings", [{"OAUTH2_SCOPES": ["read", "openid", "email"]}])
def test_scopes_are_those_of_the_setting(read, oauth):
    oauth.user_claims(lambda subject, scope: {})

    assert read()["scopes_supported"] == ["read", "openid", "email"]
    assert read()["claims_supported"] == [*ID_TOKEN_CLAIMS, "email", "email_verified"]


@pytest.mark.parametrize("name", ["OAUTH2_CLIENT_ID_SCOPES", "OAUTH2_REGISTRATION_SCOPES", "OAUTH2_DEFAULT_SCOPES"])
@pytest.mark.parametrize("with_people", [True, False])
def test_offline_access_is_named_where_a_setting_gives_it_to_clients(name, with_people, tmp_path):
    given = {"OAUTH2_SCOPES": ["read"], name: ["read", "offline_access"]}
    app, oauth, db = make_app(f"sqlite:///{tmp_path}/given.sqlite", **given)
    if with_people:
        oauth.user(lambda: None)
    scopes = app.test_client().get(OAUTH).json["scopes_supported"]
    close(app, db)

    assert scopes == (["read", "offline_access"] if with_people else ["read"])


@pytest.mark.parametrize("settings", [{"OAUTH2_SCOPES": ["read"]}])
def test_without_the_scope_nothing_is_said(app, people):
    document = app.test_client().get(OAUTH).json

    assert document["scopes_supported"] == ["read"]
    assert not {"userinfo_endpoint", "subject_types_supported", "claims_supported"} & document.keys()
    assert not {name for name in document if name.startswith("id_token")}


def test_without_people_nothing_is_said(app):
    document = app.test_client().get(OAUTH).json

    assert (
        not {"userinfo_endpoint", "subject_types_supported", "claims_supported", "scopes_supported"} & document.keys()
    )


# --- advertised means accepted --------------------------------------------------------------------------------
@pytest.fixture
def call_userinfo(app):
    def call(token):
        url = app.test_client().get(OPENID).json["userinfo_endpoint"].removeprefix(ISSUER)
        return app.test_client().get(url, headers={"Authorization": f"Bearer {token}"})

    return call


@pytest.mark.parametrize("settings", [{}, {"OAUTH2_SCOPES": ["openid", "email", "read", "write"]}])
def test_every_advertised_scope_is_granted(read, get_code, redeem):
    scope = " ".join(read()["scopes_supported"])

    assert redeem(get_code(scope=scope)).json["scope"] == scope


@pytest.mark.parametrize("settings", [{}, {"OAUTH2_SCOPES": ["openid", "email"]}])
def test_claim_is_told_exactly_if_it_is_advertised(settings, oauth, read, get_code, redeem, call_userinfo):
    oauth.user_claims(lambda subject, scope: dict.fromkeys(STANDARD_CLAIMS, "x"))
    tokens = redeem(get_code(scope=" ".join(read()["scopes_supported"]), nonce="n")).json

    told = jose.decode_unverified(tokens["id_token"])[1].keys() | call_userinfo(tokens["access_token"]).json.keys()

    assert told == set(read()["claims_supported"])
    assert ("phone_number" in told) == (settings == {})


@pytest.mark.parametrize(
    "settings", [{"OAUTH2_SIGNING_ALG": alg} for alg in ("ES256", "ES384", "ES512", "PS256", "RS256", "EdDSA")]
)
def test_advertised_algorithm_is_the_one_that_signs(settings, read, get_code, redeem):
    id_token = redeem(get_code(scope="openid")).json["id_token"]

    assert read()["id_token_signing_alg_values_supported"] == [jose.decode_unverified(id_token)[0]["alg"]]


def test_algorithm_to_come_is_advertised_with_its_key(app, read, get_code, redeem, clock):
    keys = app.extensions["private_key_jwt"].server_keys

    def alg():
        return jose.decode_unverified(redeem(get_code(scope="openid")).json["id_token"])[0]["alg"]

    assert (alg(), read()["id_token_signing_alg_values_supported"]) == ("ES256", ["ES256"])
    keys._alg = "PS256"  # the operator changes OAUTH2_SIGNING_ALG
    clock.move(61)
    assert (alg(), read()["id_token_signing_alg_values_supported"]) == ("ES256", ["ES256", "PS256"])
    clock.move(14 * DAY)
    assert (alg(), read()["id_token_signing_alg_values_supported"]) == ("PS256", ["PS256"])
    assert len(app.test_client().get("/oauth2/jwks").json["keys"]) == 2  # the old key still verifies


def test_database_that_is_away_does_not_hide_the_document(app, read, monkeypatch):
    def away(self):
        raise StoreUnavailable("the database is away")

    monkeypatch.setattr("flask_private_key_jwt.authorization_server.keys.server_keys.ServerKeys.current", away)

    assert read()["id_token_signing_alg_values_supported"] == ["ES256"]


@pytest.mark.parametrize("member", ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"])
def test_every_advertised_endpoint_answers(member, app, read):
    answer = app.test_client().get(read()[member].removeprefix(ISSUER))

    assert answer.status_code in (200, 400, 401, 405)


def test_claims_parameter_is_ignored_as_its_absence_says(read, get_code, redeem, call_userinfo, oauth):
    oauth.user_claims(lambda subject, scope: {"email": "a@b.example"})
    assert "claims_parameter_supported" not in read()

    token = redeem(get_code(scope="openid", claims='{"userinfo":{"email":null}}')).json["access_token"]

    assert call_userinfo(token).json == {"sub": "alice"}
    assert jose.decode_unverified(token)[1]["aud"] == [API, ISSUER]
