"""The session cookie, and the modes of an app."""

import pytest

IDS = ("session-cookie-secure", "session-cookie-httponly", "session-cookie-samesite", "session-cookie-host")
HTTPS = {"OAUTH2_ISSUER": "https://as.example"}


@pytest.mark.parametrize("settings", [{**HTTPS, "SESSION_COOKIE_SECURE": True}])
def test_careful_cookie_is_right(look):
    assert [look(identifier).ok for identifier in (*IDS, "debug-off")] == [True] * 5


@pytest.mark.parametrize("people", [False])
def test_app_without_people_needs_no_cookie(look):
    assert [look(identifier).ok for identifier in IDS] == [None] * 4


def test_http_issuer_has_no_secure_cookie(look):
    assert look("session-cookie-secure").ok is None


@pytest.mark.parametrize(
    ("settings", "identifier"),
    [
        (HTTPS, "session-cookie-secure"),
        ({"SESSION_COOKIE_HTTPONLY": False}, "session-cookie-httponly"),
        ({"SESSION_COOKIE_SAMESITE": None}, "session-cookie-samesite"),
        ({"SESSION_COOKIE_SAMESITE": "None"}, "session-cookie-samesite"),
        ({"SESSION_COOKIE_DOMAIN": "example"}, "session-cookie-host"),
        ({"DEBUG": True}, "debug-off"),
        ({"TESTING": True}, "debug-off"),
    ],
)
def test_careless_setting_is_noticed(look, settings, identifier):
    found = look(identifier)

    assert found.ok is False
    assert next(iter(settings)) in found.why or "SECURE" in found.why
