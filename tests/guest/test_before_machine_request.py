"""@oauth.before_machine_request: how an application's own limiter sees machine endpoints."""

import flask
import pytest
from werkzeug.exceptions import TooManyRequests as HTTPTooManyRequests

from flask_private_key_jwt import TooManyRequests
from tests.refusals import causes

PLACES = {
    "token": ("POST", "/oauth2/token"),
    "pushed_authorization": ("POST", "/oauth2/par"),
    "introspection": ("POST", "/oauth2/introspect"),
    "revocation": ("POST", "/oauth2/revoke"),
    "userinfo": ("GET", "/oauth2/userinfo"),
    "registration": ("POST", "/oauth2/register"),
    "client_configuration": ("GET", "/oauth2/register/client"),
    "jwks": ("GET", "/oauth2/jwks"),
    "metadata": ("GET", "/.well-known/oauth-authorization-server"),
    "openid_metadata": ("GET", "/.well-known/openid-configuration"),
}
PATHS = {"OAUTH2_REGISTRATION": "open", "OAUTH2_ISSUER": "https://as.example/tenant", "OAUTH2_URL_PREFIX": "/auth/v2"}
SLOW_DOWN = {"error": "temporarily_unavailable", "error_description": "Too many requests; try again later."}


@pytest.fixture
def settings():
    return {"OAUTH2_REGISTRATION": "open"}


@pytest.fixture
def seen(oauth):
    """The endpoints that the application was asked about."""
    seen = []
    oauth.before_machine_request(seen.append)
    return seen


@pytest.mark.parametrize("name", PLACES)
def test_every_machine_endpoint_is_asked_about(app, seen, name):
    method, path = PLACES[name]

    app.test_client().open(path, method=method)

    assert seen == [name]


@pytest.mark.parametrize("settings", [PATHS], ids=["paths"])
@pytest.mark.parametrize("path", ["/tenant/auth/v2/token", "/auth/v2/token"])
def test_it_is_asked_wherever_the_endpoint_answers(app, seen, path):
    app.test_client().post(path)

    assert seen == ["token"]


@pytest.mark.parametrize("path", ["/oauth2/authorize", "/oauth2/logout", "/", "/oauth2/nothing"])
def test_pages_for_people_are_seen_by_flasks_own_hook(app, seen, path):
    app.before_request(lambda: seen.append("flask"))

    app.test_client().get(path)

    assert seen == ["flask"]


@pytest.mark.parametrize("name", PLACES)
def test_refusal_is_answered_as_every_other_and_nothing_is_spent(app, oauth, refusals, name):
    method, path = PLACES[name]

    @oauth.before_machine_request
    def limit(endpoint):
        raise TooManyRequests(f"{endpoint} is asked too often", retry_after_seconds=7)

    answer = app.test_client().open(path, method=method)

    assert (answer.status_code, answer.json) == (429, SLOW_DOWN)
    assert (answer.headers["Retry-After"], answer.headers["Cache-Control"]) == ("7", "no-store")
    assert refusals == [f"{name} is asked too often"]
    assert causes(refusals) == ["too_many_requests"]


@pytest.mark.parametrize(("given", "told"), [(30, "30"), (None, "60")])
def test_what_a_limiter_of_flask_raises_is_429_too(app, oauth, refusals, given, told):
    @oauth.before_machine_request
    def limit(endpoint):
        raise HTTPTooManyRequests(retry_after=given)

    answer = app.test_client().post("/oauth2/token")

    assert (answer.status_code, answer.json, answer.headers["Retry-After"]) == (429, SLOW_DOWN, told)
    assert refusals == ["TooManyRequests by the application"]
    assert causes(refusals) == ["application_limit"]


def test_response_takes_the_endpoints_place(app, oauth):
    oauth.before_machine_request(lambda endpoint: ("closed on Sundays", 503) if endpoint == "token" else None)

    answer = app.test_client().post("/oauth2/token")

    assert (answer.status_code, answer.text) == (503, "closed on Sundays")
    assert app.test_client().get("/oauth2/jwks").status_code == 200


def test_honest_request_passes(ask_token, seen):
    assert ask_token().status_code == 200
    assert seen == ["token"]


def test_first_answer_of_several_functions_counts(app, oauth, seen):
    oauth.before_machine_request(lambda endpoint: flask.Response(status=418))
    oauth.before_machine_request(lambda endpoint: pytest.fail("asked after an answer"))

    assert app.test_client().post("/oauth2/token").status_code == 418


def test_defect_of_the_function_lets_nobody_in(app, oauth, ask_token, refusals):
    app.testing = False

    @oauth.before_machine_request
    def limit(endpoint):
        raise ZeroDivisionError

    assert ask_token().status_code == 500
    assert refusals == ["unexpected ZeroDivisionError"]
    assert causes(refusals) == ["unexpected_error"]
