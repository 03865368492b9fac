"""Waiting for what other processes do, however busy the machine is."""

import time
from collections.abc import Callable

SECONDS = 60


def wait_until(is_so: Callable[[], bool], *, what: str = "it never happened") -> None:
    """Ask again and again; fails after a minute."""
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
