"""The URL that a proof's ``htu`` must match comes from configuration (RFC 9449 §4.3, item 9)."""

from types import SimpleNamespace

import flask
import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from flask_private_key_jwt import ResourceProtector
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.resource_server.call import read_environ
from flask_private_key_jwt.resource_server.target_uri import TargetURI


def target(resource="https://api.example", external=None):
    return TargetURI(SimpleNamespace(RESOURCE=resource, EXTERNAL_URL=external))


@pytest.mark.parametrize(
    ("resource", "external", "mount", "path", "url"),
    [
        ("https://api.example", None, "", "/values", "https://api.example/values"),
        ("https://api.example", None, "/v1", "/values", "https://api.example/v1/values"),
        ("https://api.example:8443/v1", None, "/v1", "/values", "https://api.example:8443/v1/values"),
        ("https://api.example/v1/", None, "", "/v1/values", "https://api.example/v1/values"),
        ("http://127.0.0.1:5005", None, "", "/", "http://127.0.0.1:5005/"),
        ("urn:example:api", "https://api.example", "", "/values", "https://api.example/values"),
        ("urn:example:api", "https://api.example/", "", "/values", "https://api.example/values"),
        ("https://id.example", "https://api.example/v1", "/v1", "/values", "https://api.example/v1/values"),
        ("https://id.example", "https://api.example/v1", "", "/values", "https://api.example/v1/values"),
        ("https://api.example", None, "", "/a b", "https://api.example/a%20b"),
        ("https://api.example", None, "", '/a%2F?#"', "https://api.example/a%252F%3F%23%22"),
        ("https://api.example", None, "", "/é".encode().decode("latin-1"), "https://api.example/%C3%A9"),
        ("https://api.example", None, "", "/a:b@c!$&'()*+,;=~", "https://api.example/a:b@c!$&'()*+,;=~"),
        ("https://api.example", None, "", "", "https://api.example"),
    ],
)
def test_the_url_is_the_configured_base_and_the_path(resource, external, mount, path, url):
    environ = {"SCRIPT_NAME": mount, "PATH_INFO": path, "HTTP_HOST": "evil.example", "QUERY_STRING": "a=b"}

    assert target(resource, external).build(read_environ(environ)) == url


def test_a_resource_that_is_no_url_needs_an_external_url():
    with pytest.raises(ConfigurationError, match="Set OAUTH2_EXTERNAL_URL"):
        target("urn:example:api").build(read_environ({"PATH_INFO": "/"}))


@pytest.fixture
def api(issuer):
    app = flask.Flask("api")
    app.config.from_mapping(
        OAUTH2_ISSUER="https://as.example", OAUTH2_RESOURCE="https://api.example", OAUTH2_REPLAY_STORE="memory"
    )
    require_oauth = ResourceProtector()
    require_oauth.init_app(app)
    app.get("/<path:name>")(require_oauth()(lambda name: name))
    return app


@pytest.mark.parametrize(
    ("sent", "htu"),
    [
        ("/caf%C3%A9", "/caf%C3%A9"),
        ("/caf%C3%A9", "/caf%c3%a9"),
        ("/a%20b", "/a%20b"),
        ("/urn%3Aa", "/urn%3Aa"),
        ("/urn%3Aa", "/urn:a"),
        ("/urn:a", "/urn%3aa"),
        ("/at%3A%2F%2Fdid", "/at%3A%2F%2Fdid"),
        ("/%7Euser", "/~user"),
        ("/100%25", "/100%25"),
        ("/a%3Fb", "/a%3Fb"),
    ],
)
def test_escapes_in_a_path_count_as_what_they_stand_for(api, build_token, build_proof, proof_key, sent, htu):
    token = build_token(bound_to=proof_key)
    proof = build_proof(token, htu=f"https://api.example{htu}")

    answer = api.test_client().get(sent, headers={"Authorization": f"DPoP {token}", "DPoP": proof})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("sent", "htu"),
    [
        ("/a", "/A"),
        ("/a", "/a/"),
        ("/a/b", "/a/./b"),
        ("/a/b", "/a/x/../b"),
        ("/100%25", "/100%"),
        ("/a%3Fb", "/a?b"),
        ("/a%2541", "/aA"),
    ],
)
def test_another_path_is_refused(api, build_token, build_proof, proof_key, sent, htu):
    token = build_token(bound_to=proof_key)
    proof = build_proof(token, htu=f"https://api.example{htu}")

    answer = api.test_client().get(sent, headers={"Authorization": f"DPoP {token}", "DPoP": proof})

    assert answer.status_code == 401
    assert answer.json["error"] == "invalid_dpop_proof"


def test_an_app_mounted_below_another_is_found_by_its_whole_path(api, build_token, build_proof, proof_key):
    mounted = Client(DispatcherMiddleware(flask.Flask("root"), {"/v1": api}))
    token = build_token(bound_to=proof_key)
    proof = build_proof(token, htu="https://api.example/v1/values")

    assert mounted.get("/v1/values", headers={"Authorization": f"DPoP {token}", "DPoP": proof}).status_code == 200
