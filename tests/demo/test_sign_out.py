"""Signing out at the demo's token server, because a client asks for it."""

import html
import re
from urllib.parse import urlencode

import pytest

from demo.token_server import oauth
from demo.token_server.database import db
from demo.token_server.users import User
from tests.authorization_server.sign_out.logout_browser import build_id_token
from tests.demo.token_server_browser import Browser

BYE = "http://127.0.0.1/bye"
LOGOUT = "/oauth2/logout"


@pytest.fixture
def client(app):
    """A client of the demo's kind, with a name that is its own word."""
    with app.app_context():
        return oauth.clients.add(
            {
                "client_id": "stranger",
                "client_name": "<b>Stranger</b>",
                "token_endpoint_auth_method": "none",
                "application_type": "native",
                "grant_types": ["authorization_code"],
                "redirect_uris": ["http://127.0.0.1/callback"],
                "post_logout_redirect_uris": [BYE],
                "scope": "openid",
            }
        )


@pytest.fixture
def hint(app, client):
    """An ID token about alice."""
    with app.app_context():
        alice = db.session.scalars(db.select(User).filter_by(name="alice")).one()
    return build_id_token(app, subject=alice.id, client_id="stranger", issuer="http://127.0.0.1:5001")


def leave(browser, **parameters):
    return browser.get(f"{LOGOUT}?{urlencode(parameters)}")


def decide(browser, page, decision):
    action = html.unescape(re.search(r'action="([^"]*)"', page.text)[1])
    token = re.search(r'name="decision_token" value="([^"]*)"', page.text)[1]
    return browser.post(action, decision_token=token, decision=decision)


def test_client_that_knows_the_person_signs_them_out(browser, hint):
    browser.sign_in()

    answer = leave(browser, id_token_hint=hint, post_logout_redirect_uri="http://127.0.0.1:49152/bye", state="s")

    assert (answer.status_code, answer.headers["Location"]) == (303, "http://127.0.0.1:49152/bye?state=s")
    assert not browser.is_signed_in()


def test_client_that_knows_somebody_else_makes_the_server_ask(browser, hint):
    browser.sign_in("bob", "builder")

    page = leave(browser, id_token_hint=hint, post_logout_redirect_uri=BYE)

    assert "You are signed in as <bdi>bob</bdi>." in page.text
    assert "<bdi>&lt;b&gt;Stranger&lt;/b&gt;</bdi>" in page.text
    assert BYE in page.text
    assert "You are still signed in" in decide(browser, page, "stay").text
    assert browser.is_signed_in()


def test_person_who_agrees_is_signed_out_whatever_csrf_protection_says(browser, client):
    browser.sign_in()

    answer = decide(browser, leave(browser, client_id="stranger", post_logout_redirect_uri=BYE), "sign_out")

    assert answer.headers["Location"] == BYE
    assert not browser.is_signed_in()


def test_session_is_empty_afterwards(browser, hint):
    browser.sign_in()
    leave(browser, id_token_hint=hint)

    with browser.http.session_transaction(base_url="http://127.0.0.1:5001") as session:
        assert dict(session) == {}


def test_sign_out_is_advertised(app):
    document = Browser(app).get("/.well-known/oauth-authorization-server").json

    assert document["end_session_endpoint"] == "http://127.0.0.1:5001/oauth2/logout"
