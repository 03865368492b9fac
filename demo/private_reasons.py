"""Why a server refused: what its operator reads in its log, found by the ``Error-Reference`` of the answer.

The answer itself says the same sentence to everybody. The demo may look into the logs, because it started the servers.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_REFUSED = re.compile(
    r"(?P<endpoint>\w+) refused: (?P<error>\w+): (?P<reason>.*?) "
    r"\[cause (?P<cause>\w+), client (?P<client>.*), reference (?P<reference>[0-9a-f]{16})\]$"
)


@dataclass(frozen=True, slots=True)
class PrivateReason:
    """One refusal, as its server logged it."""

    reason: str
    """The sentence."""
    cause: str
    """Its stable name, see docs/causes.md."""


def read_reasons(logs: Iterable[Path]) -> Mapping[str, PrivateReason]:
    """All refusals in the logs, by reference. A log that cannot be read has none."""
    return {reference: reason for log in logs for reference, reason in _read(log)}


def _read(log: Path) -> Iterable[tuple[str, PrivateReason]]:
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        if match := _REFUSED.search(line.rstrip()):
            yield match["reference"], PrivateReason(match["reason"], match["cause"])
