"""Whether an application listens to its engine, or has given it options: then every statement has to go through Core.

Listeners may come and go at any time, so this is asked before each statement. Nobody tells us of them; we look where
SQLAlchemy keeps them.
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
"""The same of its dialect, which take a part in the work of Core."""


class Listening:
    """Looks for listeners, ``echo`` and execution options of one engine.

    :param engine: The application's.
    :param pool_events: Events of the engine's pool that statements past Core do not send.
    """

    def __init__(self, engine: Engine, *, pool_events: Sequence[str]) -> None:
        self._engine = engine
        self._is_plain = type(engine) is Engine  # else it has options, and the listeners of another engine besides
        self._find_of_engine = attrgetter(*ENGINE_EVENTS)
        self._find_of_dialect = attrgetter(*DIALECT_EVENTS)
        self._find_of_pool = attrgetter(*pool_events) if pool_events else _nothing
        self._known: tuple[Any, Sequence[Any]] = (None, ())
        """What there was for each event, and the collections of listeners in it: one value, as threads share it."""

    def is_anybody_there(self) -> bool:
        """Whether a statement has to go through Core now."""
        engine = self._engine
        return (
            not self._is_plain
            or bool(engine.get_execution_options())
            or self._has_listeners(engine)
            or engine.logger.isEnabledFor(logging.INFO)
            or engine.pool.logger.isEnabledFor(logging.INFO)
        )

    def _has_listeners(self, engine: Engine) -> bool:
        """To ask each event would cost three times as much. What an event has at first is replaced when the first
        listener of this engine comes; everything else changes the collections in it, of this engine or of the class.
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
