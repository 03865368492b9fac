"""The issuer as it is seen from outside, through proxies that are right and wrong, and strangers that answer for it."""

import json
import time
from contextlib import suppress

import pytest

from flask_private_key_jwt.authorization_server.doctor.deployment import Outside
from flask_private_key_jwt.fetching.exchange import MAX_BYTES, FetchedAnswer, NoAnswer
from flask_private_key_jwt.fetching.outbound import Outbound

FROM_OUTSIDE = ("issuer-reachable", "metadata-equal", "jwks-equal", "endpoints-reachable")


def test_server_at_its_issuer_is_right(look):
    for identifier in FROM_OUTSIDE:
        assert look(identifier).ok, identifier


def test_page_of_somebody_else_is_not_taken_for_the_server(look, site, plain_page):
    site.application = plain_page

    for identifier in FROM_OUTSIDE:
        found = look(identifier)
        assert found.ok is False, identifier
        assert "html" in found.why


# --- a path in the issuer -----------------------------------------------------------------------------------------
class Behind:
    """A proxy at ``/auth`` that passes on what is below it: the whole path, or what remains of it."""

    def __init__(self, application, *, strips=False, loses=None):
        self._application = application
        self._strips = strips
        self._loses = loses

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if self._loses is not None:
            path = path.replace(self._loses, "")
        if self._strips and path.startswith("/auth/"):
            path = path.removeprefix("/auth")
        return self._application({**environ, "PATH_INFO": path}, start_response)


@pytest.fixture
def settings(request, site):
    path = getattr(request, "param", "")
    return path if isinstance(path, dict) else {"OAUTH2_ISSUER": f"{site.url}{path}"}


@pytest.mark.parametrize("settings", ["/auth"], indirect=True)
@pytest.mark.parametrize("strips", [False, True])
def test_issuer_with_a_path_is_right_behind_either_proxy(look, app, site, strips):
    site.application = Behind(app.wsgi_app, strips=strips)

    for identifier in FROM_OUTSIDE:
        assert look(identifier).ok, identifier


def test_proxy_that_drops_a_part_of_the_path_is_noticed(look, app, site):
    site.application = Behind(app.wsgi_app, loses="/oauth2")

    found = look("endpoints-reachable")

    assert found.ok is False
    assert "/oauth2/token answers 404" in found.why
    assert "more" in found.why
    assert "proxy" in found.change
    assert look("issuer-reachable").ok  # the metadata is not below it


@pytest.mark.parametrize(("status", "ok"), [("204 No Content", True), ("502 Bad Gateway", False)])
def test_proxy_may_answer_options_itself(look, app, site, status, ok):
    def answer(environ, start_response):
        if environ["REQUEST_METHOD"] == "OPTIONS" or not ok:
            start_response(status, [("Access-Control-Allow-Origin", "*"), ("Allow", "GET, POST")])
            return [b""]
        return app.wsgi_app(environ, start_response)

    site.application = answer

    assert look("endpoints-reachable").ok is ok


def test_proxy_that_drops_the_well_known_part_is_noticed(look, app, site):
    site.application = Behind(app.wsgi_app, loses="/.well-known")

    found = look("issuer-reachable")

    assert found.ok is False
    assert "answers 404" in found.why


def test_server_whose_paths_are_changed_is_not_attacked(doctor, app, site):
    site.application = Behind(app.wsgi_app, loses="/oauth2")

    rows, exit_code = doctor("--live")

    assert exit_code == 1
    assert "endpoints-reachable is not met" in rows["live-client"]["why"]
    assert "happy-flow" not in rows
    assert rows["rfc9700-4.11-open-redirector"]["ok"] is None
    assert not [request for request in site.requests if request.startswith("POST")]


def test_what_a_proxy_hides_is_not_looked_at(doctor, app, site):
    site.application = Behind(app.wsgi_app, loses="/.well-known")

    rows, exit_code = doctor()

    assert exit_code == 1
    assert rows["issuer-reachable"]["ok"] is False
    assert rows["metadata-equal"]["ok"] is None
    assert "issuer-reachable is not met" in rows["metadata-equal"]["why"]


# --- another server -----------------------------------------------------------------------------------------------
def change_json(application, path, change):
    """The application, but for the JSON at *path*."""

    def changed(environ, start_response):
        if environ["PATH_INFO"] != path:
            return application(environ, start_response)
        document = json.loads(b"".join(application(environ, lambda *_: None)))
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(change(document)).encode()]

    return changed


METADATA = "/.well-known/oauth-authorization-server"


def test_metadata_of_another_issuer_is_noticed(look, app, site):
    site.application = change_json(app.wsgi_app, METADATA, lambda found: {**found, "issuer": found["issuer"] + "/"})

    found = look("issuer-reachable")

    assert found.ok is False
    assert f"speaks for the issuer '{site.url}/', not for '{site.url}'" in found.why


