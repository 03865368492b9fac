"""The databases of the measured servers: registered clients, and ``jti`` values that are remembered already."""

import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from flask_private_key_jwt.replay import Mark
from flask_private_key_jwt.replay.sql import SQLAlchemyReplayStore

from . import token_server
from .messages import Client

_BATCH = 10_000
_HOUR = 3600


def register(clients: Iterable[Client]) -> None:
    """Make the token server's tables and register *clients*; its settings are in the environment."""
    app = token_server.create_app()
    with app.app_context():
        token_server.db.create_all()
        for client in clients:
            token_server.oauth.clients.add(client.metadata())
        token_server.db.engine.dispose()


def make_replay_database(url: str) -> None:
    """Make the table of a replay database of its own, as the store does at first use."""
    store = SQLAlchemyReplayStore.from_url(url)
    now = int(time.time())
    store.remember([Mark("dpop_proof", "seed", "seed", "seed", now + 1, now)])
    store.close()


def remember(file: Path, count: int) -> None:
    """Put *count* marks into a replay table, to expire in an hour: as if that many requests had come before."""
    until = int(time.time()) + _HOUR
    database = sqlite3.connect(file)
    # In the order of the table, or filling it takes minutes.
    digests = iter(sorted(secrets.token_bytes(32) for _ in range(count)))
    while rows := list(_some(digests, until)):
        with database:
            database.executemany("INSERT INTO oauth2_replay (digest, expires_at) VALUES (?, ?)", rows)
    database.close()


def _some(digests: Iterator[bytes], until: int) -> Iterator[tuple[bytes, int]]:
    for _, digest in zip(range(_BATCH), digests, strict=False):
        yield digest, until
