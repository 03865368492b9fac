"""A guest in someone's app: what is made for people there does not touch the machines, and the other way round."""

import flask
import pytest
from flask_sqlalchemy import SQLAlchemy

from flask_private_key_jwt import PrivateKeyJWT
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.jose import jose
from tests.conftest import API, CLIENT_ID, INVALID_REQUEST, ISSUER, SECRET, TOKEN_URL
from tests.guest import host

METADATA = "/.well-known/oauth-authorization-server"
MACHINE_PATHS = {
    "/oauth2/token": "POST, OPTIONS",
    "/oauth2/introspect": "POST, OPTIONS",
    "/oauth2/revoke": "POST, OPTIONS",
    "/oauth2/jwks": "GET, HEAD, OPTIONS",
    METADATA: "GET, HEAD, OPTIONS",
}
WRONG_METHODS = [
    (path, method)
    for path, allowed in MACHINE_PATHS.items()
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "FOO", "\u00c4")
    if method not in allowed
]
WRONG_METHOD = {
    "error": "invalid_request",
    "error_description": "The endpoint does not support this HTTP method.",
}


# --- the machines -----------------------------------------------------------------------------------------
def test_machine_gets_a_token_past_login_csrf_and_error_pages(host_app, ask):
    answer = ask(host_app)

    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    assert "Set-Cookie" not in answer.headers
    assert jose.decode_unverified(answer.json["access_token"])[1]["client_id"] == CLIENT_ID


def test_metadata_and_keys_are_public(host_app):
    http = host_app.test_client()

    assert http.get(METADATA).json["token_endpoint"] == TOKEN_URL
    assert http.get("/oauth2/jwks").json["keys"][0]["use"] == "sig"


@pytest.mark.parametrize("order", [
    ["oauth", "database", "pages", "csrf", "login", "errors", "headers"],
    ["login", "csrf", "errors", "headers", "oauth", "pages", "database"],
    ["errors", "headers", "csrf", "database", "oauth", "login", "pages"],
    ["database", "pages", "csrf", "login", "errors", "headers", "oauth"],
])  # fmt: skip
def test_order_of_the_host_s_steps_does_not_matter(order, make_host, ask):
    app = make_host(order=order)

    assert ask(app).status_code == 200
    assert app.test_client().get("/oauth2/token").json == WRONG_METHOD
    assert app.test_client().get("/").location == "/login"
    assert app.test_client().post("/post").status_code in (302, 400)


@pytest.mark.parametrize(("path", "method"), WRONG_METHODS)
def test_wrong_method_is_answered_in_json(path, method, host_app):
    answer = host_app.test_client().open(path, method=method)

    assert (answer.status_code, answer.content_type) == (405, "application/json")
    assert f"{answer.headers['Allow']}, OPTIONS" == MACHINE_PATHS[path]
    assert method == "HEAD" or answer.json == WRONG_METHOD


@pytest.mark.parametrize("path", MACHINE_PATHS)
def test_options_names_the_methods(path, host_app):
    answer = host_app.test_client().options(path)

    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Allow"] == MACHINE_PATHS[path]


@pytest.mark.parametrize("path", [METADATA, "/oauth2/jwks"])
def test_head_is_get_without_the_body(path, host_app):
    http = host_app.test_client()
    got, head = http.get(path), http.head(path)

    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(got.data))
    assert head.headers["ETag"] == got.headers["ETag"]


@pytest.mark.parametrize(
    ("options", "status", "body"),
    [
        ({"data": "grant_type=" + "x" * 70000}, 413, "The request is too large."),
        ({"json": {"grant_type": "client_credentials"}}, 400, "The request is malformed."),
        ({"data": {"file": (None, "")}, "content_type": "multipart/form-data"}, 400, "The request is malformed."),
        ({"data": "a=1&a=2"}, 400, "The request is malformed."),
        ({"data": {"grant_type": "client_credentials"}}, 400, "Client authentication failed."),
        ({"query_string": "grant_type=client_credentials"}, 400, "Client authentication failed."),
    ],
)
def test_refusals_are_json_whatever_pages_the_host_has(options, status, body, host_app):
    form = {} if "json" in options else {"content_type": "application/x-www-form-urlencoded"}

    answer = host_app.test_client().post("/oauth2/token", **{**form, **options})

    assert (answer.status_code, answer.content_type) == (status, "application/json")
    assert answer.json["error_description"] == body
    assert answer.headers["Cache-Control"] == "no-store"


