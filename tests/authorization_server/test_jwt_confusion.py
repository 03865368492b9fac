"""No kind of JWT passes for another (RFC 8725 §3.11, §3.12; RFC 9101 §10.8).

The worst case: one key signs them all. The client has registered this server's own key, and makes its proofs with it.
"""

import secrets

import pytest

from flask_private_key_jwt import ResourceProtector
from flask_private_key_jwt.authorization_server.stores.granted import Granted
from flask_private_key_jwt.authorization_server.tokens.id_token import IdTokenIssuer, read_id_token_hint
from flask_private_key_jwt.errors import OAuthError
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.signals import request_refused
from flask_private_key_jwt.tokens.verification import OwnKeys
from tests.authorization_server.conftest import APP_ID, REDIRECT_URI, build_request
from tests.conftest import ISSUER, TOKEN_URL
from tests.refusals import causes

UNTYPED = (None, "JWT")
CLIENTS_OWN = {
    "assertion": (*UNTYPED, "client-authentication+jwt"),
    "request object": (*UNTYPED, "oauth-authz-req+jwt"),
    "proof": ("dpop+jwt",),
}
"""What a client signs -> the ``typ`` that it may have."""
KINDS = [*((kind, typ) for kind, types in CLIENTS_OWN.items() for typ in types), ("access token", ""), ("ID token", "")]
PLACES = ["assertion", "pushed request object", "request object in the URL", "proof", "access token", "ID token"]


@pytest.fixture
def settings():
    return {"OAUTH2_RESOURCE": ISSUER, "OAUTH2_RESOURCES": [ISSUER]}


@pytest.fixture
def state(app):
    return app.extensions["private_key_jwt"]


@pytest.fixture
def one_key(app, state):
    """This server's signing key."""
    with app.app_context():
        return state.server_keys.current().signing


@pytest.fixture
def client_of_one_key(people, register, one_key):
    return register(
        client_id=APP_ID,
        jwks={"keys": [one_key.public_jwk()]},
        grant_types=["client_credentials", "authorization_code"],
        redirect_uris=[REDIRECT_URI],
        scope="read",
        default_scope="read",
    )


class Maker:
    """Makes a valid JWT of each kind."""

    def __init__(self, app, state, key, build_assertion, build_object, build_dpop):
        self.app, self.state, self.key = app, state, key
        self.build_assertion, self.build_object, self.build_dpop = build_assertion, build_object, build_dpop

    def make(self, kind, typ=None, **claims):
        header = {"kid": self.key.public.kid, "typ": typ}
        if kind == "assertion":
            return self.build_assertion(key=self.key, header=header, iss=APP_ID, sub=APP_ID, **claims)
        if kind == "request object":
            return self.build_object(key=self.key, header=header, **claims)
        if kind == "proof":
            return self.build_dpop(key=self.key, **claims)
        return self.make_access_token() if kind == "access token" else self.make_id_token()

    def make_access_token(self):
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": self.make("assertion"),
        }
        return self.app.test_client().post("/oauth2/token", data=form).json["access_token"]

    def make_id_token(self):
        granted = Granted("grant", APP_ID, "alice", ("openid",), (ISSUER,))
        with self.app.app_context():
            return IdTokenIssuer(ISSUER, self.state.server_keys, lifetime=300).issue(granted, "a", nonce=None)


@pytest.fixture
def maker(app, state, client_of_one_key, one_key, build_assertion, build_object, build_dpop):
    return Maker(app, state, one_key, build_assertion, build_object, build_dpop)


