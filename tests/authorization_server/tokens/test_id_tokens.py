"""ID tokens: what they say, with a code and with a refresh token, and who gets none."""

import pytest
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin

from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.at_hash import build_at_hash
from tests.authorization_server.conftest import APP_ID, User, answer_in, build_request
from tests.conftest import API, ISSUER, START
from tests.refusals import causes


@pytest.fixture
def webapp(openid_app):
    return openid_app


@pytest.fixture
def get_tokens(get_code, redeem):
    """The tokens of a valid request, changed."""

    def get_tokens(**changes):
        answer = redeem(get_code(**{"scope": "openid read", "nonce": "n-0S6", **changes}))
        assert answer.status_code == 200, answer.text
        return answer.json

    return get_tokens


def claims_of(tokens, name="id_token"):
    return jose.decode_unverified(tokens[name])[1]


def verify(app, text):
    with app.app_context():
        keys = app.extensions["private_key_jwt"].verification_keys()
    jwt = jose.parse(text, max_bytes=8192)
    (key,) = [key for key in keys if key.kid == jwt.kid]
    return jose.verify(jwt, key)


# --- what it says ---------------------------------------------------------------------------------------------
def test_id_token_tells_the_client_who_signed_in_and_when(app, get_tokens, clock):
    clock.move(5)
    tokens = get_tokens()

    assert jose.decode_unverified(tokens["id_token"])[0].keys() == {"alg", "kid", "typ"}
    assert verify(app, tokens["id_token"])
    assert claims_of(tokens) == {
        "iss": ISSUER,
        "sub": "alice",
        "aud": APP_ID,
        "iat": START + 5,
        "exp": START + 305,
        "auth_time": START + 5,
        "nonce": "n-0S6",
        "at_hash": build_at_hash(tokens["access_token"], "ES256"),
    }


def test_person_is_the_same_in_both_tokens(get_tokens):
    tokens = get_tokens()

    assert claims_of(tokens)["sub"] == claims_of(tokens, "access_token")["sub"] == "alice"


@pytest.mark.parametrize("settings", [{"OAUTH2_ID_TOKEN_LIFETIME_SECONDS": 60}])
def test_lifetime_is_the_settings(get_tokens):
    assert claims_of(get_tokens())["exp"] == START + 60


@pytest.mark.parametrize("alg", ["ES256", "ES384", "PS256", "RS256", "EdDSA"])
def test_id_token_is_signed_like_every_token(alg, app, get_tokens):
    app.extensions["private_key_jwt"].server_keys._alg = alg  # before the first key is made

    tokens = get_tokens()

    assert jose.decode_unverified(tokens["id_token"])[0]["alg"] == alg
    assert verify(app, tokens["id_token"])
    assert claims_of(tokens)["at_hash"] == build_at_hash(tokens["access_token"], alg)


def test_time_of_signing_in_is_left_out_where_the_application_does_not_know_it(browser, webapp, redeem):
    with browser.http.session_transaction() as session:
        session["user"] = "alice"  # and no note of when

    answer = answer_in(browser.decide(browser.open(build_request(scope="openid"))))

    assert "auth_time" not in claims_of(redeem(answer["code"]).json)


# --- nonce ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "nonce", ["x", "n" * 64, "n" * 384, "n" * 1024, 'a b&=+%"é\\</script>', "é" * 1024], ids=lambda nonce: len(nonce)
)
@pytest.mark.parametrize("way", ["url", "pushed"])
def test_nonce_comes_back_as_it_was(nonce, way, browser, get_tokens, push, redeem):
    if way == "url":
        tokens = get_tokens(nonce=nonce)
    else:
        request_uri = push(scope="openid", nonce=nonce).json["request_uri"]
        page = browser.sign_in().open({"client_id": APP_ID, "request_uri": request_uri, "nonce": "outside"})
        tokens = redeem(answer_in(browser.decide(page))["code"]).json

    assert claims_of(tokens)["nonce"] == nonce


@pytest.mark.parametrize("nonce", [None, ""])
def test_no_nonce_is_no_nonce(nonce, get_tokens):
    assert "nonce" not in claims_of(get_tokens(nonce=nonce))


@pytest.mark.parametrize("nonce", ["n" * 1025, "a\x00b", "a\nb", "\u202e"])
def test_nonce_that_would_not_come_back_is_refused(nonce, browser, push, webapp, refusals):
    answer = answer_in(browser.open(build_request(scope="openid", nonce=nonce)))

    assert answer["error"] == "invalid_request"
    assert push(scope="openid", nonce=nonce).json["error"] == "invalid_request"
    assert refusals == ["nonce is not a text of at most 1024 characters"] * 2
    assert causes(refusals) == ["nonce_malformed"] * 2


