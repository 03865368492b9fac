"""What a profile requires of one setting."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

UNSET = object()
"""A rule without a default of its own."""


@dataclass(frozen=True, slots=True)
class SameAs:
    """A default: the value that another setting has, which stands further up in the table."""

    name: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What a profile requires of one setting."""

    allows: Callable[[Any], bool]
    because: str
    """Why, as the end of a sentence."""
    default: Any = UNSET
    """Its value when it is not set, if the usual default is not allowed; or :class:`SameAs`."""


def is_true(value: bool) -> bool:
    """For a setting that must be on."""
    return value


def is_false(value: bool) -> bool:
    """For a setting that must be off."""
    return not value