def test_own_limit_counts_and_not_the_host_s(make_host, ask):
    assert ask(make_host(MAX_CONTENT_LENGTH=10, MAX_FORM_MEMORY_SIZE=10, MAX_FORM_PARTS=1)).status_code == 200


def test_database_of_the_host_being_broken_is_json_too(host_app, ask):
    with host_app.app_context():
        host.db.drop_all()

    answer = ask(host_app)

    assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["Retry-After"] == "5"


def test_defect_of_ours_is_json_too(host_app, ask, monkeypatch):
    def break_down(*_):
        raise KeyError("a defect")

    monkeypatch.setattr(type(host_app.extensions["private_key_jwt"].server), "issue", break_down)

    answer = ask(host_app)

    assert (answer.status_code, answer.json["error"]) == (500, "server_error")


@pytest.mark.parametrize("accept", ["text/html", "*/*", "image/png"])
def test_whatever_is_accepted_the_answer_is_json(accept, host_app):
    answer = host_app.test_client().post("/oauth2/token", headers={"Accept": accept})

    assert answer.json == INVALID_REQUEST


def test_after_request_of_the_host_still_runs(host_app, ask):
    for answer in (ask(host_app), host_app.test_client().get("/oauth2/token"), host_app.test_client().get(METADATA)):
        assert answer.headers["X-Host"] == "was here"


def test_session_cookie_of_a_person_changes_nothing(host_app, build_form):
    http = host_app.test_client()
    with http.session_transaction() as session:
        session["person"] = 5

    assert http.post("/oauth2/token", data=build_form()).status_code == 200


# --- the people -------------------------------------------------------------------------------------------
@pytest.fixture
def logged_in(host_app):
    http = host_app.test_client()
    with http.session_transaction() as session:
        session["person"] = 5
    return http


def test_login_of_the_host_is_still_required(host_app):
    answer = host_app.test_client().get("/")

    assert (answer.status_code, answer.location) == (302, "/login")


def test_pages_of_the_host_are_still_there(logged_in):
    assert logged_in.get("/").text == "<h1>Welcome back</h1>"


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/nowhere", 404, "<h1>Sorry: 404</h1>"),
        ("GET", "/oauth2", 404, "<h1>Sorry: 404</h1>"),
        ("GET", "/oauth2/token/", 404, "<h1>Sorry: 404</h1>"),
        ("GET", "/.well-known/other", 404, "<h1>Sorry: 404</h1>"),
        ("POST", "/", 405, "<h1>Sorry: 405</h1>"),
        ("POST", "/post", 400, "<h1>Sorry: 400</h1>"),
        ("GET", "/broken", 500, "<h1>Sorry</h1>"),
    ],
)
def test_error_pages_and_csrf_protection_of_the_host_are_still_there(method, path, status, text, logged_in):
    answer = logged_in.open(path, method=method)

    assert (answer.status_code, answer.text) == (status, text)


def test_tables_of_the_host_keep_its_names_and_ours_keep_theirs():
    tables = host.db.metadata.tables

    assert {"person", "client", "oauth2_client", "oauth2_server_key", "oauth2_replay"} <= tables.keys()
    assert {index.name for index in tables["person"].indexes} == {"idx__person__boss_id"}
    names = {constraint.name for constraint in tables["oauth2_client"].constraints}
    assert {"pk_oauth2_client", "uq_oauth2_client_client_id"} <= names


