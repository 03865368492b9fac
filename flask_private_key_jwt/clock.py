"""The only call to the wall clock; all other code calls :func:`now`."""

import time


def now() -> int:
    """Seconds since the epoch, as an integer."""
    return int(time.time())


def is_over(end: float) -> bool:
    """Whether the moment *end* has come: a lifetime of N seconds is over at second N (RFC 7519 §4.1.4).

    :param end: Seconds since the epoch.
    """
    return now() >= end
