"""How an error of the database is described to the operator."""

from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from ..errors import StoreUnavailable
from .missing_tables import ADVICE, is_about_missing_tables

_MESSAGE_CHARACTERS = 200


def describe_failure(error: BaseException, engine: Engine) -> StoreUnavailable:
    """Name the cause without SQL, parameters or the password."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    # Only the first line: PostgreSQL quotes the row in the others.
    message = next(iter(str(cause).splitlines()), "")[:_MESSAGE_CHARACTERS]
    if password := engine.url.password:
        message = message.replace(str(password), "***")
    advice = f"; {ADVICE}" if is_about_missing_tables(cause) else ""
    return StoreUnavailable(
        f"database: {type(cause).__name__} {message!r}{advice}",
        cause="database_not_migrated" if advice else "database_unavailable",
    )
