"""Looks at everything, in the order of one table, and tells each row as soon as it is known."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping

from ...errors import ConfigurationError, OAuthError
from ...fetching.exchange import NoAnswer
from . import (
    caller_address,
    certificate,
    clients,
    clock,
    database,
    issuer,
    keys,
    profile,
    registration,
    replay_store,
    rfc9700,
    session_cookie,
)
from .deployment import Deployment
from .finding import DeploymentRequirement, Finding, ReportRow, moot, unmet

log = logging.getLogger("flask_private_key_jwt")

TellRow = Callable[[ReportRow], None]
"""Called with each row."""

GROUPS: Mapping[str, Callable[[Deployment], Iterable[DeploymentRequirement]]] = {
    "Issuer": lambda _: (*issuer.REQUIREMENTS[:3], *certificate.REQUIREMENTS),
    "Database": lambda _: database.REQUIREMENTS,
    "Metadata and paths": lambda _: (*issuer.REQUIREMENTS[3:], *caller_address.REQUIREMENTS),
    "Clocks": lambda _: clock.REQUIREMENTS,
    "Replay store": lambda _: replay_store.REQUIREMENTS,
    "Signing keys": lambda _: keys.REQUIREMENTS,
    "Clients": lambda _: clients.REQUIREMENTS,
    "Registration": lambda _: registration.REQUIREMENTS,
    "Sessions": lambda _: session_cookie.REQUIREMENTS,
    "Settings": profile.list_settings,
    "Profile": profile.list_profile,
    "RFC 9700": lambda _: rfc9700.REQUIREMENTS,
}
"""What a person reads above some rows -> the requirements there."""


class Examination:
    """One look at a deployment.

    :param deployment: What is looked at.
    :param tell: Called with each row as soon as it is known.
    :param accepted: The ids of requirements that need not be met.
    """

    def __init__(self, deployment: Deployment, tell: TellRow, *, accepted: Collection[str] = ()) -> None:
        self.deployment = deployment
        self._tell = tell
        self._accepted = accepted
        self._missing: set[str] = set()
        """The ids of what is not met, or could not be looked at for that reason."""

    def list_ids(self) -> set[str]:
        """The ids of everything that :meth:`run` looks at."""
        return {
            requirement.id
            for list_requirements in GROUPS.values()
            for requirement in list_requirements(self.deployment)
        }

    def run(self) -> None:
        """Look at every requirement."""
        for group, list_requirements in GROUPS.items():
            for requirement in list_requirements(self.deployment):
                self.tell(requirement.id, group, self._look(requirement))

    def tell(self, identifier: str, group: str, finding: Finding) -> None:
        """Tell a row."""
        if finding.ok is False:
            self._missing.add(identifier)
        self._tell(ReportRow(identifier, group, finding, is_accepted=identifier in self._accepted))

    def is_missing(self, identifier: str) -> bool:
        """Whether a requirement is not met, or could not be looked at because another one is not."""
        return identifier in self._missing

    def _look(self, requirement: DeploymentRequirement) -> Finding:
        for need in requirement.needs:
            if self.is_missing(need):
                self._missing.add(requirement.id)
                return moot(f"Not looked at, because {need} is not met.")
        try:
            return requirement.check(self.deployment)
        except OAuthError as problem:  # a store that does not answer, above all
            return unmet(f"It could not be looked at: {problem.reason}.", "Let this command reach the stores.")
        except (ConfigurationError, NoAnswer) as problem:
            return unmet(f"It could not be looked at: {problem}", "See what this sentence says.")
        except Exception as problem:  # of the application's own functions and stores; the other requirements matter too
            log.exception("%s could not be looked at", requirement.id)
            return unmet(f"It could not be looked at: {type(problem).__name__}.", "The log has the traceback.")
