"""OAUTH2_PROFILE = "atproto": what it sets, which settings contradict it, and the table on its page."""

import re

import pytest

from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.settings.profiles import ATPROTO
from flask_private_key_jwt.settings.reading import read
from flask_private_key_jwt.settings.resource import ResourceSettings
from flask_private_key_jwt.settings.server import ServerSettings
from flask_private_key_jwt.settings.weaknesses import find_weaknesses
from tests.checkout import CHECKOUT
from tests.conftest import API, ISSUER

DAY = 86400
CONTRADICTIONS = {
    "ISSUER": "https://as.example/tenant",
    "SCOPES": ("transition:generic",),
    "CLIENT_ID_METADATA_DOCUMENTS": False,
    "CLIENT_ID_HOSTS": (),
    "CLIENT_ID_SCOPES": ("transition:generic",),
    "CLIENT_ID_PUBLIC_CLIENTS": False,
    "ALLOWED_REDIRECTS": "https_or_loopback",
    "CLIENT_SECRETS_UNTIL": "2027-06-30",
    "REGISTRATION": "open",
    "REQUIRE_PUSHED_AUTHORIZATION_REQUESTS": False,
    "REQUIRE_SIGNED_REQUESTS": True,
    "REQUIRE_RESOURCE": True,
    "DPOP_REQUIRED": False,
    "PUBLIC_BEARER_TOKENS": True,
    "DPOP_NONCE": "off",
    "DPOP_NONCE_LIFETIME_SECONDS": 151,
    "DPOP_SIGNING_ALGS": ("ES384",),
    "ASSERTION_SIGNING_ALGS": ("PS256", "EdDSA"),
    "ASSERTION_AUDIENCE": "compatibility",
    "ACCESS_TOKEN_LIFETIME_SECONDS": 901,
    "REFRESH_TOKEN_ROTATION": "public",
    "REFRESH_TOKEN_IDLE_SECONDS": 180 * DAY + 1,
    "PUBLIC_REFRESH_TOKEN_IDLE_SECONDS": 14 * DAY + 1,
    "PUBLIC_REFRESH_TOKEN_LIFETIME_SECONDS": 14 * DAY + 1,
    "CORS_ORIGINS": (),
    "REPLAY_STORE": "memory",
    "FETCH_FROM_LOOPBACK": True,
}
FITTING = {
    "ISSUER": "https://as.example:8443",
    "SCOPES": ("transition:generic", "atproto"),
    "CLIENT_ID_METADATA_DOCUMENTS": True,
    "CLIENT_ID_HOSTS": ("app.example",),
    "CLIENT_ID_SCOPES": ("atproto",),
    "CLIENT_ID_PUBLIC_CLIENTS": True,
    "ALLOWED_REDIRECTS": "application_type",
    "LOCALHOST_CLIENT_IDS": False,
    "REGISTRATION": "closed",
    "REQUIRE_PUSHED_AUTHORIZATION_REQUESTS": True,
    "REQUIRE_SIGNED_REQUESTS": False,
    "REQUIRE_RESOURCE": False,
    "DPOP_REQUIRED": True,
    "PUBLIC_BEARER_TOKENS": False,
    "DPOP_NONCE": "required",
    "DPOP_NONCE_LIFETIME_SECONDS": 60,
    "DPOP_SIGNING_ALGS": ("ES256",),
    "ASSERTION_SIGNING_ALGS": ("ES256", "EdDSA"),
    "ASSERTION_AUDIENCE": "issuer",
    "ACCESS_TOKEN_LIFETIME_SECONDS": 900,
    "REFRESH_TOKEN_ROTATION": "all",
    "REFRESH_TOKEN_IDLE_SECONDS": 180 * DAY,
    "REFRESH_TOKEN_LIFETIME_SECONDS": 365 * DAY,
    "PUBLIC_REFRESH_TOKEN_IDLE_SECONDS": DAY,
    "PUBLIC_REFRESH_TOKEN_LIFETIME_SECONDS": 7 * DAY,
    "CORS_ORIGINS": ("https://app.example",),
    "REPLAY_STORE": "redis://localhost",
    "FETCH_FROM_LOOPBACK": False,
}


def read_server(**given):
    config = {"ISSUER": ISSUER, "PROFILE": "atproto", **given}
    return read({f"OAUTH2_{name}": value for name, value in config.items()}, ServerSettings)


def read_api(**given):
    config = {"ISSUER": ISSUER, "RESOURCE": API, "PROFILE": "atproto", **given}
    return read({f"OAUTH2_{name}": value for name, value in config.items()}, ResourceSettings)


def test_profile_alone_sets_everything():
    settings = read_server()

    assert settings.SCOPES == settings.CLIENT_ID_SCOPES == ("atproto",)
    assert settings.takes_any_document
    assert settings.CLIENT_ID_PUBLIC_CLIENTS
    assert settings.LOCALHOST_CLIENT_IDS
    assert settings.DPOP_REQUIRED
    assert (settings.DPOP_NONCE, settings.DPOP_NONCE_LIFETIME_SECONDS) == ("required", 150)
    assert settings.REQUIRE_PUSHED_AUTHORIZATION_REQUESTS
    assert settings.ACCESS_TOKEN_LIFETIME_SECONDS == 300
    assert settings.CORS_ORIGINS == ("*",)


