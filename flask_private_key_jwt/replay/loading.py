"""Make the store that ``OAUTH2_REPLAY_STORE`` names; SQLAlchemy or redis-py is imported only if the store needs it."""

import inspect
import logging
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

from ..database.batches import no_rest
from ..errors import ConfigurationError
from . import REPLAY_STORES
from .base import ReplayStore

log = logging.getLogger("flask_private_key_jwt")

_REDIS = ("redis://", "rediss://", "unix://", "redis+", "rediss+")
_IMPORT_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def load_replay_store(
    setting: object, *, build_sql: Callable[[], ReplayStore] | None = None, redis_replicas: int = 0
) -> ReplayStore:
    """Make the replay store that ``OAUTH2_REPLAY_STORE`` names, or check the store that it holds.

    :param setting: A name or a URL of :data:`.REPLAY_STORES`, an import path, or the object that such a path names: a
        store, or a class or function that makes one.
    :param build_sql: Makes the store in the application's database, for ``sql``; ``None`` if there is no such database.
    :param redis_replicas: ``OAUTH2_REPLAY_REDIS_REPLICAS``.
    :raises ConfigurationError: The store cannot be made; the message never quotes a URL.
    """
    check_replicas(setting, redis_replicas)
    if not isinstance(setting, str) or is_import_path(setting):
        return _check(make_own_store(setting))
    kind = kind_of(setting)
    if kind not in REPLAY_STORES:
        names = ", ".join(name for name in REPLAY_STORES if "://" not in name)
        raise ConfigurationError(
            f"OAUTH2_REPLAY_STORE is none of {names}, nor a URL, nor an import path such as my_app.stores:make_store."
        )
    if (path := REPLAY_STORES[kind]) is None:
        if build_sql is None:
            raise ConfigurationError(
                "OAUTH2_REPLAY_STORE = 'sql' needs the app's own database, and there is none here. "
                "Name a database or Redis by its URL."
            )
        return build_sql()
    if kind == "memory":
        log.warning("OAUTH2_REPLAY_STORE is memory: right for one process only, and a restart forgets")
    factory = find_object(path)
    if redis_replicas:
        return cast(ReplayStore, factory(setting, replicas=redis_replicas))
    return cast(ReplayStore, factory(setting) if "://" in setting else factory())


def check_replicas(setting: object, redis_replicas: int) -> None:
    """Check that a store can wait for replicas, if it has to.

    :raises ConfigurationError: It cannot.
    """
    if redis_replicas and not (isinstance(setting, str) and kind_of(setting).startswith(_REDIS)):
        raise ConfigurationError("OAUTH2_REPLAY_REDIS_REPLICAS is for an OAUTH2_REPLAY_STORE in Redis. Set it to 0.")


def is_import_path(setting: str) -> bool:
    """Whether a setting is the import path of the application's own store."""
    return _IMPORT_PATH.fullmatch(setting) is not None


def make_own_store(setting: object) -> Any:
    """The application's own store, which a setting holds, makes or names by its import path; not checked yet.

    :raises ConfigurationError: There is nothing at this import path.
    """
    return _make(find_object(setting) if isinstance(setting, str) else setting)


def kind_of(setting: str) -> str:
    """The entry of :data:`.REPLAY_STORES` that a name or a URL is of."""
    scheme, separator, _ = setting.partition("://")
    if not separator:
        return setting
    return f"{scheme}://" if f"{scheme}://" in REPLAY_STORES else "://"


def find_object(path: str) -> Any:
    """What is at an import path.

    :raises ConfigurationError: There is nothing.
    """
    module, _, names = path.partition(":")
    try:
        found: Any = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the module exists, but an import inside it failed
        raise ConfigurationError(f"OAUTH2_REPLAY_STORE = {path!r}: there is no module {error.name}.") from None
    for name in names.split("."):
        if not hasattr(found, name):
            raise ConfigurationError(f"OAUTH2_REPLAY_STORE = {path!r}: there is no {name} in {module}.")
        found = getattr(found, name)
    return found


def _make(found: Any) -> Any:
    is_factory = isinstance(found, type) or (callable(found) and not hasattr(found, "remember"))
    return found() if is_factory else found


def _check(store: Any) -> ReplayStore:
    """Check that *store* has the methods of :class:`.ReplayStore`; ``contract.py`` can test what they do."""
    for name, positional, by_name in (("remember", ([],), {}), ("purge", (), {"batch": 1, "rest": no_rest})):
        method = getattr(store, name, None)
        if not callable(method):
            raise _no_store(store, f"it has no {name}()")
        if inspect.iscoroutinefunction(method):
            raise _no_store(store, f"its {name}() is async, and nobody would await it")
        try:
            inspect.signature(method).bind(*positional, **by_name)
        except TypeError as error:
            raise _no_store(store, f"its {name}() cannot be called as ReplayStore says: {error}") from None
        except ValueError:  # it is not written in Python
            continue
    return cast(ReplayStore, store)


def _no_store(store: object, why: str) -> ConfigurationError:
    return ConfigurationError(f"OAUTH2_REPLAY_STORE gives a {type(store).__name__}, which is no replay store: {why}.")
