"""Connect to a database or to Redis within a time limit, even if the driver has none."""

from collections.abc import Callable
from math import ceil
from threading import Event, Lock, Thread
from typing import Any, Generic, TypeVar

C = TypeVar("C")

CONNECT_TIMEOUT = {"psycopg": "connect_timeout", "psycopg2": "connect_timeout"}
"""Drivers that wait for ever by default -> the argument that limits the wait for a connection."""
EVERY_WAIT = {
    **dict.fromkeys(CONNECT_TIMEOUT, ("connect_timeout",)),
    **dict.fromkeys(("pymysql", "mysqldb"), ("connect_timeout", "read_timeout", "write_timeout")),
    "mariadbconnector": ("connect_timeout", "read_timeout"),
}
"""Driver -> the arguments that limit its waits for a connection and for an answer, in whole seconds."""


def connect_limits(driver: str, seconds: float) -> dict[str, int]:
    """Arguments that make a driver stop connecting, some time after *seconds*; they do not limit later waits."""
    name = CONNECT_TIMEOUT.get(driver)
    return {} if name is None else {name: ceil(seconds) + 1}  # libpq takes 2 and more


def wait_limits(driver: str, seconds: int) -> dict[str, int]:
    """Arguments that limit every wait of a connection; only for connections that the application does not use."""
    return dict.fromkeys(EVERY_WAIT.get(driver, ()), seconds)


def is_bounded(driver: str) -> bool:
    """Whether :func:`wait_limits` has limits for this driver."""
    return driver in EVERY_WAIT


class _Attempt(Generic[C]):
    """One attempt to connect, in a separate thread; the caller may stop waiting for it."""

    def __init__(self, connect: Callable[[], C], close: Callable[[C], Any]) -> None:
        self._connect = connect
        self._close = close
        self._lock = Lock()
        self._is_left = False
        self.is_over = Event()
        self.connection: C | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            connection = self._connect()
        except BaseException as error:
            self.error = error
        else:
            with self._lock:
                if not self._is_left:
                    self.connection = connection
            if self.connection is None:
                self._close(connection)
        self.is_over.set()

    def leave(self) -> C | None:
        """Return the connection if it was made after all. Otherwise it is closed when it is made later."""
        with self._lock:
            self._is_left = True
            return self.connection


def connect_in_time(connect: Callable[[], C], close: Callable[[C], Any], seconds: float) -> C | None:
    """The connection that *connect* makes; ``None`` if that takes longer than *seconds*. Raises what *connect* raises.

    :param close: Closes a connection that is made too late.
    """
    attempt = _Attempt(connect, close)
    Thread(target=attempt.run, name="store-connect", daemon=True).start()
    if not attempt.is_over.wait(seconds):
        return attempt.leave()
    if attempt.error is not None:
        raise attempt.error
    return attempt.connection
