"""axe-core finds nothing on any page of the demo, pages that are not there included."""

import re

import pytest
import requests

from demo.token_server.users import add_user
from demo.web_client import create_app as create_web_client
from tests.pages.axe import find_faults
from tests.servers.chromium import running_chromium
from tests.servers.node import Node
from tests.third_party.conftest import serving


@pytest.fixture
def axe(_node_installed, tmp_path):
    return Node(*_node_installed, tmp_path).find("axe-core/axe.min.js")


@pytest.fixture
def person(tmp_path):
    with running_chromium(tmp_path / "chromium") as browser:
        yield browser


@pytest.fixture
def check(person, axe):
    """Go to a page, and fail if axe-core finds anything on it, light or dark."""

    def check(url=None, heading=""):
        if url is not None:
            person.open(url)
        person.wait_for_text("h1", heading)
        for dark in (False, True):
            person.show_as(width=1000, dark=dark)
            assert find_faults(person, axe) == [], url

    return check


def test_pages_of_the_token_server(make_token_server, person, check):
    from demo.token_server.database import db

    def make_app(url):
        app = make_token_server(url)
        with app.app_context():
            db.create_all()
            add_user("alice", "wonderland")
        return app

    with serving(make_app) as (url, _):
        check(f"{url}/", "Demo token server")
        check(f"{url}/no-such-page", "Not Found")
        check(f"{url}/sign-in?next=https://elsewhere.example/", "This link does not work")
        check(f"{url}/oauth2/authorize?client_id=nobody", "This application is not known here")
        check(f"{url}/sign-in", "Sign in")
        for password, selector in (("wrong", "[role=alert]"), ("wonderland", "form[action='/sign-out']")):
            person.fill(name="alice", password=password)
            person.click("input[type=submit]")
            person.wait_for(f"document.querySelector({selector!r}) !== null")
            check()
        check(f"{url}/connected-applications", "Your connected applications")
        check(f"{url}/oauth2/logout", "Sign out?")


def test_pages_of_the_web_application(prepared_folder, monkeypatch, person, check):
    monkeypatch.setattr("demo.clients.FOLDER", prepared_folder)
    monkeypatch.setenv("FLASK_OAUTH2_ISSUER", "http://127.0.0.1:9")  # where nobody answers

    with serving(lambda _url: create_web_client()) as (url, app):
        paths = [rule.rule for rule in app.url_map.iter_rules() if "GET" in rule.methods and not rule.arguments]
        assert {"/", "/login", "/callback"} <= {*paths}
        for path in [*paths, "/no-such-page"]:
            check(f"{url}{path}")
        check(f"{url}/no-such-page", "That did not work")


@pytest.mark.parametrize(("path", "status"), [("/no-such-page", 404), ("/sign-out", 405)])
def test_page_that_is_not_there_has_the_headers_of_the_others(path, status, app):
    answer = app.test_client().get(path)

    assert answer.status_code == status
    assert re.search(r'<main class="oauth-card">\s*<h1>', answer.text)
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_host_that_is_not_trusted_is_refused(app):
    app.config["TRUSTED_HOSTS"] = ["as.example"]

    assert app.test_client().get("/sign-in", base_url="http://evil.example").status_code == 400


def test_machine_endpoints_answer_as_before(make_token_server):
    with serving(make_token_server) as (url, _):
        answer = requests.get(f"{url}/oauth2/token", timeout=30)

    assert (answer.status_code, answer.headers["Content-Type"]) == (405, "application/json")
