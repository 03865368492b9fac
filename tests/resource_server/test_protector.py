"""ResourceProtector on views, view classes and blueprints of a Flask app."""

import importlib.util
import logging
import sys

import flask
import pytest
from flask.views import MethodView

from flask_private_key_jwt import ResourceProtector, current_token
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.signals import request_refused
from tests.conftest import close
from tests.conftest import make_app as make_server
from tests.resource_server.api_answers import INSUFFICIENT_SCOPE, MISSING_TOKEN, UNAVAILABLE, challenges

CONFIG = {"OAUTH2_ISSUER": "https://as.example", "OAUTH2_RESOURCE": "https://api.example"}
BOTH_WAYS = {**CONFIG, "OAUTH2_REPLAY_STORE": "memory"}


def make_app(**config):
    app = flask.Flask("guest")
    app.config.from_mapping(config)
    return app


@pytest.fixture
def require_oauth():
    return ResourceProtector()


@pytest.fixture
def guest(issuer, require_oauth):
    """An app whose views a test adds."""
    app = make_app(**BOTH_WAYS)
    require_oauth.init_app(app)
    return app


@pytest.fixture
def get(guest, build_token):
    """Call the guest app with a Bearer token of this scope, or without one."""

    def get(path, scope=None, **options):
        headers = {"Authorization": f"Bearer {build_token(scope=scope)}"} if scope is not None else {}
        return guest.test_client().open(path, headers=headers, **options)

    return get


# --- scopes -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("needed", "scope", "status"),
    [
        (None, "", 200),
        ("read", "read", 200),
        ("read", "read write", 200),
        ("read", "write", 403),
        ("read", "", 403),
        ("read", "READ", 403),
        ("read", "reader", 403),
        ("read write", "write read", 200),
        ("read write", "read", 403),
        (["read", "write"], "write", 200),
        (["read", "write"], "other", 403),
        (["read write", "admin"], "admin", 200),
        (["read write", "admin"], "read", 403),
        (("read", "write"), "read", 200),
    ],
)
def test_a_text_needs_all_its_scopes_and_a_list_any_of_its_texts(guest, require_oauth, get, needed, scope, status):
    guest.get("/")(require_oauth(needed)(lambda: "in"))

    assert get("/", scope).status_code == status


def test_the_reason_names_what_is_needed(guest, require_oauth, get, caplog):
    guest.get("/")(require_oauth(["read write", "admin"])(lambda: "in"))
    answer = get("/", "read")

    assert answer.json == INSUFFICIENT_SCOPE
    assert "the token has scope 'read', not 'read write' or 'admin'" in caplog.text
    assert 'scope="read write"' in challenges(answer)[0]


# --- wrong arguments --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ([lambda: "view"], {}, "with parentheses"),
        ([""], {}, "empty text"),
        ([[]], {}, "empty text"),
        ([["read", " "]], {}, "empty text"),
        ([[5]], {}, "empty text"),
        (['re"ad'], {}, "not a scope token"),
        ([], {"dpop": "require"}, "dpop='require' is not known"),
    ],
)
def test_arguments_that_make_no_sense_are_an_error(require_oauth, arguments, options, message):
    with pytest.raises(ConfigurationError, match=message):
        require_oauth(*arguments, **options)


def test_forgotten_parentheses_are_an_error_that_shows_them(require_oauth):
    with pytest.raises(ConfigurationError, match=r"Write @require_oauth\(\) with parentheses"):

        @require_oauth
        def view():
            return "never"


def test_a_class_is_pointed_to_its_decorators(require_oauth):
    with pytest.raises(ConfigurationError, match=r"Values\.decorators"):

        @require_oauth("read")
        class Values(MethodView):
            pass


