"""jose/derived.py: which secrets are used, and that each purpose has its own key."""

import pytest

from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.jose.derived import MISSING, Secrets, read_secrets
from flask_private_key_jwt.settings.reading import read
from flask_private_key_jwt.settings.server import ServerSettings

NEW = "a new secret for tests only, long enough"
OLD = "an old secret for tests only, long enough"


def read_from(**config):
    config = {"OAUTH2_ISSUER": "https://as.example", **config}
    return read_secrets(read(config, ServerSettings), config)


def keys_of(*secrets):
    return Secrets(secrets).derive("test")


@pytest.mark.parametrize(
    ("config", "secrets"),
    [
        ({"SECRET_KEY": NEW}, [NEW]),
        ({"SECRET_KEY": NEW.encode()}, [NEW]),
        ({"SECRET_KEY": "x" * 32}, ["x" * 32]),
        ({"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": [OLD]}, [NEW, OLD]),
        ({"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": (OLD.encode(),)}, [NEW, OLD]),
        ({"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": OLD}, [NEW, OLD]),
        ({"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": None}, [NEW]),
        ({"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": ["dev", "", None, OLD]}, [NEW, OLD]),
        ({"OAUTH2_SECRETS": [NEW, OLD]}, [NEW, OLD]),
        ({"OAUTH2_SECRETS": NEW}, [NEW]),
        ({"OAUTH2_SECRETS": [NEW], "SECRET_KEY": "dev", "SECRET_KEY_FALLBACKS": [OLD]}, [NEW]),
    ],
)
def test_secrets_are_taken_newest_first(config, secrets):
    assert read_from(**config).derive("test") == keys_of(*secrets)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"SECRET_KEY": None},
        {"SECRET_KEY": ""},
        {"SECRET_KEY": "x" * 31},
        {"SECRET_KEY": 5},
        {"SECRET_KEY": "dev", "SECRET_KEY_FALLBACKS": [OLD]},
        {"SECRET_KEY_FALLBACKS": [OLD]},
        {"OAUTH2_SECRETS": [NEW, "short"]},
        {"OAUTH2_SECRETS": ["short"], "SECRET_KEY": NEW},
    ],
)
def test_missing_or_short_secret_is_refused_with_the_command_that_makes_one(config):
    with pytest.raises(ConfigurationError) as caught:
        read_from(**config)

    assert str(caught.value) == MISSING
    assert "`flask oauth2 secret` makes one" in MISSING


def test_no_secret_at_all_is_refused_when_it_is_used():
    with pytest.raises(ConfigurationError, match="No usable secret"):
        Secrets(()).derive("test")


def test_each_purpose_has_a_key_of_its_own():
    assert Secrets((NEW,)).derive("one") != Secrets((NEW,)).derive("other")


def test_derived_key_never_changes():
    # It encrypts what lies in databases: another key would make that unreadable.
    (key,) = Secrets((NEW,)).derive("server signing keys")

    assert key.hex() == "406e540a8f34b6f7e420acec163d78da136a57d317f016f5fc80d25d2122adff"


def test_repr_shows_no_secret():
    assert repr(Secrets((NEW, OLD))) == "<Secrets, 2 of them>"
