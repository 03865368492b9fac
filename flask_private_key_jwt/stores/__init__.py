"""What is remembered, and where. ``base.py`` has the contracts; the table names the replay stores."""

REPLAY_STORES = {
    "sql": "flask_private_key_jwt.stores.sqlalchemy:SQLAlchemyReplayStore",
    "redis": "flask_private_key_jwt.stores.redis:RedisReplayStore",
    "memory": "flask_private_key_jwt.stores.memory:MemoryReplayStore",
}
"""Kind of replay store -> where its class is; loaded only when a setting asks for it."""