# --- where it goes ----------------------------------------------------------------------------------------
def test_a_view_class_is_protected_by_its_decorators(guest, require_oauth, get):
    class Values(MethodView):
        decorators = [require_oauth("read")]

        def get(self):
            return current_token["client_id"]

        def post(self):
            return "posted"

    guest.add_url_rule("/values", view_func=Values.as_view("values"))

    assert get("/values", "read").text == "console"
    assert get("/values", "read", method="POST").text == "posted"
    assert get("/values", "write").status_code == 403
    assert get("/values").status_code == 401


def test_one_method_of_a_view_class_is_protected(guest, require_oauth, get):
    class Values(MethodView):
        def get(self):
            return "public"

        @require_oauth("write")
        def post(self):
            return "posted"

    guest.add_url_rule("/values", view_func=Values.as_view("values"))

    assert get("/values").text == "public"
    assert get("/values", method="POST").status_code == 401
    assert get("/values", "write", method="POST").text == "posted"


def test_a_whole_blueprint_is_protected_and_nothing_else(guest, require_oauth, get):
    api = flask.Blueprint("api", __name__, url_prefix="/api")
    require_oauth.protect(api, "read")
    api.get("/values")(lambda: current_token["client_id"])
    guest.register_blueprint(api)
    guest.get("/public", endpoint="public")(lambda: "public")

    assert get("/api/values", "read").text == "console"
    assert get("/api/values", "write").status_code == 403
    assert get("/api/values").json == MISSING_TOKEN
    assert get("/public").text == "public"
    assert get("/api/none").status_code == 404


def test_a_preflight_request_needs_no_token(guest, require_oauth, get):
    api = flask.Blueprint("api", __name__, url_prefix="/api")
    require_oauth.protect(api)
    api.get("/values")(lambda: "values")
    api.route("/own", methods=["OPTIONS"], endpoint="own")(lambda: "the view's own answer")
    guest.register_blueprint(api)
    guest.get("/view", endpoint="view")(require_oauth()(lambda: "in"))

    assert get("/api/values", method="OPTIONS").status_code == 200
    assert get("/view", method="OPTIONS").status_code == 200
    assert get("/api/own", method="OPTIONS").status_code == 401


@pytest.mark.parametrize(("scope", "status"), [("read", 403), ("write", 403), ("read write", 200)])
def test_a_view_in_a_protected_blueprint_may_need_more(guest, require_oauth, get, scope, status):
    api = flask.Blueprint("api", __name__)
    require_oauth.protect(api, "read")
    api.get("/")(require_oauth("write")(lambda: "in"))
    guest.register_blueprint(api)

    assert get("/", scope).status_code == status


def test_a_proof_is_spent_once_where_two_requirements_apply(guest, require_oauth, build_token, build_proof, proof_key):
    api = flask.Blueprint("api", __name__)
    require_oauth.protect(api, "read")
    api.get("/")(require_oauth("write", dpop="required")(lambda: "in"))
    guest.register_blueprint(api)
    token = build_token(bound_to=proof_key)
    proof = build_proof(token, htu="https://api.example/")
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof}

    assert guest.test_client().get("/", headers=headers).status_code == 200
    assert guest.test_client().get("/", headers=headers).status_code == 401


def test_a_bearer_token_let_in_by_the_blueprint_is_refused_by_a_view_that_requires_dpop(guest, require_oauth, get):
    api = flask.Blueprint("api", __name__)
    require_oauth.protect(api, optional=True)
    api.get("/")(require_oauth(dpop="required")(lambda: "in"))
    guest.register_blueprint(api)

    assert get("/", "read").status_code == 401
    assert get("/").json == MISSING_TOKEN


@pytest.mark.skipif(importlib.util.find_spec("asgiref") is None, reason="asgiref (flask[async]) is not installed")
def test_an_async_view_is_protected(guest, require_oauth, get):
    @guest.get("/")
    @require_oauth("read")
    async def view():
        return current_token["client_id"]

    assert get("/", "read").text == "console"
    assert get("/", "write").status_code == 403


