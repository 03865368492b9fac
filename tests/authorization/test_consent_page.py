"""The consent page: which client asks, and whom."""

import pytest

from flask_private_key_jwt.authorization.interaction import ConsentPage
from tests.authorization.conftest import build_request


def test_names_stand_apart_from_the_text_around_them(browser, webapp):
    page = browser.sign_in("<i>alice<i>").open(build_request())

    assert "<h1>Allow <bdi>The &lt;b&gt;App&lt;/b&gt;</bdi>?</h1>" in page.text
    assert "You are signed in as <bdi>&lt;i&gt;alice&lt;i&gt;</bdi>." in page.text


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
