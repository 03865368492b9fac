"""Apps whose routes depend on the host (``host_matching``, ``subdomain_matching``): the endpoints answer as ever."""

import flask
import pytest

from flask_private_key_jwt import ResourceProtector
from tests.conftest import API, SECRET
from tests.tables import make_extension

METADATA = "/.well-known/oauth-protected-resource"
HOSTS = {
    "host_matching": {"host_matching": True, "static_host": "static.as.example"},
    "subdomain_matching": {"subdomain_matching": True},
}


def make_app(routing, *, issuer="https://login.as.example", **config):
    app = flask.Flask("as", **HOSTS[routing])
    app.config.from_mapping(
        SECRET_KEY=SECRET,
        SERVER_NAME="as.example",
        SQLALCHEMY_DATABASE_URI="sqlite://",
        OAUTH2_ISSUER=issuer,
        OAUTH2_RESOURCES=[API],
        OAUTH2_REPLAY_STORE="memory",
        **config,
    )
    db, oauth = make_extension()
    db.init_app(app)
    oauth.init_app(app)
    oauth.user(lambda: None)
    oauth.sign_out(lambda: None)
    with app.app_context():
        db.create_all()
    return app


def get(app, path, host="login.as.example"):
    return app.test_client().get(path, base_url=f"https://{host}")


@pytest.mark.filterwarnings("ignore:Current server name")  # Werkzeug, of the address
@pytest.mark.parametrize("host", ["login.as.example", "as.example", "10.0.0.1:8443"])
@pytest.mark.parametrize("routing", HOSTS)
def test_pages_answer_where_the_machine_endpoints_do(routing, host):
    app = make_app(routing)

    assert get(app, "/oauth2/jwks", host).status_code == 200
    assert "You are signed out" in get(app, "/oauth2/logout", host).text
    refusal = get(app, "/oauth2/authorize", host)
    assert (refusal.status_code, "Error-Reference" in refusal.headers) == (400, True)


@pytest.mark.parametrize("path", ["/tenant/1/oauth2/logout", "/oauth2/logout"])
@pytest.mark.parametrize("routing", HOSTS)
def test_pages_answer_below_the_path_of_the_issuer(routing, path):
    app = make_app(routing, issuer="https://login.as.example/tenant/1")

    assert get(app, path).status_code == 200
    assert get(app, "/tenant/2/oauth2/logout").status_code == 404


def test_pages_come_before_a_view_of_the_app_for_every_path_of_a_host():
    app = make_app("host_matching")
    app.add_url_rule("/<path:rest>", "rest", lambda rest: rest, host="login.as.example")

    assert "You are signed out" in get(app, "/oauth2/logout").text
    assert get(app, "/oauth2/other").text == "oauth2/other"


def test_hooks_of_the_app_see_the_endpoint_of_a_page():
    app, seen = make_app("host_matching"), []
    app.before_request(lambda: seen.append((flask.request.endpoint, flask.request.view_args)))

    get(app, "/oauth2/logout")

    assert seen == [("private_key_jwt.logout", {})]


@pytest.mark.parametrize(("host", "status"), [("login.as.example", 200), ("evil.example", 400)])
def test_page_is_not_shown_at_a_host_that_the_app_does_not_trust(host, status):
    app = make_app("subdomain_matching", TRUSTED_HOSTS=[".as.example"])

    assert get(app, "/oauth2/logout", host).status_code == status


@pytest.mark.parametrize("routing", HOSTS)
def test_api_tells_about_itself(routing):
    app = flask.Flask("api", **HOSTS[routing])
    app.config.from_mapping(SERVER_NAME="api.example", OAUTH2_ISSUER="https://as.example", OAUTH2_RESOURCE=API)
    ResourceProtector().init_app(app)

    assert get(app, METADATA, "v1.api.example").json["resource"] == API
    assert get(app, f"{METADATA}/other", "v1.api.example").status_code == 404
