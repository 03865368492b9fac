"""Whether an application listens to its engine, or has given it options: then every statement must go through Core.

Listeners may be added and removed at any time, so this is checked before each statement. SQLAlchemy sends no
notification, so the check reads the collections in which SQLAlchemy keeps them.
"""

import logging
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy.engine import Engine

ENGINE_EVENTS = (
    *("engine_connect", "begin", "before_execute", "before_cursor_execute"),
    *("after_cursor_execute", "after_execute", "commit", "rollback"),
)
"""Events that Core sends to the listeners of an engine for a statement."""
DIALECT_EVENTS = ("do_execute", "do_setinputsizes", "handle_error")
"""Events that Core sends to the listeners of the engine's dialect, which take part in its work."""


class Listening:
    """Looks for listeners, ``echo`` and execution options of one engine.

    :param engine: The application's engine.
    :param pool_events: Events of the engine's pool that a statement which bypasses Core does not send.
    """

    def __init__(self, engine: Engine, *, pool_events: Sequence[str]) -> None:
        self._engine = engine
        self._is_plain = type(engine) is Engine  # otherwise it has options, and the listeners of another engine
        self._of_engine = _Listeners(ENGINE_EVENTS)
        self._of_dialect = _Listeners(DIALECT_EVENTS)
        self._of_pool = _Listeners(pool_events) if pool_events else None

    def is_anybody_there(self) -> bool:
        """Whether a statement must go through Core now."""
        engine = self._engine
        return (
            not self._is_plain
            or bool(engine.get_execution_options())
            or self._has_listeners(engine)
            or engine.logger.isEnabledFor(logging.INFO)
            or engine.pool.logger.isEnabledFor(logging.INFO)
        )

    def _has_listeners(self, engine: Engine) -> bool:
        """Whether one of the events has a listener.

        ``_has_events`` is SQLAlchemy's note that an engine, a dialect or its class has had a listener; Core looks at
        it before each statement. It is private: if it is not there, there may be listeners.
        """
        dialect, of_pool = engine.dialect, self._of_pool
        return (
            (getattr(engine, "_has_events", True) and self._of_engine.exist(engine.dispatch))
            or (getattr(dialect, "_has_events", True) and self._of_dialect.exist(dialect.dispatch))
            or (of_pool is not None and of_pool.exist(engine.pool.dispatch))
        )


class _Listeners:
    """Looks for listeners of some events of one object.

    :param names: The events; at least two.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._find = attrgetter(*names)
        self._known: tuple[Any, Sequence[Any]] = (None, ())
        """The event objects, and the collections of listeners in them; one value, because threads share it."""

    def exist(self, dispatch: object) -> bool:
        """Whether one of the events has a listener.

        The collections are cached, because asking each event takes three times as long. SQLAlchemy replaces the event
        object when the first listener is added to this object; later changes are made inside the collections, those of
        this object or those of its class.

        :param dispatch: The object's events.
        """
        events = self._find(dispatch)
        known, collections = self._known
        if events != known:
            both = [part for event in events for part in (event.listeners, event.parent_listeners)]
            collections = [part for part in both if not isinstance(part, tuple)]  # an empty tuple stays empty
            self._known = (events, collections)
        return any(collections)
