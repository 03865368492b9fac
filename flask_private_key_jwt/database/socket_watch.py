"""Ends a wait for a server that does not answer, by shutting the socket under the driver that waits.

No driver lets a caller bound the wait for an answer anew for each statement. But every one of them gives up with an
error of its own as soon as its socket is shut.
"""

import os
import socket
import weakref
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import Any

TICK_SECONDS = 0.1
"""How late a socket may be shut."""


class SocketEnd:
    """A duplicate of a socket: it can be shut at any moment, whatever its driver does meanwhile.

    The driver may close its own descriptor, and the number then names another socket.
    """

    def __init__(self, descriptor: int) -> None:
        self._lock = Lock()
        self._descriptor: int | None = None
        self._descriptor = os.dup(descriptor)

    def shut(self) -> None:
        """End the connection in both directions: whoever waits for it is told at once."""
        with self._lock, suppress(OSError):  # it is shut already
            if self._descriptor is not None:
                end = socket.socket(fileno=self._descriptor)
                try:
                    end.shutdown(socket.SHUT_RDWR)
                finally:
                    end.detach()

    def close(self) -> None:
        """Give the duplicate back; the driver's own stays as it is."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


class Watch:
    """A stretch of work that has to end in time; :meth:`end` has to be called, come what may.

    :param watchdog: Shuts its sockets.
    :param ends_at: When it does, by ``time.monotonic``.
    """

    __slots__ = ("_sockets", "_watchdog", "cut", "ends_at", "previous")

    def __init__(self, watchdog: "Watchdog", ends_at: float) -> None:
        self._watchdog = watchdog
        self._sockets: list[SocketEnd] = []
        self.ends_at = ends_at
        self.cut = False
        """Whether a socket was shut."""
        self.previous: Watch | None = None
        """The watch around this one, in the same thread."""

    @property
    def seconds_left(self) -> float:
        """Until its sockets are shut; 0 when they are."""
        return max(self.ends_at - monotonic(), 0)

    def add(self, end: SocketEnd) -> None:
        """Shut this socket too, when the time is up."""
        self._sockets.append(end)
        self._watchdog.watch(self)

    def end(self) -> bool:
        """Stop watching; whether a socket was shut."""
        if self._sockets:
            self._watchdog.forget(self)
        return self.cut

    def expire(self) -> None:
        """Shut the sockets. Only the watchdog calls this."""
        self.cut = True
        for end in self._sockets:
            end.shut()


class Watchdog:
    """Looks after watches from a thread of its own, from the first one on. Safe for threads and forks."""

    def __init__(self) -> None:
        self._process = 0
        self._start_lock = Lock()
        self._lock = Lock()
        self._active: set[Watch] = set()
        self._is_needed = Event()

    def watch(self, watch: Watch) -> None:
        """Let *watch* expire in time."""
        if self._process != os.getpid():
            self._start()
        self._active.add(watch)
        if not self._is_needed.is_set():
            self._is_needed.set()

    def forget(self, watch: Watch) -> None:
        """Let *watch* be; when this returns it has expired, or never will."""
        try:
            self._active.remove(watch)  # one step: either this thread gets it, or the watchdog
        except KeyError:
            with self._lock:  # the watchdog has it: wait until it is done
                pass

    def look(self) -> None:
        """Expire what is overdue. Only the thread calls this."""
        now = monotonic()
        with self._lock:
            for watch in tuple(self._active):
                if watch.ends_at <= now:
                    self._expire(watch)
        if not self._active:
            self._is_needed.clear()
            if self._active:  # one came just before the line above
                self._is_needed.set()

    def _expire(self, watch: Watch) -> None:
        try:
            self._active.remove(watch)
        except KeyError:  # it has just ended
            return
        watch.expire()

    def _start(self) -> None:
        """A forked child has neither the thread nor the watches of its parent, whose sockets it must not shut."""
        with self._start_lock:
            if self._process != os.getpid():
                self._lock, self._active, self._is_needed = Lock(), set(), Event()
                arguments = weakref.ref(self), self._is_needed
                Thread(target=_keep_looking, args=arguments, name="store-deadlines", daemon=True).start()
                # Wakes the thread for the last time: a process may make many apps.
                weakref.finalize(self, self._is_needed.set).atexit = False
                self._process = os.getpid()


def _keep_looking(find_watchdog: Callable[[], Watchdog | None], is_needed: Event) -> None:
    """Let a watchdog look at its watches from time to time, until nobody has it any more."""
    while True:
        is_needed.wait()
        sleep(TICK_SECONDS)
        if (watchdog := find_watchdog()) is None:
            return
        watchdog.look()
        del watchdog


def find_socket(connection: Any) -> SocketEnd | None:
    """A duplicate of a DBAPI connection's socket; ``None`` when it has none, or none that can be found."""
    with suppress(Exception):  # each driver has an error of its own for a connection that is closed
        return SocketEnd(_find_descriptor(connection))
    return None


def _find_descriptor(connection: Any) -> int:
    if hasattr(connection, "fileno"):  # psycopg, psycopg2, mysqlclient
        return connection.fileno()  # type: ignore[no-any-return]
    if hasattr(connection, "_sock"):  # PyMySQL
        return connection._sock.fileno()  # type: ignore[no-any-return]
    return connection._client.socket.fileno()  # type: ignore[no-any-return]  # MariaDB Connector/Python
