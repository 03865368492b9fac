"""Remember what may be used only once. ``base.py`` has the contract of a replay store; the table lists the stores.

The names in ``__all__`` are public: an application's own replay store needs them.
"""

from collections.abc import Mapping

from .base import Mark, Replayed, ReplayStore, build_digests
from .contract import check_replay_store

__all__ = ["Mark", "ReplayStore", "Replayed", "build_digests", "check_replay_store"]

_REDIS = "flask_private_key_jwt.replay.redis:RedisReplayStore"
_CLUSTER = "flask_private_key_jwt.replay.redis:RedisClusterReplayStore"

REPLAY_STORES: Mapping[str, str | None] = {
    "sql": None,
    "memory": "flask_private_key_jwt.replay.memory:MemoryReplayStore",
    "redis://": _REDIS,
    "rediss://": _REDIS,
    "unix://": _REDIS,
    "redis+sentinel://": _REDIS,
    "rediss+sentinel://": _REDIS,
    "redis+cluster://": _CLUSTER,
    "rediss+cluster://": _CLUSTER,
    "://": "flask_private_key_jwt.replay.sql:SQLAlchemyReplayStore.from_url",
}
"""Value of ``OAUTH2_REPLAY_STORE``, or the start of its URL -> import path of the function that makes the store, and
gets the URL. ``://`` means every other URL. ``None``: the authorization server makes the store, in the application's
database."""

_ASYNC_REDIS = "flask_private_key_jwt.replay.redis:open_async_store"
_ASYNC_CLUSTER = "flask_private_key_jwt.replay.redis:open_async_cluster"

ASYNC_REPLAY_STORES: Mapping[str, str] = {
    "redis://": _ASYNC_REDIS,
    "rediss://": _ASYNC_REDIS,
    "unix://": _ASYNC_REDIS,
    "redis+sentinel://": _ASYNC_REDIS,
    "rediss+sentinel://": _ASYNC_REDIS,
    "redis+cluster://": _ASYNC_CLUSTER,
    "rediss+cluster://": _ASYNC_CLUSTER,
    "://": "flask_private_key_jwt.replay.sql_on_loop:open_sql_store",
}
"""The same for an event loop; of any other kind, it is the store of :data:`REPLAY_STORES`."""
