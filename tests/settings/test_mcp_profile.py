"""OAUTH2_PROFILE = "mcp": what it sets, and which settings contradict it."""

import pytest

from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.settings.profiles import MCP
from flask_private_key_jwt.settings.reading import read
from flask_private_key_jwt.settings.resource import ResourceSettings
from flask_private_key_jwt.settings.server import ServerSettings
from flask_private_key_jwt.settings.weaknesses import find_weaknesses
from tests.conftest import API, ISSUER

CONTRADICTIONS = {
    "CLIENT_ID_METADATA_DOCUMENTS": False,
    "CLIENT_ID_HOSTS": (),
    "CLIENT_ID_PUBLIC_CLIENTS": False,
    "REFRESH_TOKEN_ROTATION": "off",
    "ACCESS_TOKEN_LIFETIME_SECONDS": 3601,
    "REQUIRE_RESOURCE": False,
    "ALLOWED_REDIRECTS": "application_type",
    "REQUIRE_PUSHED_AUTHORIZATION_REQUESTS": True,
    "REQUIRE_SIGNED_REQUESTS": True,
    "REGISTRATION_TRUSTED": True,
}
FITTING = {
    "CLIENT_ID_METADATA_DOCUMENTS": True,
    "CLIENT_ID_HOSTS": ("app.example",),
    "CLIENT_ID_PUBLIC_CLIENTS": True,
    "PUBLIC_BEARER_TOKENS": False,
    "REFRESH_TOKEN_ROTATION": "all",
    "ACCESS_TOKEN_LIFETIME_SECONDS": 3600,
    "REQUIRE_RESOURCE": True,
    "ALLOWED_REDIRECTS": "https_or_loopback",
    "REQUIRE_PUSHED_AUTHORIZATION_REQUESTS": False,
    "REQUIRE_SIGNED_REQUESTS": False,
    "REGISTRATION_TRUSTED": False,
    "REGISTRATION": "open",
    "DPOP_REQUIRED": True,
}


def read_server(**given):
    given = {"PROFILE": "mcp", "CLIENT_ID_SCOPES": ("tools",), **given}
    return read({"OAUTH2_ISSUER": ISSUER, **{f"OAUTH2_{name}": value for name, value in given.items()}}, ServerSettings)


def test_every_rule_of_the_table_is_tried():
    assert set(MCP) == set(CONTRADICTIONS) | {"PUBLIC_BEARER_TOKENS"}


def test_profile_sets_what_is_not_set():
    settings = read_server()

    assert settings.takes_any_document
    assert settings.CLIENT_ID_METADATA_DOCUMENTS
    assert settings.CLIENT_ID_PUBLIC_CLIENTS
    assert settings.PUBLIC_BEARER_TOKENS
    assert settings.REQUIRE_RESOURCE
    assert settings.ALLOWED_REDIRECTS == "https_or_loopback"
    assert settings.REGISTRATION == "closed"
    assert settings.FETCH_FROM_LOOPBACK is False


def test_scopes_of_strangers_must_be_given():
    with pytest.raises(ConfigurationError, match=r"^OAUTH2_CLIENT_ID_HOSTS = .* needs OAUTH2_CLIENT_ID_SCOPES"):
        read_server(CLIENT_ID_SCOPES=())
    with pytest.raises(ConfigurationError, match=r"^OAUTH2_PROFILE = 'mcp' needs OAUTH2_CLIENT_ID_SCOPES"):
        read_server(CLIENT_ID_SCOPES=(), CLIENT_ID_HOSTS=("app.example",))


def test_start_warns_of_what_the_profile_opens_and_of_what_is_left_out():
    assert [sentence.partition(" ")[0] for sentence in find_weaknesses(read_server())] == [
        "OAUTH2_CLIENT_ID_HOSTS",
        "OAUTH2_PUBLIC_BEARER_TOKENS",
        "OAUTH2_RESOURCES",
    ]
    closed = read_server(CLIENT_ID_HOSTS=["app.example"], PUBLIC_BEARER_TOKENS=False, RESOURCES=[API])
    assert find_weaknesses(closed) == ()


@pytest.mark.parametrize("issuer", [ISSUER, "https://127.0.0.1.example", "https://10.0.0.1"])
def test_strangers_do_not_have_a_server_on_the_network_call_its_own_machine(issuer):
    with pytest.raises(ConfigurationError, match=r"^OAUTH2_FETCH_FROM_LOOPBACK with .* needs OAUTH2_ISSUER on 127"):
        read_server(ISSUER=issuer, FETCH_FROM_LOOPBACK=True)

    assert read_server(ISSUER=issuer, FETCH_FROM_LOOPBACK=True, CLIENT_ID_HOSTS=["localhost"]).FETCH_FROM_LOOPBACK


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:5000", "http://[::1]:5000", "https://localhost"])
def test_server_in_development_may_call_its_own_machine(issuer):
    assert read_server(ISSUER=issuer, FETCH_FROM_LOOPBACK=True).takes_any_document


def test_strangers_who_register_themselves_do_not_either():
    given = {"PROFILE": "oauth", "FETCH_FROM_LOOPBACK": True, "CLIENT_ID_METADATA_DOCUMENTS": False}

    with pytest.raises(ConfigurationError, match='with OAUTH2_REGISTRATION = "open" without OAUTH2_JWKS_HOSTS needs'):
        read_server(**given, REGISTRATION="open")

    for allowed in (
        {"REGISTRATION": "token"},
        {"REGISTRATION": "open", "JWKS_HOSTS": ["partner.example"]},
        {"REGISTRATION": "open", "ISSUER": "http://127.0.0.1:5000"},
    ):
        assert read_server(**{**given, **allowed}).FETCH_FROM_LOOPBACK


def test_same_holds_without_a_profile():
    given = {"PROFILE": "oauth", "FETCH_FROM_LOOPBACK": True, "CLIENT_ID_HOSTS": ["*"]}

    assert read_server(**given).FETCH_FROM_LOOPBACK  # the hosts count for nothing without documents
    with pytest.raises(ConfigurationError, match="needs OAUTH2_ISSUER on 127"):
        read_server(**given, CLIENT_ID_METADATA_DOCUMENTS=True)


def test_only_a_server_for_mcp_is_warned_without_resources():
    assert find_weaknesses(read({"OAUTH2_ISSUER": ISSUER}, ServerSettings)) == ()


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_setting_that_contradicts_the_profile_stops_the_start(name):
    value = CONTRADICTIONS[name]

    with pytest.raises(ConfigurationError) as caught:
        read_server(**{name: value})

    assert str(caught.value).startswith(f"OAUTH2_{name} = {value!r} contradicts OAUTH2_PROFILE = 'mcp': ")


@pytest.mark.parametrize("name", FITTING)
def test_setting_that_fits_the_profile_is_kept(name):
    assert getattr(read_server(**{name: FITTING[name]}), name) == FITTING[name]


def test_api_may_have_the_profile_of_its_server():
    config = {"OAUTH2_ISSUER": ISSUER, "OAUTH2_RESOURCE": API, "OAUTH2_PROFILE": "mcp"}

    assert read(config, ResourceSettings).PROFILE == "mcp"
