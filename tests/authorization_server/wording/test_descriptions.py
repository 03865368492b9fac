"""What people read for a scope or a resource."""

import pytest

from flask_private_key_jwt.authorization_server.wording.descriptions import Wording
from flask_private_key_jwt.errors import ConfigurationError

DESCRIBED = {"read": "Read it", "write": {"en": "Write it", "de": "Es schreiben"}, "list": {"fr": "La liste"}}


def describe(scope, *, language="en", has_openid=True, **changes):
    return Wording(language, str.upper, DESCRIBED, **changes).describe_scope(scope, has_openid=has_openid)


@pytest.mark.parametrize(
    ("scope", "language", "words"),
    [
        ("read", "de", "Read it"),
        ("write", "de", "Es schreiben"),
        ("write", "de-AT", "Es schreiben"),
        ("write", "fr", "Write it"),
        ("list", "de", "La liste"),
        ("other", "de", "other"),
        ("email", "de", "YOUR EMAIL ADDRESS"),
    ],
)
def test_words_of_the_setting_are_in_the_language_of_the_page_if_it_has_them(scope, language, words):
    assert describe(scope, language=language) == words


def test_without_openid_standard_names_are_the_applications_own():
    assert describe("email", has_openid=False) == "email"


def test_function_is_asked_before_the_setting():
    def say(name, language):
        return f"{name} in {language}" if name in ("read", "email") else None

    assert describe("read", describe=say) == "read in en"
    assert describe("email", describe=say) == "email in en"
    assert describe("write", describe=say) == "Write it"


def test_function_that_returns_no_words_is_the_applications_fault():
    with pytest.raises(ConfigurationError, match="returned int for 'read', not words or None"):
        describe("read", describe=lambda name, language: 5)


def test_resource_without_words_has_none():
    wording = Wording(described={"https://api.example": "Photos"})

    assert wording.describe_resource("https://api.example") == "Photos"
    assert wording.describe_resource("https://other.example") is None
