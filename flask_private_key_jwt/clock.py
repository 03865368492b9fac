"""The only call to the wall clock; all other code calls :func:`now`."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager


def now() -> int:
    """Seconds since the epoch, as an integer."""
    return int(time.time())


@contextmanager
def running_by(tell: Callable[[], int]) -> Iterator[None]:
    """Let :func:`now` return what *tell* returns during the block, in the whole process: only for a command or a test.

    :param tell: Returns seconds since the epoch.
    """
    global now
    running, now = now, tell
    try:
        yield
    finally:
        now = running


def stopped_at(moment: int) -> AbstractContextManager[None]:
    """Let :func:`now` return *moment* during the block, in the whole process: only for a command, never for a server.

    :param moment: Seconds since the epoch.
    """
    return running_by(lambda: moment)


def is_over(end: float) -> bool:
    """Whether the moment *end* has come: a lifetime of N seconds is over at second N (RFC 7519 §4.1.4).

    :param end: Seconds since the epoch.
    """
    return now() >= end
