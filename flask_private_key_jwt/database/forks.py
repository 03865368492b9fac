"""Connections on the other side of a fork, as ``gunicorn --preload`` makes one.

Parent and children would talk over one socket, and each could read the answers of another.
"""

import os
import weakref

from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool, QueuePool


class InheritedConnections:
    """Drops what is in an engine's pool in each forked child, without a word to the server: it is the parent's."""

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._is_in_child = False
        self._kept: list[Pool] = []
        """Old pools, referenced for good: some drivers say good-bye when a connection is collected."""
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_Hook(self))

    def drop_from(self, engine: Engine) -> None:
        """Drop what *engine* has inherited by now, and in every later fork."""
        self._engine = engine
        if self._is_in_child:
            self._drop(engine)

    def after_fork(self) -> None:
        """Note that this is a child."""
        self._is_in_child = True  # the application may have used an engine that nobody has named to us yet
        if self._engine is not None:
            self._drop(self._engine)

    def _drop(self, engine: Engine) -> None:
        # A database in memory lives in its connection.
        if engine.dialect.name != "sqlite" or isinstance(engine.pool, QueuePool):
            self._kept.append(engine.pool)
            engine.dispose(close=False)


class _Hook:
    """What a fork calls for as long as there is somebody to tell."""

    def __init__(self, inherited: InheritedConnections) -> None:
        self._inherited = weakref.ref(inherited)

    def __call__(self) -> None:
        if (inherited := self._inherited()) is not None:
            inherited.after_fork()
