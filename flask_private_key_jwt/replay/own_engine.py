"""The engine of a replay store in a separate database."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import create_engine
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError

from ..database.connecting import wait_limits
from ..database.sqlite import TIMEOUT_SECONDS, use_wal
from ..errors import ConfigurationError

E = TypeVar("E")

COMMAND_TIMEOUT_SECONDS = 30
"""Outside a request: longest wait for the replay database's server, if its driver has such a limit. It equals the
largest ``OAUTH2_STORE_TIMEOUT_SECONDS``."""


PREPARE = "prepare_threshold"
"""Query parameter: after how many uses psycopg prepares a statement on the server; ``none``: never."""


def open_engine(text: str) -> Engine:
    """Make an engine for a SQLAlchemy URL; it does not connect yet.

    :raises ConfigurationError: The URL is malformed, its driver is not installed, or it names a database
        in memory, where each thread would see its own database.
    """
    engine = make_engine(parse_url(text), create_engine)
    use_wal(engine)
    return engine


def has_async_driver(text: str) -> bool:
    """Whether the driver of a SQLAlchemy URL is for event loops, as asyncpg and aiosqlite are.

    :raises ConfigurationError: The URL is malformed.
    """
    return bool(parse_url(text).get_dialect(_is_async=True).is_async)


def make_engine(url: URL, create: Callable[..., E], **further: Any) -> E:
    """Make an engine by *create*, with the arguments that its database needs.

    :raises ConfigurationError: As :func:`open_engine`.
    """
    options: dict[str, Any] = {}
    if url.get_backend_name() == "sqlite":
        if url.database in (None, "", ":memory:") or "memory" in str(url):
            raise ConfigurationError("OAUTH2_REPLAY_STORE names an SQLite database in memory. Use 'memory' instead.")
        _check_folder(str(url.database))
        options["connect_args"] = {"timeout": TIMEOUT_SECONDS}
    else:
        url, options["connect_args"] = _read_query(url)
    try:
        return create(url, **options, **further)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"OAUTH2_REPLAY_STORE names a {url.drivername} database, whose driver {error.name} is not installed."
        ) from None


def _read_query(url: URL) -> tuple[URL, dict[str, Any]]:
    """The URL without our own query parameter, and further arguments for the driver.

    No start-up parameters (PostgreSQL's ``options``): PgBouncer refuses connections that have any.
    """
    limits = wait_limits(url.get_driver_name(), COMMAND_TIMEOUT_SECONDS)
    arguments: dict[str, Any] = {name: value for name, value in limits.items() if name not in url.query}
    if (threshold := url.query.get(PREPARE)) is not None:
        # psycopg needs a number or None; SQLAlchemy would pass the string.
        if threshold != "none" and not (isinstance(threshold, str) and threshold.isdecimal()):
            raise ConfigurationError(f"OAUTH2_REPLAY_STORE: {PREPARE} is neither a number nor none.")
        arguments[PREPARE] = None if threshold == "none" else int(threshold)
    return url.difference_update_query([PREPARE]), arguments


def parse_url(text: str) -> URL:
    """Read a SQLAlchemy URL.

    :raises ConfigurationError: It is malformed.
    """
    try:
        url = make_url(text)
        url.get_dialect()
    except (ArgumentError, ValueError):
        # The message and the traceback would quote the URL, password included.
        raise ConfigurationError("OAUTH2_REPLAY_STORE is neither a kind of store nor a URL SQLAlchemy reads.") from None
    return url


def _check_folder(path: str) -> None:
    """Check now, at the start, that SQLite can create the file: it creates a missing file, but no missing folder."""
    if path.startswith("file:"):  # SQLite's own kind of URL
        return
    file = Path(path).absolute()
    if not file.parent.is_dir():
        raise ConfigurationError(
            f"OAUTH2_REPLAY_STORE names an SQLite file in {str(file.parent)!r}, and there is no such folder: create it."
        )
    if file.is_dir() or not os.access(file.parent, os.W_OK):
        raise ConfigurationError(
            f"OAUTH2_REPLAY_STORE names {str(file)!r}, where this process can write no SQLite file."
        )
