"""Make the store that ``OAUTH2_REPLAY_STORE`` names; SQLAlchemy or redis-py is imported only if the store needs it."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

from ..errors import ConfigurationError
from . import REPLAY_STORES
from .base import ReplayStore

_REDIS_SCHEMES = ("redis", "rediss", "unix")


def load_replay_store(name: str, *, build_sql: Callable[[], ReplayStore] | None = None) -> ReplayStore:
    """Make the replay store that a server's ``OAUTH2_REPLAY_STORE`` names.

    :param name: ``sql``, ``memory``, a Redis URL or a SQLAlchemy URL.
    :param build_sql: Makes the store in the application's database, for ``sql``; ``None`` if there is no such database.
    :raises ConfigurationError: The store cannot be made; the message never quotes the URL.
    """
    if name == "sql":
        if build_sql is None:
            raise ConfigurationError(
                "OAUTH2_REPLAY_STORE = 'sql' needs the app's own database, and there is none here. "
                "Name a database or Redis by its URL."
            )
        return build_sql()
    if name == "memory":
        return cast(ReplayStore, _load("memory")())
    kind = "redis" if name.partition("://")[0] in _REDIS_SCHEMES else "sql"
    return cast(ReplayStore, _load(kind).from_url(name))


def _load(kind: str) -> Any:
    module, _, attribute = REPLAY_STORES[kind].partition(":")
    return getattr(import_module(module), attribute)
