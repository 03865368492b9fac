"""Moves the time of this package in a test: nothing sleeps, and no setting of an application changes it."""

from collections.abc import Iterator
from contextlib import contextmanager

from .. import clock


class TimeMachine:
    """The time of a test, which stands still until it is moved.

    :param now: When it starts, in seconds since the epoch. Default: the real time.
    """

    def __init__(self, now: int | None = None) -> None:
        self.now = clock.now() if now is None else now
        """The time, in seconds since the epoch."""

    def move(self, seconds: int = 0, *, minutes: int = 0, hours: int = 0, days: int = 0) -> None:
        """Move on by the sum of these; back, if it is negative."""
        self.now += seconds + 60 * minutes + 3600 * hours + 86400 * days

    @contextmanager
    def running(self) -> Iterator[None]:
        """During the block, all code of this package has this time, in the whole process."""
        with clock.running_by(lambda: self.now):
            yield
