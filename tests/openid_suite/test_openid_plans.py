"""The plans of OpenID Connect itself, as far as they touch a server whose clients sign (Basic OP, Dynamic OP).

Neither plan can be passed as it is: they use client secrets, or the token endpoint as ``aud``. What they ask of the
authorization endpoint, of UserInfo, of registration and of keys is asked here, by clients that use private_key_jwt.
"""

import json
import secrets
from urllib.parse import urlencode

import pytest

from flask_private_key_jwt.jose import jose
from tests.conftest import close, make_app
from tests.openid_suite.conftest import add_people
from tests.openid_suite.relying_party import (
    AUTHORIZE,
    CALLBACK,
    JWKS,
    OPENID_SCOPE,
    USERINFO,
    Browser,
    RelyingParty,
    check_id_token,
    check_token,
)
from tests.openid_suite.variants import assert_page, assert_refused
from tests.refusals import causes, noting_refusals
from tests.servers.https_servers import Server, answer

REGISTER = "/oauth2/register"


# --- the server, with open registration, and a client that registers itself -----------------------------------
@pytest.fixture
def app(tmp_path):
    settings = {
        "OAUTH2_RESOURCES": None,
        "OAUTH2_REGISTRATION": "open",
        "OAUTH2_REGISTRATION_TRUSTED": True,  # the suite's client is the certifier's own, and is answered by redirect
        "OAUTH2_REGISTRATION_SCOPES": [*OPENID_SCOPE.split(), "email"],
        "OAUTH2_FETCH_FROM_LOOPBACK": True,
        "OAUTH2_JWKS_HOSTS": ["127.0.0.1"],
    }
    app, oauth, db = make_app(f"sqlite:///{tmp_path}/plans.sqlite", **settings)
    add_people(app, oauth)
    oauth.user_claims(lambda subject, scope: {"email": f"{subject}@example.org"})
    yield app
    close(app, db)


@pytest.fixture
def refusals(app):
    with noting_refusals(app) as noted:
        yield noted


@pytest.fixture
def key(keys):
    return keys("ES256", "plan client")


@pytest.fixture
def register(app, key):
    """Register over HTTP, with one thing changed."""

    def register(**changes):
        metadata = {
            "jwks": {"keys": [key.public_jwk()]},
            "grant_types": ["authorization_code", "refresh_token"],
            "redirect_uris": [CALLBACK],
            "scope": f"{OPENID_SCOPE} email",
            **changes,
        }
        body = {name: value for name, value in metadata.items() if value is not None}
        return app.test_client().post(REGISTER, json=body)

    return register


class Client(RelyingParty):
    """Sends the person to the authorization endpoint with the whole request in the URL."""

    def ask(self, browser=None, **changes):
        """The answer to an authorization request, whatever it is."""
        query = urlencode(self.request(**{"scope": OPENID_SCOPE, **changes}))
        return (browser or self.browser).finish(query)

    def sign_in(self, **changes):
        """The token answer and the ID token's claims."""
        code = self.read(self.ask(**changes), state=changes.get("state", self.state))["code"]
        token = check_token(self.redeem(code, redirect_uri=changes.get("redirect_uri", self.redirect_uri)))
        return token, check_id_token(self, token, nonce=changes.get("nonce"))


@pytest.fixture
def make_client(app, register, key, keys):
    def make(**changes):
        registered = register(**changes)
        assert registered.status_code == 201, registered.text
        browser = Browser(app, f"person-{secrets.token_hex(4)}")
        uri = changes.get("redirect_uris", [CALLBACK])[0]
        return Client(app, registered.json["client_id"], key, keys("ES256", "plan proof"), uri, browser)

    return make


@pytest.fixture
def client(make_client):
    return make_client()


# --- Basic OP: the request ------------------------------------------------------------------------------------
def test_response_type_missing(client, refusals):
    assert client.read_error(client.ask(response_type=None), state=client.state) == "invalid_request"
    assert causes(refusals) == ["response_type_missing"]


def test_ensure_request_without_nonce_succeeds_for_code_flow(client):
    _, claims = client.sign_in(nonce=None)

    assert "nonce" not in claims


def test_ensure_request_with_unknown_parameter_succeeds(client):
    client.sign_in(extra="foobar")


def test_ensure_request_with_valid_pkce_succeeds(client):
    client.sign_in(nonce="n")


def test_ensure_post_request_succeeds(client):
    form = client.request(scope=OPENID_SCOPE, nonce="n")

    went_on = client.browser.http.post(AUTHORIZE, data=form)
    code = client.read(client.browser.finish(went_on.headers["Location"].partition("?")[2]), state=client.state)["code"]

    check_id_token(client, check_token(client.redeem(code)), nonce="n")


@pytest.mark.parametrize(
    "hint",
    [
        {"display": "page"},
        {"display": "popup"},
        {"ui_locales": "se"},
        {"claims_locales": "se"},
        {"acr_values": "1 2"},
        {"login_hint": "somebody@example.org"},
        {"claims": '{"id_token":{"auth_time":{"essential":true}}}'},
    ],
    ids=lambda hint: next(iter(hint)),
)
def test_hints_are_tolerated(hint, client):
    client.sign_in(**hint)


def test_ensure_registered_redirect_uri(client, refusals):
    answer = client.ask(redirect_uri="https://suite.example/other")

    assert_page(
        answer,
        refusals,
        "redirect_uri_not_registered",
        says="redirect_uri 'https://suite.example/other' is not registered",
    )


def test_scope_email(client):
    token, _ = client.sign_in(scope="openid email")

    told = client.call(token["access_token"], path=USERINFO).json
    assert told["email"] == f"{client.browser.person}@example.org"


