"""The figures as a table for people and as JSON for scripts."""

import json
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from .messages import Variant

PACKAGES = ("flask", "authlib", "joserfc", "cryptography", "sqlalchemy", "granian", "gunicorn")


@dataclass(frozen=True, slots=True)
class Figure:
    """One cell of the table."""

    server: str
    variant: Variant
    cost: tuple[float, ...]
    """Server CPU per request in ``cal``, of every round that counts."""
    microseconds: float
    """The same in microseconds, median of the rounds."""
    per_second: float
    """Requests answered per second, median of the rounds."""
    disturbed: int
    """Rounds during which the machine was slower: see :mod:`.rounds`."""

    @property
    def median(self) -> float:
        return statistics.median(self.cost)


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of a worker of the token server."""

    server: str
    share: float
    """Its share of the memory in use, in megabytes: libraries that several processes use are divided among them."""
    resident: float
    """All that is resident, in megabytes."""
    requests: int
    """How many it has answered."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything one run found out."""

    cal: float
    """``cal`` in microseconds, while the machine was undisturbed."""
    bare: Mapping[Variant, float]
    """The signatures of a request by themselves, in ``cal``."""
    figures: Sequence[Figure]
    memory: Sequence[Memory]
    clients: int
    remembered: int
    connections: int

    def table(self) -> str:
        """The table, in ``cal``."""
        servers = list(dict.fromkeys(figure.server for figure in self.figures))
        lines = [
            f"Server CPU per request in cal, one worker, {self.connections} connections, "
            f"{self.clients} clients, {self.remembered} jti remembered",
            f"1 cal = one ES256 verification on the same core in the same run = {self.cal:.0f} µs",
            "",
            _row("", ["signatures", *servers], ""),
        ]
        for title, of_tokens in (("token request", True), ("API call", False)):
            variants = [variant for variant in self.bare if (variant.alg is not None) == of_tokens]
            lines += [title, *(self._line(variant, servers) for variant in variants)]
        disturbed = sum(figure.disturbed for figure in self.figures)
        if disturbed:
            lines += ["", f"{disturbed} rounds were measured again: the machine was slower meanwhile"]
        weights = (
            f"{each.server} {each.share:.0f} MB ({each.resident:.0f} resident) after {each.requests} requests"
            for each in self.memory
        )
        lines += ["", f"memory of a worker: {', '.join(weights)}"]
        return "\n".join(lines)

    def _line(self, variant: Variant, servers: Sequence[str]) -> str:
        found = {figure.server: figure for figure in self.figures if figure.variant == variant}
        costs = [f"{found[server].median:.1f}" if server in found else "-" for server in servers]
        spread = [f"{min(found[s].cost):.1f}-{max(found[s].cost):.1f}" for s in servers if s in found]
        return _row(f"  {variant.name}", [f"{self.bare[variant]:.1f}", *costs], f"rounds {', '.join(spread)}")

    def json(self) -> str:
        """The same and more, for scripts."""
        return json.dumps(
            {
                "cal_us": round(self.cal, 2),
                "clients": self.clients,
                "remembered": self.remembered,
                "connections": self.connections,
                "python": platform.python_version(),
                "packages": {name: version(name) for name in PACKAGES},
                "memory": [
                    {
                        "server": each.server,
                        "share_mb": round(each.share, 1),
                        "resident_mb": round(each.resident, 1),
                        "requests": each.requests,
                    }
                    for each in self.memory
                ],
                "figures": [self._figure(figure) for figure in self.figures],
            },
            indent=2,
        )

    def _figure(self, figure: Figure) -> dict[str, Any]:
        return {
            "request": "API call" if figure.variant.alg is None else "token request",
            "variant": figure.variant.name,
            "server": figure.server,
            "signatures_cal": round(self.bare[figure.variant], 2),
            "cal": round(figure.median, 2),
            "rounds_cal": [round(cost, 2) for cost in figure.cost],
            "rounds_disturbed": figure.disturbed,
            "us": round(figure.microseconds, 1),
            "requests_per_second": round(figure.per_second),
        }


def bare_cost(variant: Variant, signatures: Mapping[str, float]) -> float:
    """The signatures a request cannot do without, in ``cal``.

    A token request: the assertion and the proof verified, the token signed. An API call: the token and the proof
    verified; the token only at its first use, so that a call with a token seen before may cost less than this.
    """
    proof = signatures["ES256 verify"] if variant.dpop else 0.0
    if variant.alg is None:
        return signatures["ES256 verify"] + proof
    return signatures[f"{variant.alg} verify"] + signatures["ES256 sign"] + proof


def _row(name: str, columns: Sequence[str], note: str) -> str:
    return (f"{name:<18}" + "".join(f"{column:>12}" for column in columns) + f"   {note}").rstrip()
