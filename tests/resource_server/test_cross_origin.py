"""``OAUTH2_CORS_ORIGINS`` at an API: the protected views, and nothing else of the application."""

import flask
import flask_cors
import pytest
from flask.views import MethodView

from flask_private_key_jwt import ResourceProtector
from tests.refusals import causes, noting_refusals
from tests.resource_server.conftest import API, ISSUER

APP = "https://spa.example"
EVIL = "https://evil.example"
METADATA = "/.well-known/oauth-protected-resource"
EXPOSED = "DPoP-Nonce, WWW-Authenticate, Error-Reference"
ON = {"OAUTH2_CORS_ORIGINS": [APP]}
listed = pytest.mark.parametrize("settings", [ON])


@pytest.fixture
def api(app, issuer):
    """The API with more ways to protect a view, and views that are not."""
    require_oauth = ResourceProtector()
    blueprint = flask.Blueprint("things", "things", url_prefix="/things")
    require_oauth.protect(blueprint, "read")
    inner = flask.Blueprint("inner", "inner", url_prefix="/inner")
    inner.add_url_rule("/", "list", lambda: "x")
    blueprint.add_url_rule("/", "list", lambda: "x")
    blueprint.add_url_rule("/own", "own", lambda: "the view's own answer", methods=["GET", "OPTIONS"])
    blueprint.register_blueprint(inner)
    app.register_blueprint(blueprint)

    class Notes(MethodView):
        decorators = [require_oauth("read")]

        def get(self):
            return "x"

        def put(self):
            return "x"

    app.add_url_rule("/notes/<name>", view_func=Notes.as_view("notes"))
    app.add_url_rule("/any", "page", lambda: "a page for people", methods=["PATCH"])
    app.add_url_rule("/open", "open", lambda: "x")
    return app


@pytest.fixture
def http(api):
    return api.test_client()


def cors_of(answer):
    return {name: value for name, value in answer.headers if name.lower().startswith("access-control-")}


def preflight(http, path, origin=APP, method="GET", **headers):
    return http.options(path, headers={"Origin": origin, "Access-Control-Request-Method": method, **headers})


PROTECTED = {
    "/any": "GET, HEAD, POST",
    "/read": "GET, HEAD",
    "/bound": "GET, HEAD",
    "/optional": "GET, HEAD",
    "/things/": "GET, HEAD",
    "/things/own": "GET, HEAD",
    "/things/inner/": "GET, HEAD",
    "/notes/one": "GET, HEAD, PUT",
}


@listed
@pytest.mark.parametrize(("path", "methods"), PROTECTED.items())
def test_preflight_for_a_protected_view_is_answered_without_a_token(path, methods, http):
    answer = preflight(http, path, **{"Access-Control-Request-Headers": "authorization,dpop"})

    assert (answer.status_code, answer.data, answer.headers.getlist("Vary")) == (204, b"", ["Origin"])
    assert cors_of(answer) == {
        "Access-Control-Allow-Origin": APP,
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": "Authorization, DPoP, Content-Type, MCP-Protocol-Version",
        "Access-Control-Max-Age": "600",
    }


@listed
def test_preflight_is_answered_before_the_applications_own_sign_in(api, http):
    api.before_request(lambda: flask.abort(401))

    assert preflight(http, "/read").status_code == 204
    assert preflight(http, "/read", EVIL).status_code == 401
    assert preflight(http, "/open").status_code == 401


@listed
def test_listed_origin_may_read_an_answer_and_a_refusal(http, build_token):
    answer = http.get("/read", headers={"Origin": APP, "Authorization": f"Bearer {build_token()}"})
    refused = http.get("/read", headers={"Origin": APP})

    assert (answer.status_code, refused.status_code) == (200, 401)
    for each in (answer, refused):
        assert cors_of(each) == {"Access-Control-Allow-Origin": APP, "Access-Control-Expose-Headers": EXPOSED}
        assert each.headers["Vary"] == "Origin"
    assert refused.headers["WWW-Authenticate"]
    assert refused.headers["Error-Reference"]


@pytest.mark.parametrize("settings", [{**ON, "OAUTH2_DPOP_NONCE": "required", "SECRET_KEY": "for tests only" * 3}])
def test_listed_origin_may_read_a_nonce(http, build_token, build_proof, proof_key):
    token = build_token(bound_to=proof_key)
    headers = {"Origin": APP, "Authorization": f"DPoP {token}", "DPoP": build_proof(token)}
    refused = http.get("/any", headers=headers)

    assert refused.headers["DPoP-Nonce"]
    assert cors_of(refused) == {"Access-Control-Allow-Origin": APP, "Access-Control-Expose-Headers": EXPOSED}


