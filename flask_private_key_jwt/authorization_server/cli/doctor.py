"""``flask oauth2 doctor``: is this deployment right?"""

import sys
import textwrap
from collections import Counter
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from ..readable_text import escape_unprintable
from .input import give_up, readable_errors
from .output import Color, json_option, print_json, wants_colors

if TYPE_CHECKING:
    from ..doctor.finding import Row

NOT_MET = 1
"""Exit code if a requirement is not met."""
_OUTCOMES: dict[bool | None, tuple[str, str, Color | None]] = {
    True: ("+", "met", "green"),
    False: ("!", "NOT MET", "red"),
    None: ("-", "n/a", None),
}
"""What was found -> its mark, its word and its color; a row reads the same without the color."""
_ACCEPTED: tuple[str, str, Color | None] = ("~", "accepted", "yellow")
_INDENT = 13
_WIDTH = 80


@click.command()
@click.option("--live", is_flag=True, help="Also attack the running server, as a client that is made for it.")
@click.option("--accept", "accepted", multiple=True, metavar="ID", help="A requirement that need not be met.")
@click.option("--timeout", type=click.FloatRange(0.5, 60), default=5.0, show_default=True, help="Seconds per answer.")
@click.option("--ca-bundle", metavar="PATH", help="Certificate authorities to trust (PEM).")
@click.option("--oidf", metavar="FOLDER", help="Write the files for the OpenID Foundation's suite; check nothing.")
@click.option("--alias", default="flask-private-key-jwt", show_default=True, help="Your alias in that suite.")
@json_option("Print the rows as JSON.")
@with_appcontext
def doctor(
    live: bool,
    accepted: tuple[str, ...],
    timeout: float,
    ca_bundle: str | None,
    oidf: str | None,
    alias: str,
    as_json: bool,
) -> None:
    """Say whether this deployment is right: issuer, clocks, stores, keys, clients, the profile's rules, RFC 9700.

    Each requirement is met, not met, or does not apply; what is not met comes with what to change.

    Exit code 0: all are met, or accepted. 1: one is not.
    """
    # Loaded here: no worker of the server needs it, nor what it loads.
    from ...fetching.outbound import build_outbound
    from ..doctor.deployment import Outside, open_deployment
    from ..doctor.examination import Examination

    with readable_errors():
        deployment = open_deployment(
            Outside(build_outbound(None, ca_bundle, names=("", "--ca-bundle")), timeout=timeout)
        )
        printer = _Printer(as_json=as_json)
        Examination(deployment, printer.tell, accepted=accepted).run()
    printer.finish()
    if unknown := sorted(set(accepted) - printer.ids):
        give_up(f"--accept {unknown[0]}: there is no such requirement.")
    if printer.counts_against:
        sys.exit(NOT_MET)


class _Printer:
    """Prints rows as they come, or all of them as JSON at the end."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._rows: list[Row] = []

    @property
    def ids(self) -> set[str]:
        return {row.id for row in self._rows}

    @property
    def counts_against(self) -> bool:
        return any(row.counts_against for row in self._rows)

    def tell(self, row: "Row") -> None:
        if not self._as_json:
            if not self._rows or self._rows[-1].group != row.group:
                _echo(("\n" if self._rows else "") + row.group)
            for line in _lay_out(row):
                _echo(line)
        self._rows.append(row)

    def finish(self) -> None:
        if self._as_json:
            print_json([row.as_json() for row in self._rows])
            return
        counted = Counter(_outcome(row)[1] for row in self._rows)
        words = (f"{counted[word]} {word}" for word in ("met", "NOT MET", "accepted", "n/a") if counted[word])
        _echo(f"\n{', '.join(words)}.")
        for row in self._rows:
            if row.counts_against:
                _echo(f"  ! {row.id}")


def _outcome(row: "Row") -> tuple[str, str, Color | None]:
    return _ACCEPTED if row.finding.ok is False and row.is_accepted else _OUTCOMES[row.finding.ok]


def _lay_out(row: "Row") -> list[str]:
    mark, word, color = _outcome(row)
    head = f"  {mark} {word:<{_INDENT - 4}}"
    paragraphs = [row.id, row.finding.why]
    if row.finding.ok is False:
        paragraphs.append(f"To do: {row.finding.change}")
    lines = [line for text in paragraphs for line in _wrap(text)]
    painted = click.style(head, fg=color) if color else head
    return [painted + lines[0], *(" " * _INDENT + line for line in lines[1:])]


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(escape_unprintable(text), _WIDTH - _INDENT, break_on_hyphens=False)


def _echo(line: str) -> None:
    click.echo(line, color=wants_colors())
