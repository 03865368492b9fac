"""What an app measures while it answers. Nothing, until somebody observes: then each place tells what it saw."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..bounded_cache import BoundedCache

Caches = Mapping[str, Sequence[BoundedCache[Any, Any]]]
"""Name -> the caches of a process that are counted under it."""


class Observer(Protocol):
    """Takes what is measured; never raises."""

    def note_request(self, endpoint: str, seconds: float, *, refused: bool) -> None:
        """One request was answered.

        :param seconds: How long that took, from the first look at the request to the finished answer.
        :param refused: Whether the answer is a refusal; its cause is in the signal ``request_refused``.
        """

    def note_clock(self, what: str, ahead: float) -> None:
        """A client signed something with the time of its clock.

        :param what: ``assertion`` or ``proof``.
        :param ahead: Its ``iat`` minus our time, in seconds.
        """

    def note_store(self, store: str, seconds: float, *, answered: bool) -> None:
        """A store was asked.

        :param store: ``database`` or ``replay``.
        """


class Meter:
    """Where an observer of one app is put."""

    __slots__ = ("observer",)

    def __init__(self) -> None:
        self.observer: Observer | None = None
