"""Whether an application listens to its engine, or has given it options: then every statement must go through Core.

Listeners may be added and removed at any time, so this is checked before each statement. SQLAlchemy sends no
notification, so the check reads the collections in which SQLAlchemy keeps them.
"""

import logging
from collections.abc import Sequence
from itertools import chain
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
        self._find_of_engine = attrgetter(*ENGINE_EVENTS)
        self._find_of_dialect = attrgetter(*DIALECT_EVENTS)
        self._find_of_pool = attrgetter(*pool_events) if pool_events else _nothing
        self._known: tuple[Any, Sequence[Any]] = (None, ())
        """The event objects, and the collections of listeners in them; one value, because threads share it."""

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

        The collections are cached, because asking each event takes three times as long. SQLAlchemy replaces the event
        object when the first listener is added to this engine; later changes are made inside the collections, those of
        this engine or those of its class.
        """
        events = (
            self._find_of_engine(engine.dispatch),
            self._find_of_dialect(engine.dialect.dispatch),
            self._find_of_pool(engine.pool.dispatch),
        )
        known, collections = self._known
        if events != known:
            both = [part for event in chain(*events) for part in (event.listeners, event.parent_listeners)]
            collections = [part for part in both if not isinstance(part, tuple)]  # an empty tuple stays empty
            self._known = (events, collections)
        return any(collections)


def _nothing(_: object) -> tuple[Any, ...]:
    return ()
