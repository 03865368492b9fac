"""SQLite files: in WAL mode, and how long a statement waits for another writer."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

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


def _set_wal(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    if cursor.execute("PRAGMA busy_timeout").fetchone()[0] < TIMEOUT_SECONDS * 1000:
        cursor.execute(f"PRAGMA busy_timeout = {TIMEOUT_SECONDS * 1000}")
    if _switch_to_wal(cursor):
        # Without WAL, NORMAL could damage the file.
        cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _switch_to_wal(cursor: sqlite3.Cursor) -> bool:
    """Try to switch; return whether the database is in WAL now.

    While another process is switching, SQLite refuses instead of waiting, so this tries again.
    """
    give_up = monotonic() + SWITCH_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" in str(error) and monotonic() < give_up:
                sleep(SWITCH_PAUSE_SECONDS)
                continue
            log.info("SQLite does not switch to WAL: %s", error)  # for example, the file is read-only
        return bool(cursor.execute("PRAGMA journal_mode").fetchone()[0] == "wal")
