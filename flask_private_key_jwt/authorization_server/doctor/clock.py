"""The clocks of this machine, of the database and of the server agree: what has an end ends everywhere at once."""

from email.utils import parsedate_to_datetime

from ... import clock
from ...database.server_clock import find_clock
from ...fetching.discovery import metadata_locations
from ...operations.readiness import NotReady
from .deployment import Deployment
from .finding import DeploymentRequirement, Finding, judge, met, moot, unmet

_CHANGE = "Set the clocks by NTP, on every machine."
_READING_SECONDS = 2
"""Dates are whole seconds, and the answer takes its time."""


def compare_with_database(deployment: Deployment) -> Finding:
    """The database's clock is that of this machine, within ``OAUTH2_CLOCK_SKEW_SECONDS``."""
    if find_clock(deployment.state.database.engine) is None:
        return moot("The database is a file of this machine, and has its clock.")
    try:
        deployment.state.readiness_checks()["clock"]()
    except NotReady as problem:
        return unmet(f"{str(problem)[:1].upper()}{str(problem)[1:]}.", _CHANGE)
    return met("The clocks of this machine and of the database agree.")


def compare_with_server(deployment: Deployment) -> Finding:
    """The clock of whatever answers at the issuer is that of this machine, by the ``Date`` of its answer."""
    answer = deployment.outside.get(metadata_locations(deployment.settings.ISSUER)[0])
    now = clock.now()
    try:
        date = parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
    except (ValueError, TypeError, OverflowError, OSError):
        return moot("The server's answers have no Date.")
    ahead = round(date - now)
    allowed = deployment.settings.CLOCK_SKEW_SECONDS + _READING_SECONDS
    return judge(
        abs(ahead) <= allowed,
        "The clocks of this machine and of the server that answers agree.",
        otherwise=f"The Date of the server's answer is {ahead:+d} s from the clock of this machine.",
        change=_CHANGE,
    )


REQUIREMENTS = (
    DeploymentRequirement("clock-database", compare_with_database, needs=("database",)),
    DeploymentRequirement("clock-server", compare_with_server, needs=("issuer-reachable",)),
)