def test_a_view_keeps_its_name_and_gets_its_arguments(guest, require_oauth, get):
    @guest.get("/<int:number>")
    @require_oauth()
    def show(number):
        """Show a number."""
        return str(number + 1)

    assert (show.__name__, show.__doc__) == ("show", "Show a number.")
    assert get("/41", "").text == "42"


# --- optional ---------------------------------------------------------------------------------------------
def test_an_optional_view_lets_anonymous_callers_in(call):
    assert call.send("/optional").json == {"client": None}


def test_an_optional_view_knows_callers_with_a_token(call):
    assert call.bearer(path="/optional").json == {"client": "console"}


@pytest.mark.parametrize("header", ["Bearer garbage", "Basic abc", "DPoP x", "", "Bearer"])
def test_an_optional_view_refuses_wrong_credentials(call, header):
    assert call.send("/optional", Authorization=header).status_code in (400, 401)


def test_an_optional_view_refuses_too_little_scope(call, build_token):
    assert call.bearer(build_token(scope="write"), path="/optional").status_code == 403


# --- current_token ----------------------------------------------------------------------------------------
def test_current_token_holds_the_verified_claims(call, build_token):
    claims = call.bearer(build_token(extra={"a": [1]}), path="/read").json["claims"]

    assert claims["client_id"] == "console"
    assert claims["extra"] == {"a": [1]}


def test_what_a_view_does_to_the_claims_does_not_stay(guest, require_oauth, build_token):
    @guest.get("/")
    @require_oauth()
    def view():
        current_token["extra"].append("changed")
        return {"extra": current_token["extra"]}

    headers = {"Authorization": f"Bearer {build_token(extra=['a'])}"}
    answers = [guest.test_client().get("/", headers=headers).json for _ in range(2)]

    assert answers == [{"extra": ["a", "changed"]}] * 2


def test_current_token_is_false_where_nothing_is_protected(guest, require_oauth, get):
    guest.get("/public", endpoint="public")(lambda: {"token": bool(current_token)})
    guest.get("/in", endpoint="in")(require_oauth()(lambda: {"token": bool(current_token)}))

    with guest.app_context():  # as tests push it: flask.g would be shared by both requests
        assert get("/in", "").json == {"token": True}
        assert get("/public").json == {"token": False}
    assert not current_token


# --- the app and its settings -----------------------------------------------------------------------------
def test_a_second_init_app_on_an_app_is_an_error(guest):
    with pytest.raises(ConfigurationError, match="before"):
        ResourceProtector().init_app(guest)


def test_one_protector_serves_several_apps_by_their_own_settings(issuer, require_oauth, build_token):
    answers = []
    for resource in ("https://one.example", "https://two.example"):
        app = make_app(**{**CONFIG, "OAUTH2_RESOURCE": resource})
        require_oauth.init_app(app)
        app.get("/")(require_oauth()(lambda: "in"))
        token = build_token(aud="https://one.example")
        answers.append(app.test_client().get("/", headers={"Authorization": f"Bearer {token}"}).status_code)

    assert answers == [200, 401]


def test_settings_are_read_once(guest, require_oauth, get):
    guest.get("/")(require_oauth()(lambda: "in"))
    guest.config["OAUTH2_RESOURCE"] = "https://other.example"

    assert get("/", "").status_code == 200


def test_a_protected_view_in_an_app_without_init_app_is_never_open(require_oauth):
    app = make_app(TESTING=True)
    app.get("/")(require_oauth(optional=True)(lambda: "in"))

    with pytest.raises(ConfigurationError, match="init_app"):
        app.test_client().get("/")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"OAUTH2_ISSUER": "https://as.example"}, "OAUTH2_RESOURCE is not set"),
        ({"OAUTH2_RESOURCE": "https://api.example"}, "OAUTH2_ISSUER is not set"),
        ({**CONFIG, "OAUTH2_RESOURCES_": "x"}, "Did you mean"),
        ({**BOTH_WAYS, "OAUTH2_RESOURCE": "urn:example:api"}, "Set OAUTH2_EXTERNAL_URL"),
    ],
)
def test_a_wrong_setting_is_an_error_at_start(require_oauth, config, message):
    with pytest.raises(ConfigurationError, match=message):
        require_oauth.init_app(make_app(**config))


