"""What may be used once. A store of your own imports from here what it has to meet; the table names the stores there
are."""

from collections.abc import Mapping

from .base import Mark, Replayed, ReplayStore, build_digests

__all__ = ["Mark", "ReplayStore", "Replayed", "build_digests"]

_REDIS = "flask_private_key_jwt.replay.redis:RedisReplayStore"

REPLAY_STORES: Mapping[str, str | None] = {
    "sql": None,
    "memory": "flask_private_key_jwt.replay.memory:MemoryReplayStore",
    "redis://": _REDIS,
    "rediss://": _REDIS,
    "unix://": _REDIS,
    "://": "flask_private_key_jwt.replay.sql:SQLAlchemyReplayStore.from_url",
}
"""``OAUTH2_REPLAY_STORE``, or how it begins if it is a URL -> the import path of what makes the store, and is given the
URL. ``://`` is every other URL. ``None``: the authorization server makes the store, in the application's database."""
