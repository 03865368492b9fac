"""Protected resource metadata (RFC 9728)."""

import flask
import pytest

from flask_private_key_jwt import ResourceProtector

EVERY_FRAMEWORK = True

PATH = "/.well-known/oauth-protected-resource"


def make_api(**config):
    app = flask.Flask("api")
    app.config.from_mapping(OAUTH2_ISSUER="https://as.example", OAUTH2_RESOURCE="https://api.example")
    app.config.from_mapping(config)
    require_oauth = ResourceProtector()
    require_oauth.init_app(app)
    return app, require_oauth


@pytest.fixture
def settings():
    return {"OAUTH2_DPOP_SIGNING_ALGS": ["ES256", "PS256"]}


def test_the_document_tells_what_the_views_ask_for(call):
    assert call.send(PATH).json == {
        "resource": "https://api.example",
        "authorization_servers": ["https://as.example"],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["read"],
        "dpop_signing_alg_values_supported": ["ES256", "PS256"],
        "dpop_bound_access_tokens_required": False,
    }


def test_an_api_without_dpop_does_not_advertise_it():
    app, require_oauth = make_api()
    app.get("/")(require_oauth(["write admin", "read"])(lambda: ""))

    assert app.test_client().get(PATH).json == {
        "resource": "https://api.example",
        "authorization_servers": ["https://as.example"],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["admin", "read", "write"],
    }


def test_bound_tokens_are_required_where_every_view_requires_them():
    app, require_oauth = make_api(OAUTH2_REPLAY_STORE="memory")
    blueprint = flask.Blueprint("api", __name__)
    require_oauth.protect(blueprint, "read", dpop="required")
    blueprint.get("/")(lambda: "")
    app.register_blueprint(blueprint)

    document = app.test_client().get(PATH).json

    assert document["dpop_bound_access_tokens_required"] is True
    assert document["scopes_supported"] == ["read"]


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("https://api.example", PATH),
        ("https://api.example/", PATH),
        ("https://api.example/v1", f"{PATH}/v1"),
        ("https://api.example/v1/", f"{PATH}/v1/"),
        ("https://api.example/caf%C3%A9", f"{PATH}/caf%C3%A9"),
        ("https://api.example/v1?tenant=a", f"{PATH}/v1?tenant=a"),
    ],
)
def test_the_path_of_the_resource_comes_after_the_well_known_one(resource, path):
    app, require_oauth = make_api(OAUTH2_RESOURCE=resource)
    app.get("/values")(require_oauth()(lambda: ""))

    assert app.test_client().get(path).json["resource"] == resource
    challenge = app.test_client().get("/values").headers["WWW-Authenticate"]
    assert challenge == f'Bearer resource_metadata="https://api.example{path}"'


def test_a_resource_that_is_no_url_has_no_document():
    app, _ = make_api(OAUTH2_RESOURCE="urn:example:api")

    assert app.test_client().get(PATH).status_code == 404


def test_the_document_may_be_cached_and_read_from_anywhere(call):
    answer = call.send(PATH, Accept="text/html")

    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_the_host_header_changes_nothing(call):
    assert call.send(PATH, Host="evil.example").json["resource"] == "https://api.example"
    assert "evil" not in call.send("/any", Host="evil.example").headers["WWW-Authenticate"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_refused_as_json(call, method):
    answer = call.send(PATH, method=method)

    assert answer.status_code == 405
    assert answer.content_type == "application/json"
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_a_replay_store_that_cannot_be_is_unavailable(caplog):
    app, _ = make_api(OAUTH2_REPLAY_STORE="sql")

    assert app.test_client().get(PATH).status_code == 503
    assert "OAUTH2_REPLAY_STORE is sql" in caplog.text


def test_head_is_answered_without_a_body(call):
    answer = call.send(PATH, method="HEAD")

    assert (answer.status_code, answer.data) == (200, b"")


def test_a_login_made_for_people_does_not_hide_the_document():
    app, _ = make_api()
    app.before_request(lambda: flask.redirect("/login"))
    app.register_error_handler(405, lambda error: "<h1>Oops</h1>")

    assert app.test_client().get(PATH).status_code == 200
    assert app.test_client().post(PATH).content_type == "application/json"
    assert app.test_client().get("/other").status_code == 302
