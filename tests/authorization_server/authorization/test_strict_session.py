"""A ``SameSite=Strict`` session, which browsers do not send when they come from a client's page."""

import shutil
import subprocess
import threading
from html import unescape
from urllib.parse import urlencode

import flask
import pytest
from werkzeug.serving import make_server

from tests.authorization_server.conftest import PATH, answer_in, build_request
from tests.authorization_server.sign_out.logout_browser import LOGOUT, LogoutBrowser
from tests.servers.throwaway import miss

FROM_ELSEWHERE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
CHROMIUM = shutil.which("chromium")


@pytest.fixture(autouse=True)
def _strict(app):
    app.config["SESSION_COOKIE_SAMESITE"] = "Strict"


def follow(page):
    """Where the page leads by itself."""
    return unescape(page.text.partition('content="0; url=')[2].partition('"')[0])


def open_without_session(app, url, **headers):
    return app.test_client(use_cookies=False).get(url, headers={**FROM_ELSEWHERE, **headers})


@pytest.mark.parametrize("change", [{}, {"prompt": "none"}, {"state": '"><script>;\\'}])
def test_page_leads_to_the_same_request_as_a_link_of_this_site(change, app, browser, webapp):
    browser.sign_in()
    browser.decide(browser.open(build_request()))

    page = open_without_session(app, f"{PATH}?{urlencode(build_request(**change))}")

    assert (page.status_code, page.mimetype, page.headers.getlist("Set-Cookie")) == (200, "text/html", [])
    assert "<script>" not in page.text
    answer = answer_in(browser.http.get(follow(page)))
    assert answer["state"] == build_request(**change)["state"]
    assert "code" in answer


def test_request_is_the_same_with_our_mark_and_without(browser, webapp):
    query = urlencode(build_request(prompt="login"))
    browser.http.get(f"{PATH}?{query}&from_here=1")

    assert browser.sign_in().http.get(f"{PATH}?{query}").status_code == 200


def test_page_leads_there_once(app, browser, webapp):
    page = open_without_session(app, f"{PATH}?{urlencode(build_request())}")

    assert open_without_session(app, follow(page)).status_code == 302  # to sign in


@pytest.mark.parametrize(
    "change",
    [{"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": ""}, {"Sec-Fetch-Dest": "iframe"}],
)
def test_any_other_arrival_is_answered_at_once(change, app, browser, webapp):
    assert open_without_session(app, f"{PATH}?{urlencode(build_request())}", **change).status_code == 302


@pytest.mark.parametrize(("same_site", "status"), [("strict", 200), ("Lax", 302), (None, 302)])
def test_any_other_session_is_answered_at_once(same_site, status, app, browser, webapp):
    app.config["SESSION_COOKIE_SAMESITE"] = same_site

    assert open_without_session(app, f"{PATH}?{urlencode(build_request())}").status_code == status


def test_session_that_came_along_is_used_at_once(browser, webapp):
    browser.sign_in()

    page = browser.http.get(f"{PATH}?{urlencode(build_request())}", headers=FROM_ELSEWHERE)

    assert "decision_token" in page.text


def test_posted_request_goes_the_same_way(app, browser, webapp):
    answer = app.test_client(use_cookies=False).post(PATH, data=build_request(), headers=FROM_ELSEWHERE)

    page = open_without_session(app, answer.headers["Location"])

    assert browser.sign_in().http.get(follow(page)).status_code == 200


def test_sign_out_sees_who_is_signed_in(app, leaver):
    browser = LogoutBrowser(app).sign_in()
    page = open_without_session(app, LOGOUT)

    assert "decision_token" in browser.http.get(follow(page)).text


def test_prefix_that_a_proxy_names_is_escaped(app, browser, webapp):
    base = 'http://localhost/"><script>'
    page = app.test_client(use_cookies=False).get(
        f"{PATH}?{urlencode(build_request())}", base_url=base, headers=FROM_ELSEWHERE
    )

    assert "pages.css" in page.text
    assert "<script" not in page.text


# --- a real browser ------------------------------------------------------------------------------------------------
@pytest.fixture
def serve():
    """Serves apps on free ports; other names of this machine are other sites."""
    servers = []

    def serve(app):
        servers.append(make_server("127.0.0.1", 0, app, threaded=True))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1].port

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("settings", [{"OAUTH2_ISSUER": "http://127.0.0.1"}])
def test_browser_that_comes_from_a_client_is_signed_in(app, browser, webapp, serve, tmp_path):
    """Sign in here, go to the client, and come back from there."""
    here, elsewhere = serve(app), flask.Flask("client")
    lead = '<meta http-equiv="refresh" content="0; url={}">'.format
    there = serve(elsewhere)
    request = f"http://127.0.0.1:{here}{PATH}?{urlencode(build_request())}"
    elsewhere.add_url_rule("/", "home", lambda: lead(request.replace("&", "&amp;")))

    @app.get("/start")
    def start():
        flask.session["user"] = "alice"
        return lead(f"http://localhost:{there}/")

    if CHROMIUM is None:
        miss("no Chromium: it is not installed")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
    dump = subprocess.run(
        [CHROMIUM, *options, f"--user-data-dir={tmp_path}/browser", f"http://127.0.0.1:{here}/start"],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert "You are signed in as <bdi>alice</bdi>" in dump.stdout, dump.stdout + dump.stderr
