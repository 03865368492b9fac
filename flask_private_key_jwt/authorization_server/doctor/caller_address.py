"""From where the server thinks that a request comes: what counts by address depends on it."""

from ...web.url import read_url
from .deployment import Deployment
from .finding import DeploymentRequirement, Finding, met, moot, unmet
from .kept_refusals import find_kept

FORGED = "192.0.2.77"
"""An address that nobody has (RFC 5737)."""
_HEADERS = {"X-Forwarded-For": FORGED, "X-Real-IP": FORGED, "Forwarded": f"for={FORGED}"}


def check_caller_address(deployment: Deployment) -> Finding:
    """A caller cannot say itself from where it comes, and so get around every limit."""
    if not deployment.settings.REFUSALS_KEPT_SECONDS:
        return moot("OAUTH2_REFUSALS_KEPT_SECONDS is 0, so nothing tells what the server sees.")
    # Refused, because the endpoint has no such method: what is kept of it has the caller's address.
    answer = deployment.outside.ask("PUT", str(deployment.state.describe()["token_endpoint"]), headers=_HEADERS)
    kept = next(iter(find_kept(deployment, [answer]).values()), None)
    if kept is None:
        return moot("The server has kept nothing of a request that it refused.")
    if kept.address == FORGED:
        return unmet(
            "The server believes what a caller writes into X-Forwarded-For: whoever changes it gets around all limits.",
            "Let the proxy replace this header, tell ProxyFix how many proxies there are, and let nobody else reach "
            "the app's port.",
        )
    if kept.address.startswith("127.") and not read_url(deployment.settings.ISSUER).is_loopback:
        return moot(
            f"The server sees this machine as {kept.address}. If there is a proxy in between, all callers count as "
            "one: the app needs ProxyFix."
        )
    return met(f"The server sees this machine as {kept.address}, whatever a request says.")


REQUIREMENTS = (
    DeploymentRequirement("caller-address", check_caller_address, needs=("migration", "endpoints-reachable")),
)
