"""The consent page: which client asks, and whom."""

import pytest

from flask_private_key_jwt.authorization.interaction import ConsentPage
from tests.authorization.conftest import APP_ID, REDIRECT_URI, build_request


def test_names_stand_apart_from_the_text_around_them(browser, webapp):
    page = browser.sign_in("<i>alice<i>").open(build_request())

    assert "<h1>Allow <bdi>The &lt;b&gt;App&lt;/b&gt;</bdi>?</h1>" in page.text
    assert "You are signed in as <bdi>&lt;i&gt;alice&lt;i&gt;</bdi>." in page.text


def show(*scopes):
    page = ConsentPage(None, None, scopes, (), "https://app.example/", "/", "token")
    return [page.describe(scope) for scope in scopes]


@pytest.mark.parametrize("scope", ["openid", "profile", "email", "address", "phone", "offline_access"])
def test_scopes_of_openid_connect_are_put_in_words(scope):
    assert " " in show("openid", scope)[1]


def test_scopes_of_the_applications_own_are_shown_as_they_are():
    assert show("openid", "read:all")[1:] == ["read:all"]


def test_without_openid_scopes_mean_what_the_application_means_by_them():
    assert show("email", "phone") == ["email", "phone"]


def test_page_says_what_is_allowed_in_words(browser, openid_app):
    page = browser.sign_in().open(build_request(scope="openid email read"))

    assert "<li>who you are: the identifier of your account</li>" in page.text
    assert "<li>your email address</li>" in page.text
    assert "<li>read</li>" in page.text


def test_scope_is_escaped(browser, register, client_key, people):
    register(
        client_id=APP_ID,
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code"],
        redirect_uris=[REDIRECT_URI],
        scope="<b>&x",
    )

    page = browser.sign_in().open(build_request(scope="<b>&x"))

    assert "<li>&lt;b&gt;&amp;x</li>" in page.text


@pytest.mark.parametrize(
    ("known", "shown"),
    [
        ({"name": "Alice", "username": "al"}, "Alice"),
        ({"name": " ", "username": "al", "email": "al@mail.example"}, "al"),
        ({"name": None, "email": "al@mail.example"}, "al@mail.example"),
        ({"name": lambda: "Alice"}, "7"),
        ({}, "7"),
    ],
)
def test_person_is_named_as_the_user_object_allows(known, shown):
    user = type("Account", (), {"get_id": lambda self: 7})()
    for name, value in known.items():
        setattr(user, name, value)

    page = ConsentPage(None, user, (), (), "https://app.example/", "/", "token")

    assert page.signed_in_as == shown
