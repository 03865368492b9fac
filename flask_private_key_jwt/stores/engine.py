"""SQLAlchemy engines: one of the replay store's own, and SQLite in WAL mode."""

import logging
import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError

from ..errors import ConfigurationError

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 5
"""Longest wait for a connection, and on SQLite for another writer."""

_POSTGRESQL = {"connect_timeout": TIMEOUT_SECONDS, "options": f"-c statement_timeout={TIMEOUT_SECONDS * 1000}"}
_MYSQL = {"connect_timeout": TIMEOUT_SECONDS, "read_timeout": TIMEOUT_SECONDS, "write_timeout": TIMEOUT_SECONDS}
_TIMEOUTS: dict[str, dict[str, Any]] = {
    "psycopg": _POSTGRESQL,
    "psycopg2": _POSTGRESQL,
    "pymysql": _MYSQL,
    "mysqldb": _MYSQL,
    "mariadbconnector": {"connect_timeout": TIMEOUT_SECONDS},
}
"""Driver -> what bounds a wait for its server: a database that hangs is one that is away."""


def open_engine(text: str) -> Engine:
    """Make an engine of our own for a SQLAlchemy URL; nothing is connected yet.

    :raises ConfigurationError: The URL is malformed, its driver is not installed, or it names a database
        in memory, which each thread would have for itself.
    """
    url = _parse(text)
    options: dict[str, Any] = {"pool_timeout": TIMEOUT_SECONDS}
    if url.get_backend_name() == "sqlite":
        if url.database in (None, "", ":memory:") or "memory" in str(url):
            raise ConfigurationError("OAUTH2_REPLAY_STORE names an SQLite database in memory. Use 'memory' instead.")
        _check_folder(str(url.database))
        options["connect_args"] = {"timeout": TIMEOUT_SECONDS}
    else:
        options["connect_args"] = {
            name: value for name, value in _TIMEOUTS.get(url.get_driver_name(), {}).items() if name not in url.query
        }
    try:
        engine = create_engine(url, **options)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"OAUTH2_REPLAY_STORE names a {url.drivername} database, whose driver {error.name} is not installed."
        ) from None
    use_wal(engine)
    return engine


def _parse(text: str) -> URL:
    try:
        url = make_url(text)
        url.get_dialect()
    except (ArgumentError, ValueError):
        # The message and the traceback would quote the URL, password included.
        raise ConfigurationError("OAUTH2_REPLAY_STORE is neither a kind of store nor a URL SQLAlchemy reads.") from None
    return url


def _check_folder(path: str) -> None:
    """SQLite makes a file that is missing, but no folder: better said at the start than at each request."""
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


def use_wal(engine: Engine) -> None:
    """Switch an SQLite database to WAL: writers no longer wait for readers, nor for the disk at each commit.

    A committed mark survives the death of a process; after a power loss the last ones may be missing
    (``synchronous=NORMAL``). Any other database is left alone, a second call changes nothing, and a
    database in memory stays as it is.
    """
    if engine.dialect.name == "sqlite" and not event.contains(engine, "connect", _set_wal):
        event.listen(engine, "connect", _set_wal)


def _set_wal(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    if cursor.execute("PRAGMA busy_timeout").fetchone()[0] < TIMEOUT_SECONDS * 1000:
        cursor.execute(f"PRAGMA busy_timeout = {TIMEOUT_SECONDS * 1000}")
    try:
        cursor.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        # A read-only file, or another process is switching it right now: SQLite does not wait for that.
        log.info("SQLite does not switch to WAL: %s", error)
    # Only in WAL is NORMAL safe for the file itself.
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()