@pytest.fixture
def use(app, state, browser, post, maker):
    """Use a JWT in one of the places; whether it was taken."""
    require_oauth = ResourceProtector()
    require_oauth.init_app(app)
    app.get("/values")(require_oauth("read")(lambda: "values"))

    def use(place, text):
        http = app.test_client()
        if place == "assertion":
            return post("/oauth2/token", assertion=text, grant_type="client_credentials").status_code == 200
        if place == "pushed request object":
            return post("/oauth2/par", assertion=maker.make("assertion"), request=text).status_code == 201
        if place == "request object in the URL":
            return browser.open({"client_id": APP_ID, "request": text}).status_code == 302
        if place == "proof":
            form = {"assertion": maker.make("assertion"), "grant_type": "client_credentials"}
            return post("/oauth2/token", proof=text, **form).status_code == 200
        if place == "access token":
            return http.get("/values", headers={"Authorization": f"Bearer {text}"}).status_code == 200
        return is_hint(text)

    def is_hint(text):
        with app.app_context():
            try:
                read_id_token_hint(text, issuer=ISSUER, keys=OwnKeys(state.verification_keys))
            except OAuthError as refusal:
                said = {"error": refusal.code, "cause": refusal.cause, "reason": refusal.reason}
                request_refused.send(app, **said, reference="", endpoint="", client_id=None)
                return False
        return True

    return use


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("kind", "typ"), KINDS)
def test_jwt_is_taken_in_its_own_place_only(kind, typ, place, use, maker, refusals):
    text = maker.make(kind, typ)

    taken = use(place, text)

    assert taken == (kind in place)
    assert len(refusals) == (0 if taken else 1)


# Reasons that show which difference keeps the two kinds apart, where typ does not say it.
@pytest.mark.parametrize("typ", UNTYPED)
@pytest.mark.parametrize("place", ["pushed request object", "request object in the URL"])
def test_assertion_without_typ_is_no_request_object(typ, place, use, maker, refusals):
    assert not use(place, maker.make("assertion", typ))
    assert causes(refusals) == ["request_object_client_id_missing"]


@pytest.mark.parametrize("typ", UNTYPED)
@pytest.mark.parametrize("place", ["pushed request object", "request object in the URL"])
def test_assertion_that_holds_all_of_a_request_is_no_request_object(typ, place, use, maker, clock, refusals):
    assert not use(place, maker.make("assertion", typ, nbf=clock.now, **build_request()))
    assert causes(refusals) == ["request_object_sub"]


@pytest.mark.parametrize("typ", UNTYPED)
def test_request_object_without_typ_is_no_assertion(typ, use, maker, refusals):
    assert not use("assertion", maker.make("request object", typ))
    assert causes(refusals) == ["assertion_response_type"]


@pytest.mark.parametrize("typ", UNTYPED)
def test_request_object_that_holds_all_of_an_assertion_is_no_assertion(typ, use, maker, clock, refusals):
    """It went through a browser: whoever saw it there must not be the client."""
    claims = {"sub": APP_ID, "jti": secrets.token_hex(8), "iat": clock.now, "exp": clock.now + 60}

    assert not use("assertion", maker.make("request object", typ, **claims))
    assert causes(refusals) == ["assertion_response_type"]


def test_one_key_may_sign_both_in_one_request(post, maker):
    answer = post("/oauth2/par", assertion=maker.make("assertion"), request=maker.make("request object"))

    assert answer.status_code == 201


@pytest.mark.parametrize("typ", ["client-authentication+jwt", "dpop+jwt", "at+jwt", "logout+jwt"])
def test_request_object_under_another_typ_is_none(typ, use, maker, refusals):
    assert not use("pushed request object", maker.make("request object", typ))
    assert refusals == [f"request object: typ {typ!r} is not absent or jwt or oauth-authz-req+jwt"]
    assert causes(refusals) == ["request_object_typ"]


@pytest.mark.parametrize("typ", ["oauth-authz-req+jwt", "dpop+jwt", "at+jwt", "logout+jwt"])
def test_assertion_under_another_typ_is_none(typ, use, maker, refusals):
    assert not use("assertion", maker.make("assertion", typ))
    assert refusals == [f"assertion: typ {typ!r} is not absent or client-authentication+jwt or jwt"]
    assert causes(refusals) == ["assertion_typ"]


def test_token_url_is_no_audience_of_any_of_them(use, maker, refusals):
    assert not use("pushed request object", maker.make("request object", aud=TOKEN_URL))
    assert not use("assertion", maker.make("assertion", aud=TOKEN_URL))
    assert len(refusals) == 2


def test_key_of_the_client_is_the_key_of_the_server_here(one_key, client_of_one_key):
    (registered,) = client_of_one_key.jwks["keys"]

    assert jose.import_public_jwk(registered).thumbprint == one_key.public.thumbprint
