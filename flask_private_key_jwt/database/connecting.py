"""Connecting to a database or to Redis within a time, whatever its driver offers."""

from collections.abc import Callable
from math import ceil
from threading import Event, Lock, Thread
from typing import Any, Generic, TypeVar

C = TypeVar("C")

CONNECT_TIMEOUT = {"psycopg": "connect_timeout", "psycopg2": "connect_timeout"}
"""Drivers that wait for ever unless told otherwise -> the argument that bounds the wait for a connection."""
EVERY_WAIT = {
    **dict.fromkeys(CONNECT_TIMEOUT, ("connect_timeout",)),
    **dict.fromkeys(("pymysql", "mysqldb"), ("connect_timeout", "read_timeout", "write_timeout")),
    "mariadbconnector": ("connect_timeout", "read_timeout"),
}
"""Driver -> the arguments that bound its waits for a server, in whole seconds: for a connection, for an answer."""


def connect_limits(driver: str, seconds: float) -> dict[str, int]:
    """Arguments that make a driver give up connecting, later than *seconds*; a connection that is made keeps none."""
    name = CONNECT_TIMEOUT.get(driver)
    return {} if name is None else {name: ceil(seconds) + 1}  # libpq takes 2 and more


def wait_limits(driver: str, seconds: int) -> dict[str, int]:
    """Arguments that bound every wait of a connection: for one of our own only."""
    return dict.fromkeys(EVERY_WAIT.get(driver, ()), seconds)


def is_bounded(driver: str) -> bool:
    """Whether :func:`wait_limits` knows how to make a driver give up."""
    return driver in EVERY_WAIT


class _Attempt(Generic[C]):
    """One attempt to connect, in a thread of its own; who made it may leave."""

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
        """Take the connection if it came after all; else it is closed whenever it comes."""
        with self._lock:
            self._is_left = True
            return self.connection


def connect_in_time(connect: Callable[[], C], close: Callable[[C], Any], seconds: float) -> C | None:
    """The connection that *connect* makes; ``None`` when it takes longer than *seconds*. Raises what *connect* raises.

    :param close: Closes a connection that comes too late.
    """
    attempt = _Attempt(connect, close)
    Thread(target=attempt.run, name="store-connect", daemon=True).start()
    if not attempt.is_over.wait(seconds):
        return attempt.leave()
    if attempt.error is not None:
        raise attempt.error
    return attempt.connection
