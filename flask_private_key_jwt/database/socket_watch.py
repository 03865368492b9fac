"""Ends a wait for a server that does not answer, by shutting the driver's socket.

No driver has a time limit that can be set for each statement. But every driver raises an error as soon as its socket is
shut.
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
"""A socket may be shut this much later than its deadline."""


class SocketEnd:
    """A duplicate of a socket, which can be shut safely at any moment.

    The driver may close its own descriptor at any time; the same number could then belong to another socket.
    """

    def __init__(self, descriptor: int) -> None:
        self._lock = Lock()
        self._descriptor: int | None = None
        self._descriptor = os.dup(descriptor)

    def shut(self) -> None:
        """End the connection in both directions: a thread that waits for it gets an error at once."""
        with self._lock, suppress(OSError):  # OSError: it was shut before
            if self._descriptor is not None:
                end = socket.socket(fileno=self._descriptor)
                try:
                    end.shutdown(socket.SHUT_RDWR)
                finally:
                    end.detach()

    def close(self) -> None:
        """Close the duplicate; the driver's own descriptor stays open."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


class Watch:
    """Work that must end in time. :meth:`end` must always be called.

    :param watchdog: Shuts the sockets of this watch.
    :param ends_at: When it shuts them, by ``time.monotonic``.
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
        """The time until its sockets are shut; 0 after that."""
        return max(self.ends_at - monotonic(), 0)

    def add(self, end: SocketEnd) -> None:
        """Shut this socket too, when the time is up."""
        self._sockets.append(end)
        self._watchdog.watch(self)

    def end(self) -> bool:
        """Stop watching; return whether a socket was shut."""
        if self._sockets:
            self._watchdog.forget(self)
        return self.cut

    def expire(self) -> None:
        """Shut the sockets. Only the watchdog calls this."""
        self.cut = True
        for end in self._sockets:
            end.shut()


class Watchdog:
    """Expires watches in a separate thread, which starts with the first watch. Safe for threads and forks."""

    def __init__(self) -> None:
        self._process = 0
        self._start_lock = Lock()
        self._lock = Lock()
        self._active: set[Watch] = set()
        self._is_needed = Event()

    def watch(self, watch: Watch) -> None:
        """Expire *watch* when its time is up."""
        if self._process != os.getpid():
            self._start()
        self._active.add(watch)
        if not self._is_needed.is_set():
            self._is_needed.set()

    def forget(self, watch: Watch) -> None:
        """Stop watching *watch*. After this returns, it has expired or never will."""
        try:
            self._active.remove(watch)  # atomic: either this thread removes it, or the watchdog does
        except KeyError:
            with self._lock:  # the watchdog has removed it: wait until it has expired it
                pass

    def look(self) -> None:
        """Expire the watches whose time is up. Only the watchdog's thread calls this."""
        now = monotonic()
        with self._lock:
            for watch in tuple(self._active):
                if watch.ends_at <= now:
                    self._expire(watch)
        if not self._active:
            self._is_needed.clear()
            if self._active:  # a watch was added just before the line above
                self._is_needed.set()

    def _expire(self, watch: Watch) -> None:
        try:
            self._active.remove(watch)
        except KeyError:  # its work has just ended
            return
        watch.expire()

    def _start(self) -> None:
        """Start the thread. A forked child has no thread of its parent, and must not shut the parent's sockets."""
        with self._start_lock:
            if self._process != os.getpid():
                self._lock, self._active, self._is_needed = Lock(), set(), Event()
                arguments = weakref.ref(self), self._is_needed
                Thread(target=_keep_looking, args=arguments, name="store-deadlines", daemon=True).start()
                # Wakes the thread so that it ends with this watchdog: a process may make many apps.
                weakref.finalize(self, self._is_needed.set).atexit = False
                self._process = os.getpid()


def _keep_looking(find_watchdog: Callable[[], Watchdog | None], is_needed: Event) -> None:
    """Let a watchdog check its watches from time to time, until it is garbage-collected."""
    while True:
        is_needed.wait()
        sleep(TICK_SECONDS)
        if (watchdog := find_watchdog()) is None:
            return
        watchdog.look()
        del watchdog


def find_socket(connection: Any) -> SocketEnd | None:
    """A duplicate of a DBAPI connection's socket; ``None`` if there is none or it cannot be found."""
    with suppress(Exception):  # each driver raises its own error for a closed connection
        return SocketEnd(_find_descriptor(connection))
    return None


def _find_descriptor(connection: Any) -> int:
    if hasattr(connection, "fileno"):  # psycopg, psycopg2, mysqlclient
        return connection.fileno()  # type: ignore[no-any-return]
    if hasattr(connection, "_sock"):  # PyMySQL
        return connection._sock.fileno()  # type: ignore[no-any-return]
    return connection._client.socket.fileno()  # type: ignore[no-any-return]  # MariaDB Connector/Python
