"""What tests note of the requests that an app refuses: the private reason of each, with its cause."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from flask_private_key_jwt.signals import request_refused


class Refusal(str):
    """The private reason of a refusal. Its ``cause`` is what tests hold on to, unless they are about the sentence."""

    cause: str

    def __new__(cls, reason: str, cause: str) -> Self:
        refusal = super().__new__(cls, reason)
        refusal.cause = cause
        return refusal


def causes(refusals: Sequence[Refusal]) -> list[str]:
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