# --- with a refresh token -------------------------------------------------------------------------------------
def test_refreshed_id_token_is_about_the_same_sign_in(app, get_tokens, refresh, clock):
    first = get_tokens()
    clock.move(100)

    again = refresh(first["refresh_token"]).json

    before, after = claims_of(first), claims_of(again)
    assert {name: after[name] for name in ("iss", "sub", "aud", "auth_time")} == {
        name: before[name] for name in ("iss", "sub", "aud", "auth_time")
    }
    assert (after["iat"], after["exp"]) == (START + 100, START + 400)
    assert after["at_hash"] == build_at_hash(again["access_token"], "ES256")
    assert "nonce" not in after
    assert verify(app, again["id_token"])


def test_refreshing_without_the_scope_gives_no_id_token(get_tokens, refresh):
    answer = refresh(get_tokens()["refresh_token"], scope="read").json

    assert "id_token" not in answer
    assert claims_of(answer, "access_token")["aud"] == API


# --- who gets none --------------------------------------------------------------------------------------------
def test_without_the_scope_there_is_no_id_token(get_tokens):
    tokens = get_tokens(scope="read")

    assert "id_token" not in tokens
    assert claims_of(tokens, "access_token")["aud"] == API


def test_client_that_acts_for_itself_gets_none(register, client_key, post, refusals):
    register(client_id="machine", jwks={"keys": [client_key.public_jwk()]}, scope="openid read")

    answer = post("/oauth2/token", owner="machine", grant_type="client_credentials", scope="openid")

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")
    assert causes(refusals) == ["openid_without_person"]
    assert post("/oauth2/token", owner="machine", grant_type="client_credentials", scope="read").status_code == 200


class OwnGrant(BaseGrant, TokenEndpointMixin):
    """A grant of the application's own, which knows a person or none."""

    GRANT_TYPE = "urn:example:own"
    TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]

    def validate_token_request(self):
        self.request.client = self.authenticate_token_endpoint_client()
        name = self.request.payload.data.get("user")
        self.request.user = User(name) if name else None

    def create_token_response(self):
        return 200, self.generate_token(user=self.request.user, scope="openid"), self.TOKEN_RESPONSE_HEADER


@pytest.fixture
def ask_own_grant(people, register, client_key, post):
    people.register_grant(OwnGrant)
    jwks = {"keys": [client_key.public_jwk()]}
    register(client_id="own", jwks=jwks, scope="openid", grant_types=[OwnGrant.GRANT_TYPE])

    def ask(user):
        return post("/oauth2/token", owner="own", grant_type=OwnGrant.GRANT_TYPE, user=user)

    return ask


def test_grant_of_the_application_gives_one_for_its_user(ask_own_grant):
    tokens = ask_own_grant("alice").json

    assert (claims_of(tokens)["sub"], claims_of(tokens)["aud"]) == ("alice", "own")
    assert claims_of(tokens).keys() == {"iss", "sub", "aud", "iat", "exp", "at_hash"}


@pytest.mark.parametrize("user", [None, "own"])
def test_grant_of_the_application_gives_none_without_a_user(user, ask_own_grant, refusals):
    assert ask_own_grant(user).json["error"] == "invalid_scope"
    assert causes(refusals) == ["openid_without_person"]


# --- OAUTH2_SCOPES --------------------------------------------------------------------------------------------
def test_app_that_left_the_scope_out_gives_none(app, get_code, redeem, refusals):
    code = get_code(scope="openid read")
    server = app.extensions["private_key_jwt"].server
    object.__setattr__(server.settings, "SCOPES", ("read",))  # a registration may be older than the setting

    assert redeem(code).json["error"] == "invalid_scope"
    assert causes(refusals) == ["openid_not_offered"]
    assert "openid" not in app.extensions["private_key_jwt"].offered()


@pytest.mark.parametrize("settings", [{"OAUTH2_SCOPES": ["openid", "profile", "email", "read"]}])
def test_app_that_names_the_scope_gives_one(get_tokens):
    assert "id_token" in get_tokens()


# --- the access token that goes along -------------------------------------------------------------------------
def test_access_token_opens_userinfo_besides(get_tokens):
    assert claims_of(get_tokens(), "access_token")["aud"] == [API, ISSUER]


@pytest.mark.parametrize(
    ("settings", "audience"),
    [
        ({"OAUTH2_RESOURCES": None}, ISSUER),
        ({"OAUTH2_RESOURCES": [ISSUER, API]}, ISSUER),
        ({"OAUTH2_RESOURCES": [API, ISSUER]}, [API, ISSUER]),
    ],
)
def test_issuer_is_named_once(settings, audience, get_tokens):
    assert claims_of(get_tokens(), "access_token")["aud"] == audience
