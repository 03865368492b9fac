"""What the summary at the end tells of: requests that were made for a purpose, and what became of them."""

from collections.abc import Callable
from dataclasses import dataclass

from .caller import Exchange


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request of the demo, and whether it went as it must."""

    what: str
    """What was done, in a few words."""
    exchange: Exchange
    went_as_it_must: bool = True
    during_attack: bool = False
    """Whether it belongs to an attack: the attack itself, or the owner's request beside it, which must succeed."""


Note = Callable[[Outcome], None]
"""Takes an outcome when it is known."""


def ignore(_outcome: Outcome) -> None:
    """Take it, and do nothing: nobody asked for a summary."""
