"""Every rule of a profile is a row, and so is every weakness that settings can have."""

import dataclasses

import pytest

from flask_private_key_jwt.settings.profiles import PROFILES, Rule
from flask_private_key_jwt.settings.server import ServerSettings
from flask_private_key_jwt.settings.weaknesses import find_weaknesses, list_weaknesses

OWN = {
    "fapi2": {},
    "smart": {},
    "mcp": {"OAUTH2_CLIENT_ID_SCOPES": ["read"], "OAUTH2_SCOPES": ["read"]},
    "atproto": {},
}
SETTINGS = {field.name for field in dataclasses.fields(ServerSettings)}


def id_of(name):
    return f"profile-{name.lower().replace('_', '-')}"


def test_plain_oauth_has_no_rules(look):
    assert look("profile").ok is None


@pytest.mark.parametrize(
    ("settings", "profile"),
    [({"OAUTH2_PROFILE": profile, **further}, profile) for profile, further in OWN.items()],
    ids=OWN,
)
def test_every_rule_of_a_profile_is_met_by_a_server_that_starts(look, profile):
    for name in PROFILES[profile]:
        found = look(id_of(name))
        assert found.ok is (True if name in SETTINGS else None), (name, found)


def test_every_profile_is_tested():
    assert OWN.keys() == PROFILES.keys() - {"oauth"}


@pytest.mark.parametrize("settings", [{"OAUTH2_PROFILE": "fapi2"}])
def test_rule_that_is_not_met_says_so(app, look, monkeypatch):
    state = app.extensions["private_key_jwt"]
    weak = dataclasses.replace(state.settings, CODE_LIFETIME_SECONDS=600)
    monkeypatch.setitem(app.extensions, "private_key_jwt", dataclasses.replace(state, settings=weak))

    found = look("profile-code-lifetime-seconds")

    assert found.ok is False
    assert found.why.startswith("A code lives 60 seconds at most (§5.3.2.1): OAUTH2_CODE_LIFETIME_SECONDS contradicts")
    assert look("profile-dpop-required").ok


@pytest.mark.parametrize("settings", [{"OAUTH2_PROFILE": "fapi2"}])
def test_new_rule_gets_a_row_by_itself(look, monkeypatch):
    rules = {**PROFILES["fapi2"], "SCOPES": Rule(bool, "scopes are named")}
    monkeypatch.setitem(PROFILES, "fapi2", rules)

    assert look("profile-scopes").ok is False


@pytest.mark.parametrize("settings", [{"OAUTH2_PUBLIC_BEARER_TOKENS": True}])
def test_weakness_is_told_as_the_log_tells_it(app, look):
    settings = app.extensions["private_key_jwt"].settings

    found = look("weakness-public-bearer-tokens")

    assert found.ok is False
    assert found.why.rstrip(".") in find_weaknesses(settings)
    assert look("weakness-client-id-hosts").ok
    assert look("rfc9700-2.2.1-bound-access-tokens").ok is False


def test_each_weakness_has_a_setting_of_its_own(app):
    settings = app.extensions["private_key_jwt"].settings
    named = [weakness.setting for weakness in list_weaknesses(settings)]

    assert len(set(named)) == len(named)
    assert set(named) <= SETTINGS
