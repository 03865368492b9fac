"""Attacks on a running server: each is sent for real, and nothing is left of them."""

import pytest

from tests.authorization_server.doctor.conftest import read_all

PROFILES = {
    "oauth": {},
    "fapi2": {"OAUTH2_PROFILE": "fapi2"},
    "fapi2 with nonces": {"OAUTH2_PROFILE": "fapi2", "OAUTH2_DPOP_NONCE": "required"},
    "mcp": {"OAUTH2_PROFILE": "mcp", "OAUTH2_CLIENT_ID_SCOPES": ["read"], "OAUTH2_SCOPES": ["read"]},
    "smart": {"OAUTH2_PROFILE": "smart"},
    "atproto": {"OAUTH2_PROFILE": "atproto"},
}


@pytest.mark.parametrize("settings", PROFILES.values(), ids=PROFILES)
def test_every_attack_is_refused_under_every_profile(doctor):
    rows, _ = doctor("--live")

    attacks = {name: row for name, row in rows.items() if list(rows).index(name) >= list(rows).index("live-client")}
    assert read_all(attacks) == [], {name: row for name, row in attacks.items() if row["ok"] is False}
