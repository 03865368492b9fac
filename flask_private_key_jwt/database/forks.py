"""Connections that a process inherits by a fork, as with ``gunicorn --preload``.

Parent and children would use the same socket, and each could read the other's answers.
"""

import os
import weakref

from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool, QueuePool


class InheritedConnections:
    """Drops the connections in an engine's pool in each forked child, without closing them: they are the parent's."""

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._is_in_child = False
        self._kept: list[Pool] = []
        """Old pools, kept for ever: some drivers close the session when a connection is garbage-collected."""
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_Hook(self))

    def drop_from(self, engine: Engine) -> None:
        """Drop the connections that *engine* has inherited so far, and those of every later fork."""
        self._engine = engine
        if self._is_in_child:
            self._drop(engine)

    def after_fork(self) -> None:
        """Note that this process is a forked child."""
        self._is_in_child = True  # for drop_from: the application may have used its engine before it is known here
        if self._engine is not None:
            self._drop(self._engine)

    def _drop(self, engine: Engine) -> None:
        # Not for an SQLite database in memory, which exists only in its connection.
        if engine.dialect.name != "sqlite" or isinstance(engine.pool, QueuePool):
            self._kept.append(engine.pool)
            engine.dispose(close=False)


class _Hook:
    """Called after each fork; does nothing once the :class:`InheritedConnections` is gone."""

    def __init__(self, inherited: InheritedConnections) -> None:
        self._inherited = weakref.ref(inherited)

    def __call__(self) -> None:
        if (inherited := self._inherited()) is not None:
            inherited.after_fork()
