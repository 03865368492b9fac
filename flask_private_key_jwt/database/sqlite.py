"""SQLite files: in WAL mode, and how long a statement waits for another writer."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

log = logging.getLogger("flask_private_key_jwt")

TIMEOUT_SECONDS = 5
"""Outside a request: longest wait for another writer."""
SLACK_SECONDS = 0.5
"""How much longer than its budget a request may wait for another writer. Below this, the connection's limit is not
changed, because changing it costs a statement."""
SWITCH_SECONDS, SWITCH_PAUSE_SECONDS = 0.2, 0.01
"""How long to try to switch a file to WAL while another process switches it, and the pause between two attempts."""


def use_wal(engine: Engine) -> None:
    """Switch an SQLite database to WAL: writers no longer wait for readers, nor for the disk at each commit.

    Committed data survives the end of a process; after a power loss the last commits may be missing
    (``synchronous=NORMAL``). Other databases, and SQLite databases in memory, are not changed. A second call does
    nothing.
    """
    if engine.dialect.name == "sqlite" and not event.contains(engine, "connect", _set_wal):
        event.listen(engine, "connect", _set_wal)
        if isinstance(engine.pool, QueuePool) and engine.pool.checkedin():
            engine.dispose()  # connections that were opened before would not be switched


def wait_for_writers(connection: PoolProxiedConnection, seconds: float) -> None:
    """Let statements on this SQLite connection wait at most *seconds* for another writer."""
    connection.execute(f"PRAGMA busy_timeout = {max(int(seconds * 1000), 1)}")


@contextmanager
def waiting_for_writers(connection: PoolProxiedConnection, seconds: float) -> Iterator[None]:
    """The same for a block, unless the connection's limit is lower already."""
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


def use_wal_on_loop(engine: Engine) -> None:
    """The same for the engine of an event loop, which must not sleep.

    :param engine: The synchronous face of an async engine.
    """
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_wal_at_once)


def _set_wal_at_once(connection: sqlite3.Connection, record: object) -> None:
    # If another process is switching just now, the file is in WAL in a moment, and the next connection finds it so.
    _set_wal(connection, record, patience=0)


def _set_wal(connection: sqlite3.Connection, _record: object, patience: float = SWITCH_SECONDS) -> None:
    cursor = connection.cursor()
    if _ask(cursor, "PRAGMA busy_timeout") < TIMEOUT_SECONDS * 1000:
        cursor.execute(f"PRAGMA busy_timeout = {TIMEOUT_SECONDS * 1000}")
    if _switch_to_wal(cursor, patience):
        # Without WAL, NORMAL could damage the file.
        cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _switch_to_wal(cursor: sqlite3.Cursor, patience: float) -> bool:
    """Try to switch; return whether the database is in WAL now.

    While another process is switching, SQLite refuses instead of waiting, so this tries again.
    """
    give_up = monotonic() + patience
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" in str(error) and monotonic() < give_up:
                sleep(SWITCH_PAUSE_SECONDS)
                continue
            log.info("SQLite does not switch to WAL: %s", error)  # for example, the file is read-only
        return bool(_ask(cursor, "PRAGMA journal_mode") == "wal")


def _ask(cursor: sqlite3.Cursor, pragma: str) -> Any:
    cursor.execute(pragma)  # the cursor of an async driver does not return itself
    return cursor.fetchone()[0]
