"""What may be used once. ``base.py`` has the contract of a replay store; the table names the stores there are.

What is in ``__all__`` is public: it is what a replay store of an application's own needs.
"""

from .base import Mark, Replayed, ReplayStore

__all__ = ["Mark", "ReplayStore", "Replayed"]

REPLAY_STORES = {
    "sql": "flask_private_key_jwt.replay.sql:SQLAlchemyReplayStore",
    "redis": "flask_private_key_jwt.replay.redis:RedisReplayStore",
    "memory": "flask_private_key_jwt.replay.memory:MemoryReplayStore",
}
"""Kind of replay store -> where its class is; loaded only when a setting asks for it."""
