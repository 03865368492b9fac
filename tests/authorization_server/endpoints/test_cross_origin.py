"""``OAUTH2_CORS_ORIGINS`` at the authorization server: which endpoints it opens, and to whom."""

import flask
import flask_cors
import pytest

from tests.authorization_server.conftest import build_request
from tests.authorization_server.sign_out.logout_browser import LOGOUT
from tests.conftest import INVALID_CLIENT, make_app
from tests.refusals import causes

APP = "https://spa.example"
EVIL = "https://evil.example"
OPENED = {
    "/oauth2/token": "POST",
    "/oauth2/par": "POST",
    "/oauth2/revoke": "POST",
    "/oauth2/userinfo": "GET, POST",
    "/oauth2/register": "POST",
}
CLOSED = ["/oauth2/introspect", "/oauth2/register/client"]
PAGES = ["/oauth2/authorize", "/oauth2/logout"]
PUBLIC = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/oauth2/jwks"]
ON = {"OAUTH2_CORS_ORIGINS": [APP], "OAUTH2_REGISTRATION": "open", "OAUTH2_REGISTRATION_SCOPES": []}
listed = pytest.mark.parametrize("settings", [ON])


@pytest.fixture
def http(app, people):
    return app.test_client()


def cors_of(answer):
    return {name: value for name, value in answer.headers if name.lower().startswith("access-control-")}


def preflight(http, path, origin=APP, method="POST", **headers):
    return http.options(path, headers={"Origin": origin, "Access-Control-Request-Method": method, **headers})


# --- what is opened --------------------------------------------------------------------------------------------------
@listed
@pytest.mark.parametrize(("path", "methods"), OPENED.items())
def test_preflight_of_a_listed_origin_is_answered(path, methods, http):
    answer = preflight(http, path, **{"Access-Control-Request-Headers": "authorization,dpop"})

    assert (answer.status_code, answer.data, answer.headers["Vary"]) == (204, b"", "Origin")
    assert cors_of(answer) == {
        "Access-Control-Allow-Origin": APP,
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": "Authorization, DPoP, Content-Type, MCP-Protocol-Version",
        "Access-Control-Max-Age": "600",
    }


@listed
@pytest.mark.parametrize("path", OPENED)
def test_listed_origin_may_read_a_refusal(path, http):
    answer = http.post(path, headers={"Origin": APP})

    assert answer.status_code >= 400
    assert cors_of(answer) == {
        "Access-Control-Allow-Origin": APP,
        "Access-Control-Expose-Headers": "DPoP-Nonce, WWW-Authenticate, Error-Reference",
    }
    assert "Error-Reference" in answer.headers
    assert answer.headers.getlist("Vary") == ["Origin"]


@listed
def test_listed_origin_may_read_a_token(client, ask_token):
    answer = ask_token(headers={"Origin": APP})

    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, APP)


@pytest.mark.parametrize("settings", [{**ON, "OAUTH2_DPOP_NONCE": "required"}])
def test_listed_origin_may_read_a_nonce(client, ask_token, build_dpop):
    answer = ask_token(proof=build_dpop(), headers={"Origin": APP})

    assert answer.json["error"] == "use_dpop_nonce"
    assert answer.headers["DPoP-Nonce"]
    assert "DPoP-Nonce" in answer.headers["Access-Control-Expose-Headers"]
    assert answer.headers["Access-Control-Allow-Origin"] == APP


@listed
def test_refusal_of_a_method_and_a_fault_of_the_application_are_readable_too(http, oauth):
    assert cors_of(http.get("/oauth2/token", headers={"Origin": APP}))["Access-Control-Allow-Origin"] == APP

    oauth.before_machine_request(lambda endpoint: flask.abort(429))
    answer = http.post("/oauth2/token", headers={"Origin": APP})
    assert (answer.status_code, cors_of(answer)["Access-Control-Allow-Origin"]) == (429, APP)


