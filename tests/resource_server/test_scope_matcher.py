"""Scopes of SMART at an API: compared as strings, or by the application's own matcher."""

import flask
import pytest

from flask_private_key_jwt import ResourceProtector
from tests.refusals import causes, noting_refusals
from tests.resource_server.conftest import API, ISSUER

REQUIRED = "system/Observation.rs?category=laboratory"


@pytest.fixture
def protector():
    return ResourceProtector()


@pytest.fixture
def app(issuer, protector):
    app = flask.Flask("fhir")
    app.config.from_mapping(OAUTH2_ISSUER=ISSUER, OAUTH2_RESOURCE=API, OAUTH2_REPLAY_STORE="memory")
    protector.init_app(app)
    app.add_url_rule("/one", "one", protector(REQUIRED)(lambda: "one"))
    app.add_url_rule("/two", "two", protector(f"{REQUIRED} patient/*.read")(lambda: "two"))
    app.add_url_rule("/any", "any", protector(["patient/*.read", REQUIRED])(lambda: "any"))
    blueprint = flask.Blueprint("inner", "inner", url_prefix="/inner")
    protector.protect(blueprint, "patient/*.read")
    blueprint.add_url_rule("/", "view", protector(REQUIRED)(lambda: "inner"))
    app.register_blueprint(blueprint)
    return app


def ask(app, build_token, path, scope):
    return app.test_client().get(path, headers={"Authorization": f"Bearer {build_token(scope=scope)}"})


@pytest.mark.parametrize("scope", [REQUIRED, f"patient/*.read {REQUIRED}"])
def test_scope_is_found_as_it_is_written(scope, app, build_token):
    assert ask(app, build_token, "/one", scope).text == "one"
    assert ask(app, build_token, "/any", scope).text == "any"


@pytest.mark.parametrize(
    "scope",
    [
        "system/*.rs",
        "system/Observation.rs",
        "*",
        "system/*",
        f"{REQUIRED}x",
        REQUIRED[:-1],
        REQUIRED.replace("?", "\\?"),
        REQUIRED.upper(),
        "system/Observation.rs?category=*",
        "patient/Observation.read",
        "patient/Patient.read",
    ],
)
def test_scope_that_only_looks_alike_is_refused(scope, app, build_token):
    with noting_refusals(app) as refusals:
        answers = [ask(app, build_token, path, scope) for path in ("/one", "/two", "/any")]

    assert [answer.status_code for answer in answers] == [403] * 3
    assert f'scope="{REQUIRED}"' in answers[0].headers["WWW-Authenticate"]
    assert causes(refusals) == ["scope_insufficient"] * 3


def test_matcher_decides_what_else_allows_a_view(app, protector, build_token):
    @protector.scope_matcher
    def matches(required, held):
        return (required, held) in [(REQUIRED, "system/*.rs"), ("patient/*.read", "patient/*.*")]

    assert ask(app, build_token, "/one", "system/*.rs").text == "one"
    assert ask(app, build_token, "/two", "system/*.rs patient/*.*").text == "two"
    assert ask(app, build_token, "/inner/", "system/*.rs patient/*.*").text == "inner"
    with noting_refusals(app) as refusals:
        assert ask(app, build_token, "/two", "system/*.rs").status_code == 403
        assert ask(app, build_token, "/inner/", "patient/*.*").status_code == 403
        assert ask(app, build_token, "/one", "patient/*.*").status_code == 403
    assert causes(refusals) == ["scope_insufficient"] * 3


@pytest.mark.parametrize("matcher", [lambda required, held: 1 / 0, lambda required, held: "yes"])
def test_matcher_that_fails_lets_nobody_in(matcher, app, protector, build_token):
    protector.scope_matcher(matcher)

    with noting_refusals(app) as refusals:
        assert ask(app, build_token, "/one", "system/*.rs").status_code == 503
    assert causes(refusals) == ["setup_wrong"]
    assert ask(app, build_token, "/one", REQUIRED).status_code == 200