def test_a_replay_store_in_memory_is_warned_about(require_oauth, caplog):
    require_oauth.init_app(make_app(**BOTH_WAYS))

    assert "OAUTH2_REPLAY_STORE is memory" in caplog.text


def test_requiring_dpop_without_a_replay_store_is_an_error_at_start_where_views_are_known(require_oauth):
    app = make_app(**CONFIG)
    app.get("/")(require_oauth(dpop="required")(lambda: "in"))

    with pytest.raises(ConfigurationError, match="Set OAUTH2_REPLAY_STORE"):
        require_oauth.init_app(app)


def add_view(app, view):
    app.get("/")(view)


def add_view_class(app, view):
    class Values(MethodView):
        decorators = [lambda _: view]

        def get(self):
            return "in"

    app.add_url_rule("/", view_func=Values.as_view("values"))


def add_method(app, view):
    class Values(MethodView):
        get = staticmethod(view)

    app.add_url_rule("/", view_func=Values.as_view("values"))


def add_in_a_blueprint(app, view):
    api = flask.Blueprint("api", __name__)
    api.get("/")(view)
    app.register_blueprint(api)


def add_in_a_nested_blueprint(app, view):
    outer, inner = flask.Blueprint("outer", __name__), flask.Blueprint("inner", __name__)
    inner.get("/")(view)
    outer.register_blueprint(inner)
    app.register_blueprint(outer)


WAYS = [add_view, add_view_class, add_method, add_in_a_blueprint, add_in_a_nested_blueprint]


@pytest.mark.parametrize("store", [None, "sql"])
@pytest.mark.parametrize("add", WAYS)
def test_requiring_dpop_without_a_replay_store_is_an_error_where_a_view_is_registered(add, store, require_oauth):
    app = make_app(**CONFIG, OAUTH2_REPLAY_STORE=store)
    require_oauth.init_app(app)

    with pytest.raises(ConfigurationError, match="OAUTH2_REPLAY_STORE"):
        add(app, require_oauth(dpop="required")(lambda: "in"))
    assert "/" not in [rule.rule for rule in app.url_map.iter_rules()]


@pytest.mark.parametrize("add", WAYS)
def test_a_view_that_can_be_served_is_registered(add, require_oauth, issuer):
    app = make_app(**BOTH_WAYS)
    require_oauth.init_app(app)
    add(app, require_oauth(dpop="required")(lambda: "in"))

    assert app.test_client().get("/").status_code == 401


def test_the_server_in_the_same_app_lends_its_store_to_views_that_come_later(require_oauth, tmp_path):
    app, _, db = make_server(f"sqlite:///{tmp_path}/both.sqlite", **CONFIG)
    require_oauth.init_app(app)
    app.get("/")(require_oauth(dpop="required")(lambda: "in"))

    assert app.test_client().get("/").status_code == 401
    close(app, db)


@pytest.mark.parametrize("nested", [False, True])
def test_a_protected_blueprint_without_a_replay_store_is_an_error_where_it_is_registered(nested, require_oauth):
    app = make_app(**CONFIG)
    require_oauth.init_app(app)
    api, inner = flask.Blueprint("api", __name__), flask.Blueprint("inner", __name__)
    require_oauth.protect(api, dpop="required")
    (inner if nested else api).get("/")(lambda: "in")
    if nested:
        api.register_blueprint(inner)

    with pytest.raises(ConfigurationError, match="Set OAUTH2_REPLAY_STORE"):
        app.register_blueprint(api)