# --- Basic OP: signing in again, or not at all ----------------------------------------------------------------
def test_prompt_none_not_logged_in(client, refusals):
    assert client.read_error(client.ask(prompt="none"), state=client.state) == "login_required"
    assert causes(refusals) == ["person_not_signed_in"]


def test_prompt_none_logged_in(client):
    _, first = client.sign_in()

    _, second = client.sign_in(prompt="none")

    assert (second["sub"], second["auth_time"]) == (first["sub"], first["auth_time"])


def test_prompt_login(client, clock):
    _, first = client.sign_in()
    clock.move(1)

    _, second = client.sign_in(prompt="login")

    assert second["sub"] == first["sub"]
    assert second["auth_time"] > first["auth_time"]


def test_max_age_1(client, clock):
    _, first = client.sign_in()
    clock.move(2)

    _, second = client.sign_in(max_age="1")

    assert second["auth_time"] > first["auth_time"]
    assert clock.now - second["auth_time"] <= 1


def test_max_age_10000(client, clock):
    _, first = client.sign_in(max_age="15000")
    clock.move(1)

    _, second = client.sign_in(max_age="10000")

    assert second["auth_time"] == first["auth_time"]


def test_id_token_hint(client):
    token, first = client.sign_in()

    _, second = client.sign_in(prompt="none", id_token_hint=token["id_token"])

    assert second["sub"] == first["sub"]


def test_id_token_hint_of_somebody_else(app, client, refusals):
    token, _ = client.sign_in()
    other = Browser(app, "somebody-else")
    client.ask(other)

    answer = client.ask(other, prompt="none", id_token_hint=token["id_token"])

    assert client.read_error(answer, state=client.state) == "login_required"
    assert causes(refusals) == ["person_not_hinted"]


# --- Basic OP: code and UserInfo ------------------------------------------------------------------------------
@pytest.mark.parametrize("seconds", [0, 30])
def test_codereuse(seconds, client, clock, refusals):
    code = client.read(client.ask(), state=client.state)["code"]
    token = check_token(client.redeem(code))
    assert client.call(token["access_token"], path=USERINFO).status_code == 200
    clock.move(seconds)

    assert_refused(client.redeem(code), refusals, "code_used", "invalid_grant")

    assert client.call(token["access_token"], path=USERINFO).status_code == 401


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_userinfo(method, client):
    token, claims = client.sign_in()

    told = client.call(token["access_token"], method=method, path=USERINFO)

    assert (told.status_code, told.headers["Content-Type"]) == (200, "application/json")
    assert told.json["sub"] == claims["sub"]


# --- Dynamic OP: registration ---------------------------------------------------------------------------------
@pytest.fixture
def site():
    """The client's own server, which publishes its keys."""
    server = Server(None)
    yield server
    server.close()


def publish(site, *keys):
    site.pieces = answer(json.dumps({"keys": [key.public_jwk() for key in keys]}).encode())
    return f"http://127.0.0.1:{site.port}/jwks.json"


def test_registration_jwks(make_client):
    make_client().sign_in()


def test_registration_jwks_uri(make_client, site, key):
    make_client(jwks=None, jwks_uri=publish(site, key)).sign_in()


QUERY = f"{CALLBACK}?foo=bar"


def test_redirect_uri_query_ok(make_client):
    make_client(redirect_uris=[QUERY]).sign_in()


@pytest.mark.parametrize(
    ("registered", "sent"),
    [(QUERY, f"{CALLBACK}?foo=baz"), (CALLBACK, QUERY), (QUERY, CALLBACK), (QUERY, f"{QUERY}&a=b")],
)
def test_redirect_uri_query_mismatch_and_added(registered, sent, make_client, refusals):
    client = make_client(redirect_uris=[registered])

    assert_page(
        client.ask(redirect_uri=sent),
        refusals,
        "redirect_uri_not_registered",
        says=f"redirect_uri {sent!r} is not registered",
    )


def test_redirect_uri_regfrag(register, refusals):
    answer = register(redirect_uris=[f"{CALLBACK}#foobar"])

    assert_refused(
        answer,
        refusals,
        "redirect_uris_not_accepted",
        "invalid_redirect_uri",
        "invalid_client_metadata",
        says=f"redirect_uris: '{CALLBACK}#foobar' is not a URI without a fragment",
    )


def test_registration_sector_bad(register, refusals):
    answer = register(sector_identifier_uri="https://suite.example/sector.json")

    assert_refused(answer, refusals, "sector_identifier_uri", "invalid_client_metadata")


# --- Dynamic OP: keys that change -----------------------------------------------------------------------------
def test_refresh_request_rp_key_rotation(make_client, site, key, keys, clock):
    client = make_client(jwks=None, jwks_uri=publish(site, key))
    token, _ = client.sign_in()
    client.key = keys("ES256", "plan client, rotated")
    publish(site, client.key)
    clock.move(60)

    check_token(client.refresh(token["refresh_token"]))


def test_server_rotate_keys(app, client, clock):
    def kids():
        return {jwk["kid"] for jwk in app.test_client().get(JWKS).json["keys"]}

    token, _ = client.sign_in()
    before = kids()
    with app.app_context():
        app.extensions["private_key_jwt"].server_keys.rotate(at_once=True)

    assert before < kids()
    later, _ = client.sign_in(prompt="none", id_token_hint=token["id_token"])  # the old key still verifies
    assert jose.decode_unverified(later["id_token"])[0]["kid"] not in before
    assert client.call(token["access_token"], path=USERINFO).status_code == 200