@listed
@pytest.mark.parametrize("path", PROTECTED)
@pytest.mark.parametrize("origin", [EVIL, "null", f"{APP}.evil.example", "https://evil-spa.example", f"{APP}:8443"])
def test_any_other_origin_gets_nothing(path, origin, http):
    answer = http.get(path, headers={"Origin": origin})

    assert (cors_of(answer), answer.headers["Vary"]) == ({}, "Origin")
    assert cors_of(preflight(http, path, origin)) == {}


@listed
def test_other_origin_is_refused_for_the_same_cause_as_without_cors(app, http):
    with noting_refusals(app) as refusals:
        http.get("/read", headers={"Origin": EVIL})
        preflight(http, "/things/own", EVIL)

    assert causes(refusals) == ["token_missing", "token_missing"]


@pytest.mark.parametrize("settings", [ON, {"OAUTH2_CORS_ORIGINS": "*"}])
@pytest.mark.parametrize(
    ("path", "method"), [("/open", "GET"), ("/nowhere", "GET"), ("/any", "PATCH"), ("/read", "POST")]
)
def test_what_is_not_protected_stays_closed(path, method, http):
    assert cors_of(preflight(http, path, method=method)) == {}
    assert cors_of(http.open(path, method=method, headers={"Origin": APP})) == {}


@pytest.mark.parametrize("settings", [{"OAUTH2_CORS_ORIGINS": "*"}])
@pytest.mark.parametrize("origin", [APP, EVIL, "null"])
def test_star_opens_protected_views_to_every_origin_without_credentials(origin, http, build_token):
    answer = http.get("/read", headers={"Origin": origin, "Authorization": f"Bearer {build_token()}"})

    assert cors_of(answer) == {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": EXPOSED}
    assert cors_of(preflight(http, "/read", origin))["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", PROTECTED)
def test_nothing_is_opened_by_default(path, http):
    assert cors_of(http.get(path, headers={"Origin": APP})) == cors_of(preflight(http, path)) == {}


@listed
@pytest.mark.parametrize("method", ["\x7f", "get", "G" * 9000, "*", "CONNECT"])
@pytest.mark.parametrize("asked", ["x", "a" * 20000, ",,,", "\x01"])
def test_hostile_preflight_is_no_5xx_and_repeats_nothing(method, asked, http):
    answer = preflight(http, "/read", method=method, **{"Access-Control-Request-Headers": asked})

    assert answer.status_code < 500
    assert asked not in str(answer.headers) or asked in ("x", ",,,")
    assert method not in cors_of(answer).get("Access-Control-Allow-Methods", "")


@pytest.mark.parametrize("settings", [{}, ON])
@pytest.mark.parametrize("origin", [APP, EVIL, "null"])
def test_metadata_is_for_everybody_preflights_included(origin, http):
    answer = http.get(METADATA, headers={"Origin": origin})
    options = preflight(http, METADATA, origin, **{"Access-Control-Request-Headers": "mcp-protocol-version"})

    assert (answer.status_code, cors_of(answer)["Access-Control-Allow-Origin"]) == (200, "*")
    assert cors_of(options)["Access-Control-Allow-Origin"] == "*"
    assert "MCP-Protocol-Version" in cors_of(options)["Access-Control-Allow-Headers"]
    assert cors_of(options)["Access-Control-Allow-Methods"] == "GET, HEAD"


@pytest.mark.parametrize("first", ["flask-cors", "ours"])
def test_flask_cors_of_the_application_doubles_nothing_and_opens_nothing_more(first, issuer):
    app = flask.Flask("api")
    app.config.from_mapping(OAUTH2_ISSUER=ISSUER, OAUTH2_RESOURCE=API, OAUTH2_REPLAY_STORE="memory", **ON)
    require_oauth = ResourceProtector()
    if first == "ours":
        require_oauth.init_app(app)
    flask_cors.CORS(app, origins=[APP, EVIL], supports_credentials=True)
    if first != "ours":
        require_oauth.init_app(app)
    app.add_url_rule("/read", "read", require_oauth("read")(lambda: "x"))
    app.add_url_rule("/open", "open", lambda: "x")
    http = app.test_client()

    for answer in (http.get("/read", headers={"Origin": APP}), preflight(http, "/read")):
        assert [value for name, value in answer.headers if name == "Access-Control-Allow-Origin"] == [APP]
        assert answer.headers.getlist("Vary") == ["Origin"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
    assert cors_of(http.get("/read", headers={"Origin": EVIL})) == cors_of(preflight(http, "/read", EVIL)) == {}
    assert http.get(METADATA, headers={"Origin": APP}).headers.getlist("Access-Control-Allow-Origin") == ["*"]
    assert cors_of(http.get("/open", headers={"Origin": EVIL}))["Access-Control-Allow-Origin"] == EVIL