def test_start_warns_of_what_the_profile_opens():
    assert sorted(sentence.partition(" ")[0] for sentence in find_weaknesses(read_server())) == [
        "OAUTH2_CLIENT_ID_HOSTS",
        "OAUTH2_LOCALHOST_CLIENT_IDS",
    ]
    closed = read_server(CLIENT_ID_HOSTS=["app.example"], LOCALHOST_CLIENT_IDS=False)
    assert find_weaknesses(closed) == ()


def test_strangers_get_the_scopes_of_the_server_unless_it_says_otherwise():
    both = ("atproto", "transition:generic")

    assert both == read_server(SCOPES=both).CLIENT_ID_SCOPES
    assert read_server(SCOPES=both, CLIENT_ID_SCOPES=("atproto",)).CLIENT_ID_SCOPES == ("atproto",)


def test_lifetimes_are_by_kind_of_client():
    settings = read_server()

    assert settings.find_session_lifetime(public=True) == settings.find_idle_lifetime(public=True) == 14 * DAY
    assert settings.find_session_lifetime(public=False) == 730 * DAY
    assert settings.find_idle_lifetime(public=False) == 180 * DAY
    short = read_server(REFRESH_TOKEN_LIFETIME_SECONDS=DAY)
    assert short.find_session_lifetime(public=True) == DAY


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_setting_that_contradicts_the_profile_stops_the_start(name):
    value = CONTRADICTIONS[name]

    with pytest.raises(ConfigurationError) as caught:
        read_server(**{name: value})

    assert str(caught.value).startswith(f"OAUTH2_{name} = {value!r} contradicts OAUTH2_PROFILE = 'atproto': ")


@pytest.mark.parametrize("name", FITTING)
def test_setting_that_fits_the_profile_is_kept(name):
    assert getattr(read_server(**{name: FITTING[name]}), name) == FITTING[name]


def test_every_rule_is_tested():
    without_contradiction = {"LOCALHOST_CLIENT_IDS", "REFRESH_TOKEN_LIFETIME_SECONDS", "RESOURCE"}

    assert ATPROTO.keys() - CONTRADICTIONS.keys() == without_contradiction
    assert ATPROTO.keys() - FITTING.keys() == {"RESOURCE", "CLIENT_SECRETS_UNTIL"}


@pytest.mark.parametrize(
    "issuer",
    [
        "https://as.example/",
        "https://as.example/tenant",
        "https://as.example:443",
        "https://AS.example",
        "http://127.0.0.1:80",
    ],
)
def test_issuer_is_an_origin_as_clients_compare_it(issuer):
    with pytest.raises(ConfigurationError, match=r"OAUTH2_ISSUER"):
        read_server(ISSUER=issuer)


@pytest.mark.parametrize("issuer", ["https://as.example", "https://as.example:8443", "http://127.0.0.1:5001"])
def test_origin_may_have_a_port_and_may_be_http_on_loopback(issuer):
    assert issuer == read_server(ISSUER=issuer).ISSUER


@pytest.mark.parametrize("scopes", [("atproto", "openid"), ("openid",), ("Atproto",)])
def test_scopes_hold_atproto_and_there_is_no_openid(scopes):
    with pytest.raises(ConfigurationError, match=r"^OAUTH2_SCOPES"):
        read_server(SCOPES=scopes)


@pytest.mark.parametrize(("name", "value"), [("LOCALHOST_CLIENT_IDS", True), ("TRUSTED_CLIENT_IDS", ["https://a.b/c"])])
@pytest.mark.parametrize("profile", ["oauth", "fapi2"])
def test_setting_of_this_profile_stops_the_start_of_another(name, value, profile):
    with pytest.raises(ConfigurationError, match=rf"^OAUTH2_{name} needs OAUTH2_PROFILE = 'atproto'"):
        read_server(PROFILE=profile, **{name: value})


# --- an API -----------------------------------------------------------------------------------------------
def test_api_requires_nonces_too():
    settings = read_api()

    assert (settings.DPOP_NONCE, settings.DPOP_NONCE_LIFETIME_SECONDS) == ("required", 150)
    assert settings.CORS_ORIGINS == ("*",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RESOURCE", "https://api.example/xrpc"),
        ("RESOURCE", "https://api.example/"),
        ("RESOURCE", "urn:example:api"),
        ("ISSUER", "https://as.example/tenant"),
        ("DPOP_NONCE", "off"),
        ("DPOP_NONCE_LIFETIME_SECONDS", 300),
        ("DPOP_SIGNING_ALGS", ("EdDSA",)),
        ("REPLAY_STORE", "memory"),
    ],
)
def test_setting_of_an_api_that_contradicts_the_profile_stops_the_start(name, value):
    with pytest.raises(ConfigurationError, match=rf"^OAUTH2_{name} = "):
        read_api(**{name: value})


# --- its page -----------------------------------------------------------------------------------------------
def test_table_of_the_page_names_the_settings_that_the_profile_rules():
    page = (CHECKOUT / "docs" / "atproto.md").read_text(encoding="utf-8")
    table = page.partition("## What the profile sets")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `OAUTH2_")]

    assert sorted(re.findall(r"OAUTH2_(\w+)", " ".join(cells))) == sorted(ATPROTO)
