"""Assertions under the profile ``smart``: for the token endpoint or the issuer, five minutes, once, RS384 and ES384."""

import socket

import pytest

from tests.conftest import CLIENT_ID, INVALID_CLIENT, ISSUER, TOKEN_URL
from tests.refusals import causes

SMART = {"OAUTH2_PROFILE": "smart", "OAUTH2_REPLAY_STORE": "sql"}
SCOPE = "system/*.rs"
JWKS_URI = "https://client.example/jwks.json"


@pytest.fixture
def settings():
    return SMART


@pytest.fixture
def send(ask_token, refusals):
    def send(assertion, cause=None, **form):
        answer = ask_token(assertion=assertion, **form)
        if cause is None:
            assert answer.status_code == 200, refusals
        else:
            assert (answer.json, causes(refusals)[-1]) == (INVALID_CLIENT, cause)
        return answer

    return send


@pytest.mark.parametrize("alg", ["RS384", "ES384", "ES256"])
@pytest.mark.parametrize("audience", [TOKEN_URL, ISSUER, [TOKEN_URL]])
def test_backend_service_gets_a_token_of_five_minutes(alg, audience, register, keys, build_assertion, send):
    key = keys(alg)
    register(client_id="bulk", jwks={"keys": [key.public_jwk()]}, scope=SCOPE)

    answer = send(build_assertion(key=key, iss="bulk", sub="bulk", aud=audience, header={"typ": "JWT"}), scope=SCOPE)

    assert (answer.json["token_type"], answer.json["expires_in"], answer.json["scope"]) == ("Bearer", 300, SCOPE)
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")


@pytest.mark.parametrize(
    ("audience", "cause"),
    [
        ("https://as.example/oauth2/introspect", "assertion_aud"),
        ("https://as.example/oauth2/token/", "assertion_aud"),
        ("https://as.example/oauth2", "assertion_aud"),
        ("https://evil.example/oauth2/token", "assertion_aud"),
        ([TOKEN_URL, ISSUER], "assertion_aud_not_one"),
        ([TOKEN_URL, "https://evil.example"], "assertion_aud_not_one"),
    ],
)
def test_other_audience_is_refused(audience, cause, client, build_assertion, send):
    send(build_assertion(aud=audience), cause)
    send(build_assertion(aud=TOKEN_URL))


def test_assertion_of_the_newer_type_names_the_issuer(client, build_assertion, send):
    typed = {"typ": "client-authentication+jwt"}

    send(build_assertion(aud=TOKEN_URL, header=typed), "assertion_aud")
    send(build_assertion(aud=ISSUER, header=typed))


@pytest.mark.parametrize("settings", [{**SMART, "OAUTH2_REGISTRATION": "open", "OAUTH2_REGISTRATION_SCOPES": [SCOPE]}])
def test_client_that_registered_itself_may_name_the_token_endpoint_too(app, client_key, build_assertion, send, client):
    members = {"jwks": {"keys": [client_key.public_jwk()]}, "scope": SCOPE, "grant_types": ["client_credentials"]}
    own = app.test_client().post("/oauth2/register", json=members).json["client_id"]

    send(build_assertion(iss=own, sub=own, aud=TOKEN_URL))


@pytest.mark.parametrize("seconds", [301, 3600])
def test_assertion_that_lives_longer_is_refused(seconds, clock, client, register, keys, build_assertion, send):
    register(
        client_id="old",
        jwks={"keys": [keys("ES384").public_jwk()]},
        scope=SCOPE,
        assertion_audience="compatibility",
    )

    for owner, key in ((CLIENT_ID, None), ("old", keys("ES384"))):
        signed = build_assertion(key=key, iss=owner, sub=owner, aud=TOKEN_URL, exp=clock.now + seconds + 10)
        send(signed, "assertion_lives_too_long")
    send(build_assertion(aud=TOKEN_URL, exp=clock.now + 300))


def test_jti_counts_once(client, build_assertion, send):
    signed = build_assertion(aud=TOKEN_URL)

    send(signed)
    send(signed, "assertion_replayed")


def test_header_must_name_the_key(client, build_assertion, send):
    send(build_assertion(header={"kid": None}), "assertion_kid_missing")


@pytest.mark.parametrize("jku", ["https://evil.example/jwks.json", JWKS_URI, "", 1, [JWKS_URI], {}])
def test_jku_of_a_client_without_one_is_refused(jku, client, build_assertion, send):
    send(build_assertion(header={"jku": jku}), "assertion_jku")
    send(build_assertion())


@pytest.mark.parametrize("change", ["/", "?x", "#x"])
def test_jku_must_be_the_registered_one(change, register, client_key, build_assertion, send, client, monkeypatch):
    def find_no_name(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", find_no_name)
    register(client_id="published", jwks_uri=JWKS_URI, scope=SCOPE)
    claims = {"iss": "published", "sub": "published", "aud": TOKEN_URL}

    send(build_assertion(**claims, header={"jku": f"{JWKS_URI}{change}"}), "assertion_jku")
    # The same as without a jku: the keys at the registered address, where nothing answers in this test.
    send(build_assertion(**claims, header={"jku": JWKS_URI}), "client_keys_unavailable")


@pytest.mark.parametrize("alg", ["RS384", "ES384"])
def test_metadata_promises_both_algorithms(alg, app):
    document = app.test_client().get("/.well-known/oauth-authorization-server").json

    assert alg in document["token_endpoint_auth_signing_alg_values_supported"]
