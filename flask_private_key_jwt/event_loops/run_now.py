"""Run a coroutine that never waits, so that one function serves threads and event loops alike."""

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run *coroutine* to its end in this thread, without an event loop, and return its result.

    What it awaits must block, or be done: nothing here would wake it up again.

    :raises RuntimeError: It tried to wait.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise RuntimeError("a coroutine that has to run without an event loop tried to wait")
