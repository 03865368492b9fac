"""What a check found, and the row that tells it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..keys.client_key_state import DAY_SECONDS
from ..readable_text import escape_unprintable

if TYPE_CHECKING:
    from .deployment import Deployment

FEW = 3
"""How many names a sentence lists; of further ones it says the number."""
MAX_NAME_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. Build it with :func:`met`, :func:`unmet` or :func:`moot`."""

    ok: bool | None
    """Whether the requirement is met; ``None``: it does not apply, or nobody can tell from here."""
    why: str
    """A sentence or two."""
    change: str = ""
    """What to change if it is not met, as a sentence."""


Probe = Callable[["Deployment"], Finding]
"""Looks at one requirement. Raises ``StoreUnavailable``, ``ConfigurationError`` or ``NoAnswer`` if it cannot."""


@dataclass(frozen=True, slots=True)
class DeploymentRequirement:
    """One requirement, by its stable name."""

    id: str
    check: Probe
    needs: tuple[str, ...] = ()
    """Requirements that come earlier: if one of them is not met, this one cannot be looked at."""


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One requirement, and what was found."""

    id: str
    group: str
    finding: Finding
    is_accepted: bool = False
    """Whether the operator has said that it need not be met."""

    @property
    def counts_against(self) -> bool:
        """Whether the deployment is not right because of it."""
        return self.finding.ok is False and not self.is_accepted

    def as_json(self) -> dict[str, Any]:
        """For programs. ``change`` is there if the requirement is not met, ``accepted`` if that is accepted."""
        finding = self.finding
        return {
            "id": self.id,
            "ok": finding.ok,
            "why": finding.why,
            **({"change": finding.change} if finding.ok is False else {}),
            **({"accepted": True} if finding.ok is False and self.is_accepted else {}),
        }


def met(why: str) -> Finding:
    """The requirement is met."""
    return Finding(True, why)


def unmet(why: str, change: str) -> Finding:
    """The requirement is not met."""
    return Finding(False, why, change)


def moot(why: str) -> Finding:
    """The requirement does not apply, or nobody can tell from here."""
    return Finding(None, why)


def judge(is_met: bool, why: str, *, otherwise: str, change: str) -> Finding:
    """:func:`met` with *why*, or else :func:`unmet` with *otherwise* and *change*."""
    return met(why) if is_met else unmet(otherwise, change)


def name_some(names: Iterable[str]) -> str:
    """The first of *names*, which others chose, and how many there are besides."""
    return list_some([shorten(name) for name in names], ", ")


def list_some(clauses: Sequence[str], separator: str = "; ") -> str:
    """The first of *clauses*, and how many there are besides."""
    more = len(clauses) - FEW
    return separator.join(clauses[:FEW]) + (f" and {more} more" if more > 0 else "")


def shorten(text: str) -> str:
    """A name that somebody else chose, safe and short."""
    safe = escape_unprintable(text)
    return safe if len(safe) <= MAX_NAME_CHARACTERS else f"{safe[:MAX_NAME_CHARACTERS]}…"


def days(seconds: float) -> str:
    """A time in days, for people."""
    number = int(seconds // DAY_SECONDS)
    return "less than a day" if number < 1 else f"{number} day{'' if number == 1 else 's'}"
