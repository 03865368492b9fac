"""Open registration and its limits: what strangers can do here."""

from ... import clock
from ..registration.quota import HOUR_SECONDS, TOTAL_FACTOR
from .deployment import Deployment
from .finding import DeploymentRequirement, Finding, judge, met, moot, name_some

_CLOSED = "OAUTH2_REGISTRATION is closed."
BUSY_SHARE = 0.5
"""Of the registrations that all strangers together may make in an hour: who makes more uses up the limit."""


def check_limits(deployment: Deployment) -> Finding:
    """Strangers have not used up the registrations of this hour."""
    settings = deployment.settings
    if settings.REGISTRATION == "closed":
        return moot(_CLOSED)
    if settings.REGISTRATION == "token":
        return met("Whoever registers needs a registration token.")
    total = settings.REGISTRATIONS_PER_HOUR * TOTAL_FACTOR
    hour = clock.now() // HOUR_SECONDS * HOUR_SECONDS
    made = sum(
        found.client.registered_by == "client" and found.created_at >= hour
        for found in deployment.clients.registrations
    )
    said = f"{made} clients have registered in this hour, of {total} that may"
    return judge(
        made < total * BUSY_SHARE,
        f"{said}, {settings.REGISTRATIONS_PER_HOUR} from one address.",
        otherwise=f"{said}: soon nobody else can.",
        change="See where they come from; behind a proxy the app needs ProxyFix. Or set OAUTH2_REGISTRATION to token.",
    )


def check_scopes(deployment: Deployment) -> Finding:
    """What strangers may ask for is what the operator has named for them."""
    settings = deployment.settings
    if settings.REGISTRATION != "open":
        return moot(f"OAUTH2_REGISTRATION is {settings.REGISTRATION}.")
    scopes = settings.REGISTRATION_SCOPES or ()
    shared = sorted(set(scopes) & set(settings.SCOPES)) if settings.SCOPES else []
    return judge(
        not shared or set(settings.SCOPES) - set(scopes) != set(),
        f"Strangers may register for: {name_some(scopes) or 'no scope'}.",
        otherwise="Strangers may register for every scope there is.",
        change="Name in OAUTH2_REGISTRATION_SCOPES only what anybody may have.",
    )


def check_trust(deployment: Deployment) -> Finding:
    """Who registered itself does not count as the operator's client."""
    settings = deployment.settings
    if settings.REGISTRATION == "closed":
        return moot(_CLOSED)
    return judge(
        not (settings.REGISTRATION_TRUSTED and settings.REGISTRATION == "open"),
        "Clients that register themselves count as strangers'."
        if not settings.REGISTRATION_TRUSTED
        else "Clients that register with a token count as the operator's own.",
        otherwise="OAUTH2_REGISTRATION_TRUSTED is on: whatever a stranger registers counts as the operator's own.",
        change="Set OAUTH2_REGISTRATION_TRUSTED off, and vouch for single clients: flask oauth2 client vouch CLIENT.",
    )


def check_purge(deployment: Deployment) -> Finding:
    """Clients that registered themselves and were never used go away."""
    settings = deployment.settings
    if settings.REGISTRATION == "closed":
        return moot(_CLOSED)
    keep = settings.REGISTRATION_UNUSED_SECONDS
    return judge(
        keep > 0,
        "flask oauth2 purge deletes clients that registered themselves and were never used.",
        otherwise="OAUTH2_REGISTRATION_UNUSED_SECONDS is 0: clients that nobody uses are kept for ever.",
        change="Set it to some months, and run flask oauth2 purge each night.",
    )


REQUIREMENTS = (
    DeploymentRequirement("registration-limits", check_limits, needs=("migration",)),
    DeploymentRequirement("registration-scopes", check_scopes),
    DeploymentRequirement("registration-trust", check_trust),
    DeploymentRequirement("registration-purge", check_purge),
)
