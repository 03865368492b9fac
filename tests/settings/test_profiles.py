"""OAUTH2_PROFILE = "fapi2": what it sets, and which settings contradict it."""

import pytest

from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.settings.profiles import FAPI2_ALGS
from flask_private_key_jwt.settings.reading import read
from flask_private_key_jwt.settings.resource import ResourceSettings
from flask_private_key_jwt.settings.server import ServerSettings
from tests.conftest import API, ISSUER

CONTRADICTIONS = {
    "ASSERTION_SIGNING_ALGS": ("RS256",),
    "DPOP_SIGNING_ALGS": ("ES256", "ES384"),
    "SIGNING_ALG": "RS256",
    "ASSERTION_LIFETIME_SECONDS": 301,
    "ASSERTION_AUDIENCE": "compatibility",
    "CLIENT_SECRETS_UNTIL": "2027-03-31",
    "CLOCK_SKEW_SECONDS": 9,
    "DPOP_REQUIRED": False,
    "REQUIRE_PUSHED_AUTHORIZATION_REQUESTS": False,
    "CODE_LIFETIME_SECONDS": 61,
    "REFRESH_TOKEN_ROTATION": "all",
    "CLIENT_ID_HOSTS": ("*",),
    "ALLOWED_REDIRECTS": "https_or_loopback",
    "CLIENT_ID_PUBLIC_CLIENTS": True,
    "PUBLIC_BEARER_TOKENS": True,
    "REPLAY_STORE": "memory",
    "FETCH_FROM_LOOPBACK": True,
}
FITTING = {
    "ASSERTION_SIGNING_ALGS": ("PS256",),
    "DPOP_SIGNING_ALGS": ("ES256", "EdDSA"),
    "SIGNING_ALG": "PS256",
    "ASSERTION_LIFETIME_SECONDS": 300,
    "ASSERTION_AUDIENCE": "issuer",
    "CLOCK_SKEW_SECONDS": 60,
    "DPOP_REQUIRED": True,
    "REQUIRE_PUSHED_AUTHORIZATION_REQUESTS": True,
    "CODE_LIFETIME_SECONDS": 60,
    "REFRESH_TOKEN_ROTATION": "off",
    "CLIENT_ID_HOSTS": ("clients.example",),
    "ALLOWED_REDIRECTS": "application_type",
    "CLIENT_ID_PUBLIC_CLIENTS": False,
    "PUBLIC_BEARER_TOKENS": False,
    "REPLAY_STORE": "redis://localhost",
    "FETCH_FROM_LOOPBACK": False,
}


def read_server(**given):
    config = {"OAUTH2_ISSUER": ISSUER, **{f"OAUTH2_{name}": value for name, value in given.items()}}
    return read(config, ServerSettings)


def test_profile_sets_what_is_not_set():
    settings = read_server(PROFILE="fapi2")

    assert settings.ASSERTION_SIGNING_ALGS == settings.DPOP_SIGNING_ALGS == FAPI2_ALGS
    assert settings.DPOP_REQUIRED
    assert settings.REQUIRE_PUSHED_AUTHORIZATION_REQUESTS
    assert settings.CODE_LIFETIME_SECONDS == 60


def test_other_profile_leaves_everything_alone():
    assert read_server(PROFILE="oauth", **CONTRADICTIONS).DPOP_REQUIRED is False


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_setting_that_contradicts_the_profile_stops_the_start(name):
    value = CONTRADICTIONS[name]

    with pytest.raises(ConfigurationError) as caught:
        read_server(PROFILE="fapi2", **{name: value})

    assert str(caught.value).startswith(f"OAUTH2_{name} = {value!r} contradicts OAUTH2_PROFILE = 'fapi2': ")


@pytest.mark.parametrize("name", FITTING)
def test_setting_that_fits_the_profile_is_kept(name):
    assert getattr(read_server(PROFILE="fapi2", **{name: FITTING[name]}), name) == FITTING[name]


def test_api_follows_the_profile_too():
    config = {"OAUTH2_ISSUER": ISSUER, "OAUTH2_RESOURCE": API, "OAUTH2_PROFILE": "fapi2"}

    assert read(config, ResourceSettings).TOKEN_SIGNING_ALGS == FAPI2_ALGS
    with pytest.raises(ConfigurationError, match=r"^OAUTH2_TOKEN_SIGNING_ALGS"):
        read({**config, "OAUTH2_TOKEN_SIGNING_ALGS": ["RS256"]}, ResourceSettings)
