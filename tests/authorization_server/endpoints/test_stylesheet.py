"""The stylesheet of the pages: served by the server itself, so that no page needs inline styles."""

import re

import flask
import pytest

from tests.authorization_server.conftest import PATH, Browser, build_request
from tests.conftest import ISSUER


def stylesheet_of(page):
    return re.search(r'<link rel="stylesheet" href="([^"]+)">', page.text)[1]


@pytest.fixture
def page(browser, webapp):
    return browser.sign_in().open(build_request())


def test_page_links_a_stylesheet_that_is_there(page, browser):
    answer = browser.http.get(stylesheet_of(page))

    assert (answer.status_code, answer.mimetype) == (200, "text/css")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "public" in answer.headers["Cache-Control"]
    assert b"--oauth-accent" in answer.data


def test_browser_that_has_it_gets_no_second_copy(page, browser):
    url = stylesheet_of(page)
    etag = browser.http.get(url).headers["ETag"]

    assert browser.http.get(url, headers={"If-None-Match": etag}).status_code == 304


def test_page_has_nothing_inline_and_its_policy_allows_nothing_inline(page):
    assert "<style" not in page.text
    assert "<script" not in page.text
    assert " style=" not in page.text
    assert not re.search(r"\son[a-z]+=", page.text)
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in policy
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy


def test_hook_that_wants_a_sign_in_does_not_refuse_it(app, people):
    app.before_request(lambda: flask.abort(401))

    assert app.test_client().get("/oauth2/pages.css").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_refused(method, app, people):
    assert app.test_client().open("/oauth2/pages.css", method=method).status_code == 405


def test_page_of_a_server_without_people_has_it_too(app):
    page = app.test_client().get("/oauth2/authorize")

    assert page.status_code == 404
    assert app.test_client().get(stylesheet_of(page)).status_code == 200


@pytest.mark.parametrize("settings", [{"OAUTH2_URL_PREFIX": "/auth"}])
def test_it_is_below_the_prefix_of_the_endpoints(app, browser, webapp):
    page = browser.sign_in().http.get("/auth/authorize?client_id=nobody")

    assert stylesheet_of(page).startswith("/auth/pages.css?v=")


def test_app_below_a_path_links_it_there(app, browser, webapp):
    page = browser.http.get(f"{PATH}?client_id=nobody", base_url=f"{ISSUER}/tenant")

    assert stylesheet_of(page).startswith("/tenant/oauth2/pages.css?v=")


@pytest.mark.parametrize("settings", [{"OAUTH2_ISSUER": f"{ISSUER}/tenant"}])
def test_behind_a_proxy_that_changes_no_path_it_is_linked_there_too(app, people):
    browser = Browser(app)
    page = browser.http.get("/tenant/oauth2/authorize?client_id=nobody")

    url = stylesheet_of(page)

    assert url.startswith("/tenant/oauth2/pages.css?v=")
    assert browser.http.get(url).status_code == 200


def test_template_of_the_app_may_add_a_stylesheet_of_its_own(app, browser, webapp, tmp_path):
    folder = tmp_path / "private_key_jwt"
    folder.mkdir()
    (folder / "page.html").write_text(
        '{% extends "private_key_jwt/layout.html" %}'
        '{% block styles %}{{ super() }}<link rel="stylesheet" href="/own.css">{% endblock %}'
        "{% block header %}<header>My bank</header>{% endblock %}"
    )
    app.template_folder = str(tmp_path)

    page = browser.sign_in().open(build_request())

    assert re.search(r'pages\.css\?v=\w+"><link rel="stylesheet" href="/own\.css">', page.text)
    assert "<header>My bank</header>" in page.text
    assert 'value="allow"' in page.text


def test_whole_page_of_the_app_still_works(app, browser, webapp, tmp_path):
    """A template from before there was a layout: a document of its own, with the two blocks."""
    folder = tmp_path / "private_key_jwt"
    folder.mkdir()
    (folder / "page.html").write_text(
        "<title>{% block title %}{% endblock %}</title><main>{% block content %}{% endblock %}</main>"
    )
    app.template_folder = str(tmp_path)

    page = browser.sign_in().open(build_request())

    assert page.text.startswith("<title>Allow The &lt;b&gt;App&lt;/b&gt;?</title><main>")
    assert 'value="allow"' in page.text
