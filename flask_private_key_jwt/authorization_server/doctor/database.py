"""The database: it answers, and has the tables of this code."""

from ...database.deadline import request_budget
from ...errors import StoreUnavailable
from .deployment import Deployment
from .finding import DeploymentRequirement, Finding, judge, met, moot, name_some, unmet


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


def check_revision(deployment: Deployment) -> Finding:
    """The database is at the newest of the app's own migrations, if it has Flask-Migrate."""
    if (migrate := deployment.app.extensions.get("migrate")) is None:
        return moot("The app has no Flask-Migrate.")
    # Alembic comes with Flask-Migrate.
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    options = {name: value for name, value in dict(migrate.configure_args).items() if name.startswith("version_table")}
    try:
        newest = set(ScriptDirectory(str(migrate.directory)).get_heads())
    except CommandError:
        return moot(f"The app's migrations are not in {str(migrate.directory)!r}, where this command runs.")
    with deployment.state.database.begin() as connection:
        current = set(MigrationContext.configure(connection, opts=options).get_current_heads())
    return judge(
        current == newest,
        f"The database is at the newest revision of the app, {_name(newest)}.",
        otherwise=f"The database is at {_name(current)}, and the app's newest revision is {_name(newest)}.",
        change="flask db upgrade",
    )


def _name(revisions: set[str]) -> str:
    return name_some(sorted(revisions)) or "none"


REQUIREMENTS = (
    DeploymentRequirement("database", check_database),
    DeploymentRequirement("migration", check_migration, needs=("database",)),
    DeploymentRequirement("migration-revision", check_revision, needs=("database",)),
)
