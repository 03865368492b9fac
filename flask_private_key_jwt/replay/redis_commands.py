"""Commands of Redis that threads and event loops both send."""

_CONFIRMED = 0.9
"""Part of the time for an answer that Redis may wait for its replicas."""


def build_wait(replicas: int, seconds: float) -> tuple[str, int, int]:
    """The command that waits until replicas have what this connection wrote, and says how many have it.

    :param replicas: How many to wait for.
    :param seconds: The time for the answer.
    """
    return ("WAIT", replicas, max(1, int(seconds * _CONFIRMED * 1000)))
