"""The database: it answers, and has the tables of this code."""

from ...database.deadline import request_budget
from ...errors import StoreUnavailable
from .deployment import Deployment
from .finding import DeploymentRequirement, Finding, met, unmet


def check_database(deployment: Deployment) -> Finding:
    """The database answers, within the time that a request has."""
    with request_budget(deployment.settings.STORE_TIMEOUT_SECONDS):
        deployment.state.readiness_checks()["store"]()
    dialect = deployment.state.database.engine.dialect.name
    return met(f"The database ({dialect}) answers.")


def check_migration(deployment: Deployment) -> Finding:
    """Every table has every column that this code needs."""
    try:
        deployment.state.readiness_checks()["migration"]()
    except StoreUnavailable as problem:
        return unmet(
            f"A table or a column is missing: {problem.reason}.",
            "Run the migrations of the version that is installed: flask db upgrade.",
        )
    return met("Every table has every column that this version needs.")


REQUIREMENTS = (
    DeploymentRequirement("database", check_database),
    DeploymentRequirement("migration", check_migration, needs=("database",)),
)
