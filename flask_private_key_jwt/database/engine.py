"""SQLAlchemy engines: one of the replay store's own, and SQLite in WAL mode."""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import PoolProxiedConnection

from ..errors import ConfigurationError
from .connecting import wait_limits

log = logging.getLogger("flask_private_key_jwt")

TIMEOUT_SECONDS = 5
"""Outside a request: longest wait on SQLite for another writer."""
COMMAND_TIMEOUT_SECONDS = 30
"""Outside a request: longest wait for a server of our own, where its driver can be told. The longest that
``OAUTH2_STORE_TIMEOUT_SECONDS`` can be."""


PREPARE = "prepare_threshold"
"""Query parameter: after how many uses psycopg prepares a statement on the server; ``none``: never."""
SWITCH_SECONDS, SWITCH_PAUSE_SECONDS = 0.2, 0.01
"""How long to try to switch an SQLite file to WAL that others are switching, and the pause between two attempts."""
SLACK_SECONDS = 0.5
"""On SQLite, how much longer than its budget a request may wait for another writer: to say it costs a statement."""


def open_engine(text: str) -> Engine:
    """Make an engine of our own for a SQLAlchemy URL; nothing is connected yet.

    :raises ConfigurationError: The URL is malformed, its driver is not installed, or it names a database
        in memory, which each thread would have for itself.
    """
    url = _parse(text)
    options: dict[str, Any] = {}
    if url.get_backend_name() == "sqlite":
        if url.database in (None, "", ":memory:") or "memory" in str(url):
            raise ConfigurationError("OAUTH2_REPLAY_STORE names an SQLite database in memory. Use 'memory' instead.")
        _check_folder(str(url.database))
        options["connect_args"] = {"timeout": TIMEOUT_SECONDS}
    else:
        url, options["connect_args"] = _read_query(url)
    try:
        engine = create_engine(url, **options)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"OAUTH2_REPLAY_STORE names a {url.drivername} database, whose driver {error.name} is not installed."
        ) from None
    use_wal(engine)
    return engine


def _read_query(url: URL) -> tuple[URL, dict[str, Any]]:
    """The URL, and what to give the driver besides what its query says.

    No start-up parameters (PostgreSQL's ``options``): PgBouncer refuses connections that bring any.
    """
    limits = wait_limits(url.get_driver_name(), COMMAND_TIMEOUT_SECONDS)
    arguments: dict[str, Any] = {name: value for name, value in limits.items() if name not in url.query}
    if (threshold := url.query.get(PREPARE)) is not None:
        # psycopg takes a number or None, and SQLAlchemy would give it the string.
        if threshold != "none" and not (isinstance(threshold, str) and threshold.isdecimal()):
            raise ConfigurationError(f"OAUTH2_REPLAY_STORE: {PREPARE} is neither a number nor none.")
        arguments[PREPARE] = None if threshold == "none" else int(threshold)
    return url.difference_update_query([PREPARE]), arguments


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


def wait_for_writers(connection: PoolProxiedConnection, seconds: float) -> None:
    """Let statements on this SQLite connection wait so long for another writer, and no longer."""
    connection.execute(f"PRAGMA busy_timeout = {max(int(seconds * 1000), 1)}")


@contextmanager
def waiting_for_writers(connection: PoolProxiedConnection, seconds: float) -> Iterator[None]:
    """The same for a block, unless the connection waits less anyway."""
    before: float = connection.execute("PRAGMA busy_timeout").fetchone()[0] / 1000
    if before <= seconds + SLACK_SECONDS:
        yield
        return
    wait_for_writers(connection, seconds)
    try:
        yield
    finally:
        if connection.is_valid:
            wait_for_writers(connection, before)


def _set_wal(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    if cursor.execute("PRAGMA busy_timeout").fetchone()[0] < TIMEOUT_SECONDS * 1000:
        cursor.execute(f"PRAGMA busy_timeout = {TIMEOUT_SECONDS * 1000}")
    if _switch_to_wal(cursor):
        # Only in WAL is NORMAL safe for the file itself.
        cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _switch_to_wal(cursor: sqlite3.Cursor) -> bool:
    """Whether the database is in WAL now. While another process is switching it, SQLite refuses and does not wait."""
    give_up = monotonic() + SWITCH_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" in str(error) and monotonic() < give_up:
                sleep(SWITCH_PAUSE_SECONDS)
                continue
            log.info("SQLite does not switch to WAL: %s", error)  # a read-only file, for one
        return bool(cursor.execute("PRAGMA journal_mode").fetchone()[0] == "wal")
