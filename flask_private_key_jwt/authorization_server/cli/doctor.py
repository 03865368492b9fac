"""``flask oauth2 doctor``: is this deployment right?"""

import re
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from ..readable_text import escape_unprintable
from .input import give_up, readable_errors
from .output import Color, json_option, print_json, print_note, wants_colors

if TYPE_CHECKING:
    from ..doctor.finding import ReportRow

NOT_MET = 1
"""Exit code if a requirement is not met."""
_OUTCOMES: dict[bool | None, tuple[str, str, Color | None]] = {
    True: ("+", "met", "green"),
    False: ("!", "NOT MET", "red"),
    None: ("-", "n/a", None),
}
"""What was found -> its mark, its word and its color; a row reads the same without the color."""
_ACCEPTED: tuple[str, str, Color | None] = ("~", "accepted", "yellow")
_ALIAS = re.compile(r"[A-Za-z0-9-]{1,60}")
_INDENT = 14
_WIDTH = 80


@click.command()
@click.option("--live", is_flag=True, help="Also attack the running server, as a client that is made for it.")
@click.option("--accept", "accepted", multiple=True, metavar="ID", help="A requirement that need not be met.")
@click.option("--timeout", type=click.IntRange(1, 60), default=5, show_default=True, help="Seconds for each answer.")
@click.option("--ca-bundle", metavar="PATH", help="Certificate authorities to trust (PEM).")
@click.option("--oidf", metavar="FOLDER", help="Write the files for the OpenID Foundation's suite; check nothing.")
@click.option("--alias", default="flask-private-key-jwt", show_default=True, help="Your alias in that suite.")
@json_option("Print the rows as JSON.")
@with_appcontext
def doctor(
    live: bool,
    accepted: tuple[str, ...],
    timeout: int,
    ca_bundle: str | None,
    oidf: str | None,
    alias: str,
    as_json: bool,
) -> None:
    """Say whether this deployment is right: issuer, clocks, stores, keys, clients, the profile's rules, RFC 9700.

    Each requirement is met, not met, or does not apply; what is not met comes with what to change.

    Exit code 0: all are met, or accepted. 1: one is not.
    """
    with readable_errors():
        if oidf is not None and (live or accepted):
            give_up("--oidf writes files and checks nothing: leave --live and --accept out.")
        if oidf is not None:
            _write_suite_files(oidf, alias=alias, as_json=as_json)
        else:
            _examine(live=live, accepted=accepted, timeout=timeout, ca_bundle=ca_bundle, as_json=as_json)


def _examine(*, live: bool, accepted: tuple[str, ...], timeout: int, ca_bundle: str | None, as_json: bool) -> None:
    # Loaded here: no worker of the server needs it, nor what it loads.
    from ...fetching.outbound import build_outbound
    from ..doctor.deployment import Outside, open_deployment
    from ..doctor.examination import Examination
    from ..doctor.live import attack, list_live_ids

    outbound = build_outbound(None, ca_bundle, names=("proxies", "--ca-bundle"))
    printer = _Printer(as_json=as_json)
    examination = Examination(open_deployment(Outside(outbound, timeout=timeout)), printer.tell, accepted=accepted)
    if unknown := sorted(set(accepted) - examination.list_ids() - list_live_ids()):
        give_up(f"--accept {unknown[0]}: there is no such requirement.")
    examination.run()
    if live:
        attack(examination)
    printer.finish()
    if printer.counts_against:
        sys.exit(NOT_MET)


def _write_suite_files(folder: str, *, alias: str, as_json: bool) -> None:
    from ...client.keygen import write_key_files
    from ..doctor.deployment import Outside, open_deployment
    from ..doctor.suite_configuration import build_suite_files, find_obstacles, find_plan

    if not _ALIAS.fullmatch(alias):
        give_up("--alias is made of letters, digits and -, 60 at most.")
    deployment = open_deployment(Outside())
    files = build_suite_files(deployment, folder, alias=alias)
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        give_up(f"{folder} cannot be made: {error.strerror}.")
    write_key_files(files)
    if as_json:
        print_json({"plan": find_plan(deployment), "files": [str(file.path) for file in files]})
    else:
        for file in files:
            _echo(f"{file.path}: {file.meaning}")
        _echo(f"\nThe plan: {find_plan(deployment)}")
        for file in files[1:]:
            _echo(f"Register: flask oauth2 client add {file.path}")
    for obstacle in find_obstacles(deployment):
        print_note(obstacle)


class _Printer:
    """Prints rows as they come, or all of them as JSON at the end."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._rows: list[ReportRow] = []

    @property
    def counts_against(self) -> bool:
        return any(row.counts_against for row in self._rows)

    def tell(self, row: "ReportRow") -> None:
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


def _outcome(row: "ReportRow") -> tuple[str, str, Color | None]:
    return _ACCEPTED if row.finding.ok is False and row.is_accepted else _OUTCOMES[row.finding.ok]


def _lay_out(row: "ReportRow") -> list[str]:
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
