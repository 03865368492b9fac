"""Remember what may be used only once. ``base.py`` has the contract of a replay store; the table lists the stores.

The names in ``__all__`` are public: an application's own replay store needs them.
"""

from .base import Mark, Replayed, ReplayStore

__all__ = ["Mark", "ReplayStore", "Replayed"]

REPLAY_STORES = {
    "sql": "flask_private_key_jwt.replay.sql:SQLAlchemyReplayStore",
    "redis": "flask_private_key_jwt.replay.redis:RedisReplayStore",
    "memory": "flask_private_key_jwt.replay.memory:MemoryReplayStore",
}
"""Kind of replay store -> its class, which is imported only if a setting selects it."""
