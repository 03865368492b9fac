"""Which rounds count: those during which the machine ran as fast as it can.

On a shared machine, other work slows memory and caches down more than it slows an ES256 verification. So ``cal`` does
not make up for it: a request seems to cost up to a quarter more. Such a round is measured again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

QUIET = 1.1
"""A round counts if ``cal``, before and after it, was at most so many times that of the undisturbed machine."""
PATIENCE = 5
"""How many times as many rounds as wanted are measured at most."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of one variant found."""

    cal_before: float
    cal_after: float
    microseconds: float
    per_second: float

    @property
    def cal(self) -> float:
        """``cal`` during the round."""
        return (self.cal_before + self.cal_after) / 2

    @property
    def slowest(self) -> float:
        """The larger ``cal`` of the two."""
        return max(self.cal_before, self.cal_after)

    @property
    def cost(self) -> float:
        """The request's cost, in ``cal``."""
        return self.microseconds / self.cal

    def is_quiet(self, undisturbed: float) -> bool:
        """Whether the machine was as fast as it can be.

        :param undisturbed: The result of :func:`find_undisturbed`.
        """
        return self.slowest <= QUIET * undisturbed


def find_undisturbed(cals: Sequence[float]) -> float:
    """``cal`` of the undisturbed machine: one in twenty of those that were measured is lower."""
    return sorted(cals)[math.ceil(len(cals) / 20) - 1]


def count_quiet(rounds: Sequence[Round], undisturbed: float) -> int:
    """How many of *rounds* count."""
    return sum(found.is_quiet(undisturbed) for found in rounds)


def choose(rounds: Sequence[Round], undisturbed: float, *, wanted: int) -> list[Round]:
    """The rounds that count; if they are fewer than *wanted*, so many of the quietest."""
    by_speed = sorted(rounds, key=lambda found: found.slowest)
    return by_speed[: max(wanted, count_quiet(rounds, undisturbed))]
