"""Limits the waits for one engine's database to what is left of the request's budget."""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import TIMEOUT_MAX
from time import monotonic
from typing import Any, Self

from sqlalchemy import event
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, ManagesConnection, QueuePool

from ..errors import StoreUnavailable
from .breaker import Breaker
from .connecting import connect_in_time, connect_limits, is_bounded, wait_limits
from .deadline import find_end
from .socket_watch import Watch, Watchdog, find_socket

PROBE_SECONDS = 2
"""Longest wait of a probe for a connection, and again for an answer; libpq accepts no less than 2."""
UNBOUNDED_PROBE_SECONDS = 60
"""The same for a driver that may wait for ever. Each such probe may leave a hanging thread, so there must be few."""

_SOCKET = "flask_private_key_jwt.socket"
"""Key in ``info`` of a pool entry: a duplicate of the connection's socket. Made once, because that takes time."""


class _ThisThread(threading.local):
    """What the engine's listeners must know about the thread that calls them."""

    watch: Watch | None = None
    """The watch over this thread's work; ``None`` if this package did not start the work."""
    is_probe = False


class EngineDeadline:
    """Limits the waits for one engine: for a place in its pool, for a connection, for each answer.

    The application's own work with the engine, and work outside a request (``flask oauth2``), waits as long as without
    this class. A connection that did not answer in time is dropped, not rolled back: its socket is shut.

    :param engine: The application's engine, or that of the replay store.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = weakref.ref(engine)
        self._watchdog = Watchdog()
        self._breaker = Breaker(self._probe)
        self._thread = _ThisThread()
        if isinstance(engine.pool, QueuePool):
            seconds: float | None = engine.pool.timeout()
            engine.pool._timeout = _PoolTimeout.of(TIMEOUT_MAX if seconds is None else seconds, self._thread)
        if engine.dialect.name != "sqlite":
            self._bound_ping(engine.dialect)
            self._bound_connect(engine.dialect)
            # First in the list, so that the statements of other "connect" listeners are watched too.
            event.listen(engine, "connect", self._watch_new, insert=True)
            event.listen(engine, "close", _forget_socket)

    def start(self) -> Watch | None:
        """Start a watch over this thread's work with the engine; ``None`` outside a request.

        :raises StoreUnavailable: The budget is used up, or the database did not answer an earlier request.
        """
        if (ends_at := find_end()) is None:
            return None
        self._breaker.check()
        watch = Watch(self._watchdog, ends_at)
        watch.previous, self._thread.watch = self._thread.watch, watch
        return watch

    def end(self, watch: Watch) -> StoreUnavailable | None:
        """End a watch. If it had to shut a socket, return the exception to raise, unless the work was complete."""
        self._thread.watch = watch.previous
        return self._give_up() if watch.end() else None

    @contextmanager
    def watching(self) -> Iterator[Watch | None]:
        """Watch over the block.

        :raises StoreUnavailable: The time was up before the block ended; or as :meth:`start`.
        """
        watch = self.start()
        if watch is None:
            yield None
            return
        try:
            yield watch
        except Exception:
            if (refusal := self.end(watch)) is not None:
                raise refusal from None
            raise
        except BaseException:
            self.end(watch)
            raise
        else:
            self.end(watch)

    def _give_up(self) -> StoreUnavailable:
        """Refuse further work, and drop the idle connections, because the database does not answer on them either."""
        self._breaker.trip()
        if (engine := self._engine()) is not None:
            engine.dispose()
        return StoreUnavailable("database: no answer in time", cause="database_timeout")

    # --- where the engine may wait ---------------------------------------------------------------------------------
    def _bound_connect(self, dialect: Dialect) -> None:
        """Limit the time to connect. This wraps ``connect`` and is no ``do_connect`` listener, because listeners of the
        application always come first there; they may change the arguments, or connect by themselves."""
        connect = dialect.connect

        def connect_within(*arguments: Any, **options: Any) -> DBAPIConnection:
            watch = self._thread.watch
            if watch is None:
                return connect(*arguments, **options)
            if watch.seconds_left == 0:  # a ping was cut off: a quick connection would let late work go on
                raise self._give_up()
            if self._thread.is_probe:
                limits = wait_limits(dialect.driver, PROBE_SECONDS)
            else:
                limits = connect_limits(dialect.driver, watch.seconds_left)
            attempt = partial(connect, *arguments, **{**limits, **options})
            connection = connect_in_time(attempt, dialect.do_close, watch.seconds_left)
            if connection is None:
                raise self._give_up()
            return connection

        setattr(dialect, "connect", connect_within)  # noqa: B010 - mypy lets nobody assign to a method

    def _watch_new(self, _: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        if self._thread.watch is not None:
            watch_connection(self._thread.watch, record)

    def _bound_ping(self, dialect: Dialect) -> None:
        """Watch the ping of ``pool_pre_ping`` too: it uses a connection before any listener knows which one it is."""
        ping = dialect.do_ping

        def do_ping(connection: DBAPIConnection) -> bool:
            if self._thread.watch is not None and (end := find_socket(connection)) is not None:
                self._thread.watch.add(end)
            return ping(connection)

        setattr(dialect, "do_ping", do_ping)  # noqa: B010 - mypy lets nobody assign to a method

    def _probe(self) -> bool:
        """Connect and ping, with a new pool: hanging requests of the application may hold all places of the old one."""
        engine = self._engine()
        if engine is None:
            return False
        pool = engine.pool.recreate()
        seconds = 2 * PROBE_SECONDS if is_bounded(engine.dialect.driver) else UNBOUNDED_PROBE_SECONDS
        self._thread.is_probe = True
        self._thread.watch = watch = Watch(self._watchdog, monotonic() + seconds)
        try:
            connection = pool.connect()
            try:
                assert connection.dbapi_connection is not None
                engine.dialect.do_ping(connection.dbapi_connection)
            finally:
                connection.invalidate()
        finally:
            watch.end()
            self._thread.watch = None
            pool.dispose()
        return True


def watch_connection(watch: Watch, connection: ManagesConnection) -> None:
    """Have *watch* shut the socket of *connection* when the time is up, if the driver's socket can be found."""
    end = connection.info.get(_SOCKET)
    if end is None:
        end = connection.info[_SOCKET] = find_socket(connection.dbapi_connection)
    if end is not None:
        watch.add(end)


def _forget_socket(_: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    if (end := record.info.pop(_SOCKET, None)) is not None:
        end.close()


class _PoolTimeout(float):
    """How long a thread waits for a place in a pool: the application's timeout, but in a request at most its budget.

    A pool has one timeout for all threads. Its queue adds the timeout to the current time, which calls ``__radd__``.
    """

    _thread: _ThisThread
    _seconds: float

    @classmethod
    def of(cls, seconds: float, thread: _ThisThread) -> Self:
        """The timeout that the application set, in seconds."""
        timeout = cls(seconds)
        timeout._thread, timeout._seconds = thread, seconds
        return timeout

    def __radd__(self, now: float) -> float:
        ends_at, watch = now + self._seconds, self._thread.watch
        return ends_at if watch is None else min(ends_at, now + watch.seconds_left)
