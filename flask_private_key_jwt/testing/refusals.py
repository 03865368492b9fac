"""What was refused during a test: the private reason of each refusal, with its cause."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from ..signals import request_refused


class Refusal(str):
    """The private reason of a refusal, a string. Tests compare its ``cause``, unless they are about the sentence."""

    cause: str
    """The code of the reason (``docs/causes.md``), which stays the same when the sentence is reworded."""

    def __new__(cls, reason: str, cause: str) -> Self:
        """A string that also has a cause."""
        refusal = super().__new__(cls, reason)
        refusal.cause = cause
        return refusal


def find_causes(refusals: Sequence[Refusal]) -> list[str]:
    """The causes of what was refused, in order."""
    return [refusal.cause for refusal in refusals]


@contextmanager
def noting_refusals(app: object, *, unnoted: Collection[str] = ()) -> Iterator[list[Refusal]]:
    """The refusals of *app* during the block, in order.

    :param app: The sender of their signals: a Flask app, or a protector that has no Flask.
    :param unnoted: Error codes of those that are passed over.
    """
    noted: list[Refusal] = []

    def note(sender: object, *, error: str, reason: str, cause: str, **_: Any) -> None:
        if sender is app and error not in unnoted:
            noted.append(Refusal(reason, cause))

    with request_refused.connected_to(note):
        yield noted
