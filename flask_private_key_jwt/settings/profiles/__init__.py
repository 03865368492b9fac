"""What ``OAUTH2_PROFILE`` means for the settings: one file and one table for each profile.

A setting that is not set takes the profile's default. If a setting contradicts the profile, the app does not start.
"""

from collections.abc import Mapping
from typing import Any

from ...errors import ConfigurationError
from .atproto import ATPROTO, ATPROTO_SCOPE
from .fapi2 import FAPI2, FAPI2_ALGS
from .mcp import MCP
from .rule import UNSET, Rule, SameAs
from .smart import SMART

__all__ = ["ATPROTO", "ATPROTO_SCOPE", "FAPI2", "FAPI2_ALGS", "MCP", "PROFILES", "SMART", "Rule", "apply_profile"]

PROFILES: Mapping[str, Mapping[str, Rule]] = {
    "oauth": {},
    "fapi2": FAPI2,
    "mcp": MCP,
    "smart": SMART,
    "atproto": ATPROTO,
}


def apply_profile(profile: str, given: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """*given*, completed with the defaults of *profile*.

    :param given: The settings that are set, by name without prefix.
    :param known: The names of all settings of this kind of server.
    :raises ConfigurationError: A setting contradicts the profile; the message names both.
    """
    values = dict(given)
    for name, rule in PROFILES[profile].items():
        if name in given and not rule.allows(given[name]):
            raise ConfigurationError(
                f"OAUTH2_{name} = {given[name]!r} contradicts OAUTH2_PROFILE = {profile!r}: {rule.because}."
            )
        if name in known and name not in given and rule.default is not UNSET:
            values[name] = values[rule.default.name] if isinstance(rule.default, SameAs) else rule.default
    return values
