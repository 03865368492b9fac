"""Which replay store an event loop uses for the URL of an SQL database."""

from ..errors import ConfigurationError
from .base import AsyncReplayStore, ReplayStore
from .own_engine import has_async_driver
from .sql import SQLAlchemyReplayStore


def open_sql_store(url: str) -> AsyncReplayStore | ReplayStore:
    """The store of an async driver, or one that blocks, if the driver does.

    :raises ConfigurationError: The URL is malformed, or something that it needs is not installed.
    """
    if not has_async_driver(url):
        return SQLAlchemyReplayStore.from_url(url)
    try:
        from .async_sql import AsyncSQLAlchemyReplayStore
    except ImportError:  # SQLAlchemy's asyncio needs greenlet
        raise ConfigurationError(
            "OAUTH2_REPLAY_STORE names an async database driver, for which SQLAlchemy needs greenlet: "
            "pip install flask-private-key-jwt[asgi]"
        ) from None
    return AsyncSQLAlchemyReplayStore(url)
