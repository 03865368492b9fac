"""The rules of ``OAUTH2_PROFILE``, one row for each rule of its table, and what the settings weaken."""

from collections.abc import Iterator
from dataclasses import fields
from functools import partial

from ...settings.profiles import PROFILES, Rule
from ...settings.server import ServerSettings
from ...settings.weaknesses import Weakness, list_weaknesses
from .deployment import Deployment
from .finding import DeploymentRequirement, Finding, judge, met, moot, unmet

_SETTINGS = frozenset(field.name for field in fields(ServerSettings))


def list_profile(deployment: Deployment) -> Iterator[DeploymentRequirement]:
    """A requirement for each rule of the profile in force."""
    profile = deployment.settings.PROFILE
    if not PROFILES[profile]:
        yield DeploymentRequirement(
            "profile", lambda _: moot(f"OAUTH2_PROFILE is {profile}, which has no rules of its own.")
        )
    for name, rule in PROFILES[profile].items():
        yield DeploymentRequirement(f"profile-{_words(name)}", partial(check_rule, name, rule))


def check_rule(name: str, rule: Rule, deployment: Deployment) -> Finding:
    """One rule of a profile."""
    if name not in _SETTINGS:
        return moot(f"OAUTH2_{name} is a setting of APIs.")
    because = f"{rule.because[:1].upper()}{rule.because[1:]}"
    return judge(
        rule.allows(getattr(deployment.settings, name)),
        f"{because}: OAUTH2_{name} agrees.",
        otherwise=f"{because}: OAUTH2_{name} contradicts this.",
        change=f"Change OAUTH2_{name}, or leave it out.",
    )


def list_settings(deployment: Deployment) -> Iterator[DeploymentRequirement]:
    """A requirement for each weakness that settings can have."""
    for weakness in list_weaknesses(deployment.settings):
        yield DeploymentRequirement(f"weakness-{_words(weakness.setting)}", partial(_tell, weakness))


def _tell(weakness: Weakness, _deployment: Deployment) -> Finding:
    if not weakness.is_there:
        return met(f"OAUTH2_{weakness.setting} opens nothing.")
    return unmet(f"{weakness.sentence}.", weakness.change)


def _words(name: str) -> str:
    return name.lower().replace("_", "-")
