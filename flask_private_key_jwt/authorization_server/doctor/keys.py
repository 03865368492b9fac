"""The server's own signing keys: there, readable, not too old, of an algorithm that is allowed."""

from ... import clock
from ..keys.rotation import find_announced, load_schedule
from .deployment import Deployment
from .finding import DeploymentRequirement, Finding, days, judge, met, unmet


def check_signing_key(deployment: Deployment) -> Finding:
    """There is a key, and the application's secrets decrypt it."""
    deployment.state.readiness_checks()["signing_key"]()
    ring = deployment.state.server_keys.current()
    return met(f"The key {ring.signer.kid} signs; {len(ring.published)} in all are published.")


def check_age(deployment: Deployment) -> Finding:
    """The key that signs was replaced in time."""
    ring, now = deployment.state.server_keys.current(), clock.now()
    age, longest = now - ring.signer.signs_from, deployment.settings.KEY_SIGN_SECONDS
    if age <= longest:
        return met(f"The key that signs has done so for {days(age)} of {days(longest)}.")
    coming = find_announced(ring.published, now=now)
    successor = "" if coming is None else f" Its successor signs in {days(coming.signs_from - now)}."
    return unmet(
        f"The key that signs has done so for {days(age)}, more than the {days(longest)} of OAUTH2_KEY_SIGN_SECONDS."
        f"{successor}",
        "Let it sign no longer: flask oauth2 key rotate --now. Keys replace themselves while the server gets requests.",
    )


def check_alg(deployment: Deployment) -> Finding:
    """The key that signs has the algorithm of the settings, which the profile allows."""
    ring, settings = deployment.state.server_keys.current(), deployment.settings
    if ring.signer.alg == settings.SIGNING_ALG:
        return met(f"The key that signs is {ring.signer.alg}, as OAUTH2_SIGNING_ALG says.")
    is_allowed = ring.signer.alg in load_schedule(settings).algs
    coming = find_announced(ring.published, now=clock.now())
    return judge(
        is_allowed and coming is not None and coming.alg == settings.SIGNING_ALG,
        f"The key that signs is {ring.signer.alg}; its successor, already announced, is {settings.SIGNING_ALG}.",
        otherwise=f"The key that signs is {ring.signer.alg}, and OAUTH2_SIGNING_ALG is {settings.SIGNING_ALG}.",
        change="Make the next key now: flask oauth2 key rotate.",
    )


REQUIREMENTS = (
    DeploymentRequirement("signing-key", check_signing_key, needs=("migration",)),
    DeploymentRequirement("signing-key-age", check_age, needs=("signing-key",)),
    DeploymentRequirement("signing-key-alg", check_alg, needs=("signing-key",)),
)
