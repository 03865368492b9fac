"""What RFC 9700 asks of an authorization server."""

import dataclasses

import pytest

from flask_private_key_jwt import ResourceProtector
from tests.authorization_server.doctor.conftest import read_all

PEOPLE = (
    "rfc9700-2.1-mix-up",
    "rfc9700-2.1.1-pkce",
    "rfc9700-2.1.2-implicit-grant",
    "rfc9700-2.2.2-refresh-tokens",
    "rfc9700-2.6-cors",
    "rfc9700-4.11-open-redirector",
    "rfc9700-4.16-clickjacking",
)
OTHERS = (
    "rfc9700-2.1-redirect-uris",
    "rfc9700-2.2.1-bound-access-tokens",
    "rfc9700-2.3-audience",
    "rfc9700-2.4-password-grant",
    "rfc9700-2.5-client-authentication",
)


@pytest.mark.parametrize("settings", [{"OAUTH2_PROFILE": "fapi2"}])
def test_fapi2_server_is_right(look):
    for identifier in (*PEOPLE, *OTHERS):
        assert look(identifier).ok, identifier


@pytest.mark.parametrize("people", [False])
def test_server_without_people_has_no_pages(look):
    assert [look(identifier).ok for identifier in PEOPLE] == [None] * len(PEOPLE)


def with_headers(application, change):
    def changed(environ, start_response):
        def start(status, headers, *rest):
            return start_response(status, change(headers), *rest)

        return application(environ, start)

    return changed


@pytest.mark.parametrize(
    ("change", "identifier", "says"),
    [
        (
            lambda headers: [pair for pair in headers if pair[0] != "X-Frame-Options"],
            "rfc9700-4.16-clickjacking",
            "X-Frame-Options",
        ),
        (
            lambda headers: [pair for pair in headers if pair[0] != "Content-Security-Policy"],
            "rfc9700-4.16-clickjacking",
            "frame-ancestors",
        ),
        (
            lambda headers: [*headers, ("Access-Control-Allow-Origin", "*")],
            "rfc9700-2.6-cors",
            "Access-Control-Allow-Origin",
        ),
        (
            lambda headers: [*headers, ("Location", "https://doctor.invalid/?error=x")],
            "rfc9700-4.11-open-redirector",
            "unknown redirect URI",
        ),
    ],
)
def test_page_that_something_changes_is_noticed(look, app, site, change, identifier, says):
    assert look(identifier).ok
    site.application = with_headers(app.wsgi_app, change)

    found = look(identifier)

    assert found.ok is False
    assert says in found.why


def test_one_page_is_opened_for_all_of_them(doctor, site):
    doctor()

    assert site.requests.count("GET /oauth2/authorize") == 1


def test_clients_with_bearer_tokens_are_named(look, client, app, oauth):
    found = look("rfc9700-2.2.1-bound-access-tokens")

    assert found.ok is False
    assert "console" in found.why
    with app.app_context():
        oauth.clients.update("console", {"dpop_bound_access_tokens": True})
    assert look("rfc9700-2.2.1-bound-access-tokens").ok


@pytest.mark.parametrize("settings", [{"OAUTH2_RESOURCES": None}])
def test_tokens_for_nobody_in_particular_are_noticed(look, app, site):
    assert look("rfc9700-2.3-audience").ok is False

    app.config.update(OAUTH2_RESOURCE=site.url)
    ResourceProtector().init_app(app)

    assert look("rfc9700-2.3-audience").ok


@pytest.mark.parametrize(
    ("member", "value", "identifier"),
    [
        ("code_challenge_methods_supported", ["S256", "plain"], "rfc9700-2.1.1-pkce"),
        ("response_types_supported", ["code", "token"], "rfc9700-2.1.2-implicit-grant"),
        ("authorization_response_iss_parameter_supported", None, "rfc9700-2.1-mix-up"),
        ("grant_types_supported", ["password"], "rfc9700-2.4-password-grant"),
        ("token_endpoint_auth_methods_supported", ["client_secret_basic"], "rfc9700-2.5-client-authentication"),
    ],
)
def test_metadata_that_says_something_else_is_noticed(app, look, monkeypatch, member, value, identifier):
    state = app.extensions["private_key_jwt"]
    describe = state.describe
    changed = dataclasses.replace(state, describe=lambda: {**describe(), member: value})
    monkeypatch.setitem(app.extensions, "private_key_jwt", changed)

    assert look(identifier).ok is False


def test_refresh_tokens_that_are_not_replaced_are_noticed(app, look, monkeypatch):
    state = app.extensions["private_key_jwt"]
    weak = dataclasses.replace(state.settings, REFRESH_TOKEN_ROTATION="public", PUBLIC_BEARER_TOKENS=True)
    object.__setattr__(weak, "REFRESH_TOKEN_ROTATION", "off")  # the settings themselves refuse it
    monkeypatch.setitem(app.extensions, "private_key_jwt", dataclasses.replace(state, settings=weak))

    assert look("rfc9700-2.2.2-refresh-tokens").ok is False


@pytest.mark.parametrize("settings", [{"OAUTH2_PROFILE": "fapi2"}])
def test_whole_examination_of_a_development_server_has_one_fault(doctor):
    rows, exit_code = doctor()

    assert read_all(rows) == ["issuer-https"]
    assert exit_code == 1
