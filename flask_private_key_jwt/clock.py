"""The only call to the wall clock; everything else asks :func:`now`."""

import time


def now() -> int:
    """Seconds since the epoch, as an integer."""
    return int(time.time())


def is_over(end: float) -> bool:
    """Whether a time that ends at *end* is over: what lives for N seconds is over at N (RFC 7519 §4.1.4).

    :param end: Seconds since the epoch.
    """
    return now() >= end