@pytest.mark.parametrize("settings", [{**ON, "OAUTH2_CORS_ORIGINS": "*"}])
@pytest.mark.parametrize("origin", [APP, EVIL, "null"])
def test_every_origin_may_read_with_a_star_and_none_with_credentials(origin, http, client, ask_token):
    answer = ask_token(headers={"Origin": origin, "Cookie": "session=x"})

    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
    for each in (answer, preflight(http, "/oauth2/token", origin)):
        assert cors_of(each)["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in each.headers


# --- what is not -----------------------------------------------------------------------------------------------------
@listed
@pytest.mark.parametrize("origin", [EVIL, "null", f"{APP}.evil.example", f"{APP}:8443", f"{APP}/", APP.upper(), ""])
def test_request_of_any_other_origin_is_one_without_cors(origin, http, client, ask_token, refusals):
    answer = ask_token(headers={"Origin": origin})
    refused = ask_token(headers={"Origin": origin}, assertion="x")

    assert (answer.status_code, cors_of(answer), answer.headers["Vary"]) == (200, {}, "Origin")
    assert (refused.json, cors_of(refused)) == (INVALID_CLIENT, {})
    assert causes(refusals) == ["assertion_malformed"]
    options = preflight(http, "/oauth2/token", origin)
    assert (options.status_code, options.headers["Allow"], cors_of(options)) == (204, "POST, OPTIONS", {})


@listed
def test_answer_without_an_origin_says_that_it_depends_on_it(client, ask_token):
    answer = ask_token()

    assert (cors_of(answer), answer.headers["Vary"]) == ({}, "Origin")


@listed
@pytest.mark.parametrize("path", CLOSED)
def test_other_machine_endpoints_stay_closed(path, http):
    assert cors_of(preflight(http, path)) == cors_of(http.post(path, headers={"Origin": APP})) == {}


@pytest.mark.parametrize("settings", [{**ON, "OAUTH2_REGISTRATION": "token"}])
def test_registration_with_a_token_stays_closed(http):
    path = "/oauth2/register"

    assert cors_of(preflight(http, path)) == cors_of(http.post(path, headers={"Origin": APP})) == {}


@pytest.mark.parametrize("settings", [ON, {**ON, "OAUTH2_CORS_ORIGINS": "*"}, {}])
@pytest.mark.parametrize("path", PAGES)
def test_pages_for_people_are_for_no_other_origin(path, app, http, browser, webapp, oauth):
    oauth.sign_out(lambda: None)
    flask_cors.CORS(app, origins=[APP, EVIL], supports_credentials=True)  # an application that opens all of itself
    page = browser.sign_in().http.get(
        path, query_string=build_request() if path == PAGES[0] else {}, headers={"Origin": APP}
    )

    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert cors_of(page) == cors_of(preflight(http, path)) == cors_of(preflight(http, path, method="GET")) == {}


def test_logout_is_one_of_the_pages():
    assert LOGOUT in PAGES


@pytest.mark.parametrize("path", OPENED)
def test_nothing_is_opened_by_default(path, http):
    assert cors_of(preflight(http, path)) == cors_of(http.post(path, headers={"Origin": APP})) == {}


@listed
@pytest.mark.parametrize(
    "asked",
    [
        "x",
        "cookie, authorization",
        "a\tb",
        ",,,,",
        "x" * 20000,
        "*",
        "authorization\x00",
        "Access-Control-Allow-Origin",
    ],
)
@pytest.mark.parametrize("method", ["POST", "post", "DELETE", "\x7f", "TRACE", "*"])
def test_nothing_that_a_preflight_asks_for_is_repeated(asked, method, http):
    answer = preflight(http, "/oauth2/token", method=method, **{"Access-Control-Request-Headers": asked})

    assert (answer.status_code, len(answer.data)) == (204, 0)
    assert cors_of(answer) == cors_of(preflight(http, "/oauth2/token"))


# --- public documents ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("settings", [{}, ON])
@pytest.mark.parametrize("path", PUBLIC)
@pytest.mark.parametrize("origin", [APP, EVIL, "null"])
def test_public_documents_are_for_everybody_preflights_included(path, origin, http):
    answer = http.get(path, headers={"Origin": origin})
    options = preflight(http, path, origin, method="GET", **{"Access-Control-Request-Headers": "mcp-protocol-version"})

    assert (answer.status_code, cors_of(answer)["Access-Control-Allow-Origin"]) == (200, "*")
    assert (options.status_code, cors_of(options)["Access-Control-Allow-Origin"]) == (204, "*")
    assert "MCP-Protocol-Version" in cors_of(options)["Access-Control-Allow-Headers"]
    assert cors_of(options)["Access-Control-Allow-Methods"] == "GET, HEAD"
    assert "Access-Control-Allow-Credentials" not in {**cors_of(answer), **cors_of(options)}


@pytest.mark.parametrize("path", PUBLIC)
def test_refusal_at_a_public_document_is_readable_too(path, http):
    assert cors_of(http.post(path, headers={"Origin": APP}))["Access-Control-Allow-Origin"] == "*"


# --- beside flask-cors -----------------------------------------------------------------------------------------------
@pytest.fixture(params=["before", "after"])
def app_with_flask_cors(request, tmp_path):
    """An application that opens itself by flask-cors, with credentials; either extension is initialised first."""
    options = {"origins": [APP, EVIL], "supports_credentials": True, "expose_headers": "X-Other"}

    def make(**config):
        app, _, db = make_app(f"sqlite:///{tmp_path}/as.sqlite", **config)
        if request.param == "before":
            functions = app.after_request_funcs[None]
            app.after_request_funcs[None] = []
            flask_cors.CORS(app, **options)
            app.after_request_funcs[None] = [*functions, *app.after_request_funcs[None]]
        else:
            flask_cors.CORS(app, **options)
        made.append((app, db))
        return app

    made = []
    yield make
    for app, db in made:
        with app.app_context():
            db.engine.dispose()


def test_flask_cors_of_the_application_doubles_nothing_and_opens_nothing_more(app_with_flask_cors):
    http = app_with_flask_cors(**ON).test_client()

    for path in ("/oauth2/token", "/oauth2/revoke"):
        answer = http.post(path, headers={"Origin": APP})
        assert answer.headers.getlist("Access-Control-Allow-Origin") == [APP]
        assert answer.headers.getlist("Vary") == ["Origin"]
        assert cors_of(answer).keys() == {"Access-Control-Allow-Origin", "Access-Control-Expose-Headers"}
        assert cors_of(http.post(path, headers={"Origin": EVIL})) == {}
        assert cors_of(preflight(http, path, EVIL)) == {}
    assert cors_of(http.post("/oauth2/introspect", headers={"Origin": APP})) == {}
    for path in PUBLIC[::2]:
        answer = http.get(path, headers={"Origin": APP})
        assert [value for name, value in answer.headers if name == "Access-Control-Allow-Origin"] == ["*"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_without_the_setting_the_application_decides_as_before(app_with_flask_cors):
    http = app_with_flask_cors().test_client()

    answer = http.post("/oauth2/token", headers={"Origin": EVIL})

    assert answer.headers.getlist("Access-Control-Allow-Origin") == [EVIL]
