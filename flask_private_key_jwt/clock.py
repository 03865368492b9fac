"""The only call to the wall clock; everything else asks :func:`now`."""

import time


def now() -> int:
    """Seconds since the epoch, as an integer."""
    return int(time.time())