def test_views_that_are_not_protected_are_registered_as_ever(require_oauth):
    app = make_app(**CONFIG)
    require_oauth.init_app(app)
    app.add_url_rule("/a", "a", lambda: "a", methods=["POST"])
    app.add_url_rule("/b/", endpoint="b", view_func=lambda: "b", provide_automatic_options=False)
    app.add_url_rule("/c", "a")

    client = app.test_client()
    assert [client.post("/a").text, client.get("/b/").text, client.options("/b/").status_code] == ["a", "b", 405]


@pytest.mark.parametrize("store", [None, "sql"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}, {"Authorization": "DPoP x"}])
def test_requiring_dpop_where_nobody_was_told_of_the_view_is_unavailable(issuer, require_oauth, caplog, headers, store):
    app = make_app(**CONFIG, OAUTH2_REPLAY_STORE=store)
    require_oauth.init_app(app)
    app.get("/", endpoint="view")(lambda: "in")
    app.view_functions["view"] = require_oauth(dpop="required")(lambda: "in")

    answer = app.test_client().get("/", headers=headers)

    assert answer.status_code == 503
    assert answer.json == UNAVAILABLE
    assert "set up wrongly" in caplog.text
    assert "OAUTH2_REPLAY_STORE" in caplog.text


@pytest.mark.parametrize(
    ("store", "sentence"),
    [
        ("sqlite:////no/such/folder/replay.sqlite", "'/no/such/folder', and there is no such folder: create it"),
        ("nosuch://u:hunter2@h/d", "neither a kind of store nor a URL SQLAlchemy reads"),
    ],
)
def test_a_replay_store_that_cannot_be_had_is_an_error_at_the_start(store, sentence, require_oauth):
    with pytest.raises(ConfigurationError, match=sentence) as refused:
        require_oauth.init_app(make_app(**CONFIG, OAUTH2_REPLAY_STORE=store))
    assert "hunter2" not in str(refused.value)


def test_redis_without_redis_py_is_an_error_at_the_start(require_oauth, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)

    with pytest.raises(ConfigurationError, match=r"pip install flask-private-key-jwt\[redis\]"):
        require_oauth.init_app(make_app(**CONFIG, OAUTH2_REPLAY_STORE="redis://127.0.0.1"))


# --- a guest in someone's app -----------------------------------------------------------------------------
def test_the_apps_html_error_handlers_do_not_change_the_answers(guest, require_oauth, get):
    guest.get("/")(require_oauth("read")(lambda: "in"))
    for status in (400, 401, 403, 503, Exception):
        guest.register_error_handler(status, lambda error: ("<h1>Oops</h1>", 500))

    assert get("/").json == MISSING_TOKEN
    assert get("/", "write").json == INSUFFICIENT_SCOPE


def test_errors_of_the_view_are_the_apps_own(guest, require_oauth, get):
    guest.get("/")(require_oauth()(lambda: flask.abort(401)))

    assert get("/", "").content_type.startswith("text/html")


def test_a_refusal_is_signalled_with_its_reason_and_the_client(guest, require_oauth, get):
    guest.get("/")(require_oauth("read")(lambda: "in"))
    received = []

    def note(sender, **arguments):
        received.append((sender, arguments))

    with request_refused.connected_to(note):
        answer = get("/", "write")

    [(sender, arguments)] = received
    assert sender is guest
    assert arguments == {
        "error": "insufficient_scope",
        "cause": "scope_insufficient",
        "reason": "the token has scope 'write', not 'read'",
        "reference": answer.headers["Error-Reference"],
        "endpoint": "resource",
        "client_id": "console",
    }


def test_the_client_of_an_unverified_token_is_not_believed(guest, require_oauth, build_token, keys, caplog):
    guest.get("/")(require_oauth("read")(lambda: "in"))
    caplog.set_level(logging.WARNING)
    token = build_token(key=keys("ES256", "thief"), client_id="admin")
    guest.test_client().get("/", headers={"Authorization": f"Bearer {token}"})

    assert "client None" in caplog.text