def test_model_of_the_host_named_client_is_its_own(host_app):
    assert host.Client.__tablename__ == "client"
    with host_app.app_context():
        host.db.session.add(host.Client())
        host.db.session.commit()

        assert host.db.session.query(host.Client).count() == 1
        assert host.db.session.query(host.oauth.Client).one().client_id == CLIENT_ID


# --- where it answers -------------------------------------------------------------------------------------
def test_url_prefix_is_a_setting(make_host, ask):
    app = make_host(OAUTH2_URL_PREFIX="/auth/v1")

    assert ask(app, "/auth/v1/token").status_code == 200
    assert ask(app, "/oauth2/token").status_code == 302  # the host's own business
    metadata = app.test_client().get(METADATA).json
    assert metadata["token_endpoint"] == f"{ISSUER}/auth/v1/token"
    assert metadata["jwks_uri"] == f"{ISSUER}/auth/v1/jwks"


def test_settings_may_come_from_the_environment(make_host, ask, monkeypatch):
    monkeypatch.setenv("FLASK_OAUTH2_URL_PREFIX", "/from/env")
    monkeypatch.setenv("FLASK_OAUTH2_ACCESS_TOKEN_LIFETIME_SECONDS", "77")
    monkeypatch.setenv("FLASK_OAUTH2_DPOP_REQUIRED", "False")

    assert ask(make_host(), "/from/env/token").json["expires_in"] == 77


def test_endpoints_have_names_for_url_for(host_app):
    with host_app.test_request_context():
        assert flask.url_for("private_key_jwt.token") == "/oauth2/token"
        assert flask.url_for("private_key_jwt.jwks") == "/oauth2/jwks"
        assert flask.url_for("private_key_jwt.metadata") == METADATA


# --- mistakes ---------------------------------------------------------------------------------------------
def test_second_init_app_on_one_app_is_an_error(host_app):
    with pytest.raises(ConfigurationError, match=r"^init_app was called on this app before\.$"):
        host.oauth.init_app(host_app)


def test_init_app_by_another_extension_object_on_one_app_is_an_error(host_app):
    with pytest.raises(ConfigurationError, match=r"^init_app was called on this app before\.$"):
        PrivateKeyJWT(SQLAlchemy()).init_app(host_app)


def test_second_extension_object_on_one_database_object_is_an_error():
    with pytest.raises(ConfigurationError, match=r"table oauth2_client already\. .* make one PrivateKeyJWT\(db\)"):
        PrivateKeyJWT(host.db)


def test_refused_init_app_leaves_the_app_as_it_was():
    app = flask.Flask("host")
    app.config.from_mapping(OAUTH2_ISSUER="http://as.example", SECRET_KEY=SECRET)
    before = (dict(app.extensions), list(app.url_map.iter_rules()), dict(app.before_request_funcs))

    with pytest.raises(ConfigurationError, match=r"^OAUTH2_ISSUER = "):
        host.oauth.init_app(app)

    assert (dict(app.extensions), list(app.url_map.iter_rules()), dict(app.before_request_funcs)) == before
    app.config["OAUTH2_ISSUER"] = ISSUER
    host.oauth.init_app(app)


@pytest.mark.parametrize("config", [{"SECRET_KEY": None}, {"SECRET_KEY": "dev"}])
def test_missing_or_short_secret_is_an_error_at_start(config, make_host):
    with pytest.raises(ConfigurationError, match="`flask oauth2 secret` makes one"):
        make_host(**config)


def test_extension_may_be_given_the_app_at_once(tmp_path):
    app = flask.Flask("host")
    app.config.from_mapping(
        SECRET_KEY=SECRET,
        OAUTH2_ISSUER=ISSUER,
        OAUTH2_RESOURCES=[API],
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/x",
    )
    db = SQLAlchemy(app)
    PrivateKeyJWT(db, app)

    assert app.test_client().get(METADATA).status_code == 200
    assert app.test_client().post("/oauth2/token").json == INVALID_REQUEST
