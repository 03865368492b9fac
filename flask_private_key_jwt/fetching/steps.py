"""The protocol without I/O: steps say what is needed, and a runner gets it, with threads or with tasks.

Steps are a generator. It yields what it needs, receives it, and returns its result; so the same steps run in a program
that waits (:class:`.exchange.Runner`) and in one that awaits.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
N = TypeVar("N")

Form = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Fetch:
    """A need: one HTTP exchange; the steps receive its :class:`.exchange.FetchedAnswer`, or :class:`.NoAnswer`."""

    method: str
    url: str
    timeout: float
    """Longest wait in seconds, from the name lookup to the last byte."""
    form: Form | None = field(default=None, repr=False)
    """The form body of a POST."""
    headers: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Shared:
    """A need: the result of other steps, which run once for all who need it at the same time."""

    key: str
    """What it is a result of; the same key is the same result for everybody who uses this runner."""
    start: "Callable[[], Steps[Any]]"
    """Makes the steps."""


Steps = Generator[Fetch | Shared, Any, T]
"""Steps that return a ``T``."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a runner got for a need."""

    result: Any = field(default=None, repr=False)
    error: Exception | None = None
    """The exception to raise in the steps instead."""

    def give_to(self, steps: Generator[N, Any, Any]) -> N:
        """Continue *steps* with it; return what they need next.

        :raises StopIteration: They have ended.
        """
        return steps.send(self.result) if self.error is None else steps.throw(self.error)