def test_metadata_of_other_settings_is_noticed(look, app, site):
    site.application = change_json(app.wsgi_app, METADATA, lambda found: {**found, "scopes_supported": ["other"]})

    found = look("metadata-equal")

    assert found.ok is False
    assert "scopes_supported" in found.why


def test_metadata_at_the_place_of_openid_is_looked_at_too(look, app, site):
    openid = "/.well-known/openid-configuration"
    site.application = change_json(app.wsgi_app, openid, lambda found: {**found, "x\x1b[2J": 1})

    found = look("metadata-equal")

    assert found.ok is False
    assert "openid-configuration" in found.why
    assert "\x1b" not in found.why


def test_keys_of_another_database_are_noticed(look, app, site):
    site.application = change_json(app.wsgi_app, "/oauth2/jwks", lambda _: {"keys": [{"kid": "other"}, 1]})

    found = look("jwks-equal")

    assert found.ok is False
    assert "other" in found.why


# --- hostile answers ----------------------------------------------------------------------------------------------
def _huge(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    yield b'{"issuer": "'
    for _ in range(MAX_BYTES // 65536 + 2):
        yield b"x" * 65536


def _slow(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    for _ in range(40):
        time.sleep(0.05)
        yield b" "


def _redirect(environ, start_response):
    start_response("302 Found", [("Location", "http://127.0.0.1:1/"), ("Date", "never")])
    return [b""]


def _deep(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json"), ("Allow", "\xff" * 4000)])
    return [b'{"issuer":' * 5000]


def _list(environ, start_response):
    start_response("200 OK", [("Content-Type", "x" * 9000)])
    return [b"[]"]


def _error(environ, start_response):
    start_response("500 Internal Server Error", [("Content-Type", "text/html")])
    return [b"<h1>sorry</h1>"]


@pytest.mark.parametrize("hostile", [_huge, _slow, _redirect, _deep, _list, _error])
def test_hostile_answer_ends_no_examination(doctor, site, app, hostile):
    site.application = hostile

    rows, exit_code = doctor("--timeout", "1")

    assert exit_code == 1
    assert rows["issuer-reachable"]["ok"] is False
    assert len(rows["issuer-reachable"]["why"]) < 400
    assert rows["signing-key"]["ok"]


@pytest.mark.parametrize("hostile", [_huge, _slow, _redirect, _deep, _list, _error])
def test_answer_that_becomes_hostile_is_no_crash_either(look, site, hostile):
    site.application = hostile
    impatient = Outside(Outbound(proxies={}), timeout=0.3)

    for identifier in ("metadata-equal", "jwks-equal", "endpoints-reachable"):
        with suppress(NoAnswer):  # which an examination tells as a row
            assert look(identifier, outside=impatient).ok is False


def test_nobody_at_the_issuer_is_said(look, site, server):
    silent = Outside(Outbound(proxies={}), timeout=0.3)
    site.application = _slow

    found = look("issuer-reachable", outside=silent)

    assert found.ok is False
    assert "did not answer within 0.3 seconds" in found.why


# --- https ----------------------------------------------------------------------------------------------------------
def test_http_issuer_is_for_development_only(look):
    found = look("issuer-https")

    assert found.ok is False
    assert "is http" in found.why


@pytest.mark.parametrize("identifier", ["issuer-certificate", "issuer-cleartext"])
def test_http_issuer_has_no_certificate(look, identifier):
    assert look(identifier).ok is None


class _Answers:
    """Stands in for ports 80 and 443, which no test can have."""

    outbound = Outbound(proxies={})
    timeout = 1.0

    def __init__(self, answer):
        self._answer = answer

    def get(self, url, headers=None):
        assert url == "http://as.example/.well-known/oauth-authorization-server"
        if self._answer is None:
            raise NoAnswer("nobody")
        return self._answer


@pytest.mark.parametrize("settings", [{"OAUTH2_ISSUER": "https://as.example"}], indirect=True)
@pytest.mark.parametrize(
    ("answer", "ok"),
    [
        (None, True),
        (FetchedAnswer(301, {"Location": "https://as.example/"}, b""), True),
        (FetchedAnswer(200, {}, b"<html>"), True),
        (FetchedAnswer(200, {}, b'{"issuer": "https://as.example"}'), False),
    ],
)
def test_server_that_answers_without_tls_is_noticed(look, answer, ok):
    assert look("issuer-cleartext", outside=_Answers(answer)).ok is ok


@pytest.mark.parametrize("settings", [{"OAUTH2_ISSUER": "https://as.example:8443"}], indirect=True)
def test_issuer_with_a_port_has_no_known_port_without_tls(look):
    assert look("issuer-cleartext", outside=_Answers(None)).ok is None


@pytest.mark.parametrize("settings", [{"OAUTH2_ISSUER": "https://127.0.0.1:1"}], indirect=True)
def test_nobody_speaks_tls(look):
    found = look("issuer-certificate")

    assert found.ok is False
    assert "no TLS connection" in found.why
