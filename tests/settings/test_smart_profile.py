"""OAUTH2_PROFILE = "smart": what it sets, and which settings contradict it."""

import pytest

from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.settings.profiles import SMART
from flask_private_key_jwt.settings.reading import read
from flask_private_key_jwt.settings.resource import ResourceSettings
from flask_private_key_jwt.settings.server import ServerSettings
from tests.conftest import API, ISSUER

CONTRADICTIONS = {
    "ASSERTION_SIGNING_ALGS": ("RS384", "ES256"),
    "ASSERTION_LIFETIME_SECONDS": 301,
    "ASSERTION_AUDIENCE": "issuer",
    "CLIENT_SECRETS_UNTIL": "2027-03-31",
    "ACCESS_TOKEN_LIFETIME_SECONDS": 3601,
    "REPLAY_STORE": "memory",
    "FETCH_FROM_LOOPBACK": True,
    "SMART_CAPABILITIES": ("permission-v2",),
}
FITTING = {
    "ASSERTION_SIGNING_ALGS": ("RS384", "ES384"),
    "ASSERTION_LIFETIME_SECONDS": 300,
    "ASSERTION_AUDIENCE": "compatibility",
    "CLIENT_SECRETS_UNTIL": None,
    "ACCESS_TOKEN_LIFETIME_SECONDS": 3600,
    "REPLAY_STORE": "redis://localhost",
    "FETCH_FROM_LOOPBACK": False,
    "SMART_CAPABILITIES": ("permission-v2", "client-confidential-asymmetric"),
}


def read_server(**given):
    config = {"OAUTH2_ISSUER": ISSUER, **{f"OAUTH2_{name}": value for name, value in given.items()}}
    return read(config, ServerSettings)


def test_every_rule_is_tried():
    assert CONTRADICTIONS.keys() == FITTING.keys() == SMART.keys()


def test_profile_sets_what_is_not_set():
    settings = read_server(PROFILE="smart")

    assert settings.ASSERTION_AUDIENCE == "compatibility"
    assert settings.ACCESS_TOKEN_LIFETIME_SECONDS == 300
    assert {"RS384", "ES384"} <= set(settings.ASSERTION_SIGNING_ALGS)
    assert settings.SMART_CAPABILITIES == ("client-confidential-asymmetric",)


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_setting_that_contradicts_the_profile_stops_the_start(name):
    value = CONTRADICTIONS[name]

    with pytest.raises(ConfigurationError) as caught:
        read_server(PROFILE="smart", **{name: value})

    assert str(caught.value).startswith(f"OAUTH2_{name} = {value!r} contradicts OAUTH2_PROFILE = 'smart': ")
    read_server(PROFILE="oauth", **{name: value})


@pytest.mark.parametrize("name", FITTING)
def test_setting_that_fits_the_profile_is_kept(name):
    assert getattr(read_server(PROFILE="smart", **{name: FITTING[name]}), name) == FITTING[name]


def test_secrets_are_not_among_the_capabilities():
    both = ("client-confidential-asymmetric", "client-confidential-symmetric")

    with pytest.raises(ConfigurationError, match="contradicts OAUTH2_PROFILE = 'smart'"):
        read_server(PROFILE="smart", SMART_CAPABILITIES=both)
    assert read_server(PROFILE="smart", SMART_CAPABILITIES=both[:1])


def test_api_follows_the_profile_too():
    config = {"OAUTH2_ISSUER": ISSUER, "OAUTH2_RESOURCE": API, "OAUTH2_PROFILE": "smart"}

    assert read(config, ResourceSettings).PROFILE == "smart"
    with pytest.raises(ConfigurationError, match=r"^OAUTH2_REPLAY_STORE"):
        read({**config, "OAUTH2_REPLAY_STORE": "memory"}, ResourceSettings)


@pytest.mark.parametrize("scopes", [[], ["openid", "system/*.rs"]])
def test_single_sign_on_is_promised_where_there_is_openid_connect(scopes):
    capabilities = ["client-confidential-asymmetric", "sso-openid-connect"]

    assert read_server(PROFILE="smart", SMART_CAPABILITIES=capabilities, SCOPES=scopes)
    with pytest.raises(ConfigurationError, match="OAUTH2_SMART_CAPABILITIES has sso-openid-connect"):
        read_server(PROFILE="smart", SMART_CAPABILITIES=capabilities, SCOPES=["system/*.rs"])


@pytest.mark.parametrize("value", ["", "Permission-V2", "permission v2", "permission_v2", "-a", "a-", 'x"'])
def test_what_is_no_capability_stops_the_start(value):
    with pytest.raises(ConfigurationError, match="OAUTH2_SMART_CAPABILITIES"):
        read_server(PROFILE="smart", SMART_CAPABILITIES=["client-confidential-asymmetric", value])
