"""An issuer with a path: the app is mounted there, or served at the root by a proxy that passes paths on unchanged."""

import flask
import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from flask_private_key_jwt.dpop.proof import build_proof
from flask_private_key_jwt.jose import jose
from tests.conftest import CLIENT_ID, INVALID_CLIENT

ISSUER = "https://as.example/tenant/1"
TOKEN_URL = f"{ISSUER}/oauth2/token"
USERINFO_URL = f"{ISSUER}/oauth2/userinfo"
WELL_KNOWN = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"


@pytest.fixture
def app(make_host):
    return make_host(OAUTH2_ISSUER=ISSUER)


@pytest.fixture
def mounted(app):
    """The app as a WSGI server sees it when it is mounted below another one."""
    return DispatcherMiddleware(flask.Flask("root"), {"/tenant/1": app})


def test_token_is_issued_where_the_app_is_mounted(mounted, ask):
    answer = ask(mounted, "/tenant/1/oauth2/token", aud=ISSUER)

    assert answer.status_code == 200
    assert jose.decode_unverified(answer.json["access_token"])[1]["iss"] == ISSUER


def test_token_is_issued_at_the_root_when_paths_are_passed_on(app, ask):
    assert ask(app, "/tenant/1/oauth2/token", aud=ISSUER).status_code == 200


@pytest.mark.parametrize("path", ["/oauth2/token", "/tenant/2/oauth2/token", "/tenant/1/tenant/2/oauth2/token"])
def test_nothing_answers_elsewhere(path, mounted, ask):
    assert ask(mounted, path, aud=ISSUER).status_code in (302, 404)


def test_proof_names_the_whole_url(mounted, build_form, proof_key, clock):
    def send(url, jti):
        proof = build_proof(proof_key, jti=jti, method="POST", url=url, now=clock.now)
        return Client(mounted).post("/tenant/1/oauth2/token", data=build_form(aud=ISSUER), headers={"DPoP": proof})

    assert send(TOKEN_URL, "1").json["token_type"] == "DPoP"
    assert send("https://as.example/oauth2/token", "2").json["error"] == "invalid_dpop_proof"


def test_issuer_without_its_path_is_no_audience(mounted, ask):
    assert ask(mounted, "/tenant/1/oauth2/token", aud="https://as.example").json == INVALID_CLIENT


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("root", f"{WELL_KNOWN}/tenant/1"),  # RFC 8414 §3.1: inserted before the path
        ("root", WELL_KNOWN),
        ("mount", f"/tenant/1{WELL_KNOWN}"),
    ],
)
def test_metadata_names_the_urls_from_outside(place, path, app, mounted):
    answer = Client(app if place == "root" else mounted).get(path)

    assert answer.json["issuer"] == ISSUER
    assert answer.json["token_endpoint"] == TOKEN_URL
    assert answer.json["jwks_uri"] == f"{ISSUER}/oauth2/jwks"


@pytest.fixture
def people(app):
    """Makes the host app's people known, so that OpenID Connect is offered."""
    host_oauth = app.extensions["private_key_jwt"].people
    before, host_oauth.load_user = host_oauth.load_user, lambda: None
    yield
    host_oauth.load_user = before


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("root", f"/tenant/1{OPENID}"),  # OpenID Connect Discovery §4: appended to the path
        ("root", f"{OPENID}/tenant/1"),
        ("root", OPENID),
        ("mount", f"/tenant/1{OPENID}"),
    ],
)
def test_openid_metadata_names_the_urls_from_outside(place, path, app, mounted, people):
    answer = Client(app if place == "root" else mounted).get(path)

    assert answer.json["issuer"] == ISSUER
    assert answer.json["userinfo_endpoint"] == USERINFO_URL
    assert answer.json == Client(app).get(WELL_KNOWN).json


@pytest.mark.parametrize("place", ["root", "mount"])
@pytest.mark.parametrize(("url", "status"), [(USERINFO_URL, 200), ("https://as.example/oauth2/userinfo", 401)])
def test_userinfo_is_called_by_its_whole_url(url, status, place, app, mounted, people, proof_key, clock):
    with app.app_context():
        key = app.extensions["private_key_jwt"].server_keys.current().signing
    claims = {"iss": ISSUER, "aud": ISSUER, "sub": "alice", "client_id": CLIENT_ID, "scope": "openid", "jti": "1"}
    claims |= {"iat": clock.now, "exp": clock.now + 60, "cnf": {"jkt": proof_key.public.thumbprint}}
    token = jose.sign({"typ": "at+jwt", "kid": key.public.kid}, claims, key)
    proof = build_proof(proof_key, jti="1", method="GET", url=url, now=clock.now, access_token=token)

    answer = Client(app if place == "root" else mounted).get(
        "/tenant/1/oauth2/userinfo", headers={"Authorization": f"DPoP {token}", "DPoP": proof}
    )

    assert answer.status_code == status


@pytest.mark.parametrize("path", ["/oauth2/jwks", "/tenant/1/oauth2/jwks"])
def test_keys_are_found_in_both_ways(path, app):
    assert app.test_client().get(path).status_code == 200


def test_issuer_with_a_slash_at_its_end_gives_no_double_slash(make_host, ask):
    app = make_host(OAUTH2_ISSUER="https://as.example/")

    assert app.test_client().get(WELL_KNOWN).json["token_endpoint"] == "https://as.example/oauth2/token"
    assert app.test_client().get(WELL_KNOWN).json["issuer"] == "https://as.example/"
    assert ask(app, aud="https://as.example/").status_code == 200
    assert ask(app, aud="https://as.example").json == INVALID_CLIENT
