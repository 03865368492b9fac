"""How a purge goes about it: how long what has ended stays, and how much goes at once."""

from collections.abc import Callable

KEEP_ENDED_SECONDS = 3600
"""How long purging keeps what has ended. A machine whose clock is ahead takes for ended what still counts, and without
its row a used ``jti`` or a revoked token would be good again. A clock that is an hour off is noticed before."""


BATCH_ROWS = 500
"""How many rows one transaction of a purge looks at."""


Rest = Callable[[float], None]
"""Called between two transactions of a purge with how long the last one took, in seconds."""


def no_rest(_seconds: float) -> None:
    """Go on at once."""
