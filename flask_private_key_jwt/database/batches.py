"""Limits of a purge: how long expired rows are kept, and how many rows one transaction handles."""

from collections.abc import Callable

KEEP_ENDED_SECONDS = 3600
"""How long a purge keeps expired rows. A machine whose clock is ahead would delete rows that are still needed, and then
a used ``jti`` or a revoked token would be accepted again. Clocks that differ by an hour are noticed earlier."""


BATCH_ROWS = 500
"""How many rows one transaction of a purge reads."""


Rest = Callable[[float], None]
"""Called between two transactions of a purge, with the duration of the last one in seconds."""


def no_rest(_seconds: float) -> None:
    """Continue without a pause."""
