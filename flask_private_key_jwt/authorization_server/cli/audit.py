"""``flask oauth2 audit``: read and verify the audit trail; ``flask oauth2 purge-audit``: shorten it."""

import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click
from flask.cli import with_appcontext

from ... import clock
from ..readable_text import escape_unprintable
from ..state import State, current_state
from ..stores.sql.audit import AuditEntry, ChainCheck, ChainEnd
from .asking import ask_first, yes_option
from .input import readable_errors
from .output import json_option, print_json

_UNITS = {"m": 60, "h": 3600, "d": 86400}


class Moment(click.ParamType[int]):
    """A date, a time in UTC, or how long ago: ``2027-01-31``, ``2027-01-31T12:00:00``, ``30d``, ``12h``, ``5m``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The moment, in seconds since the epoch."""
        if match := re.fullmatch(r"(\d{1,9})([mhd])", value):
            return clock.now() - int(match[1]) * _UNITS[match[2]]
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail("write it as 2027-01-31, 2027-01-31T12:00:00 or 30d", param, ctx)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


class KeptEnd(click.ParamType[ChainEnd]):
    """What ``--head`` printed: ``NUMBER:MAC``."""

    name = "head"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> ChainEnd:
        """The end of the chain at that time."""
        if not (match := re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", value)):
            self.fail("it is not what --head prints", param, ctx)
        return ChainEnd(int(match[1]), bytes.fromhex(match[2]))


@click.command()
@click.option("--client", "client_id", help="Only what is about this client.")
@click.option("--subject", help="Only what is about this person.")
@click.option("--since", type=Moment(), help="Only what was recorded since then: 2027-01-31 (UTC), or 30d, 12h, 5m.")
@json_option("Print one JSON object for each row.")
@click.option("--head", is_flag=True, help="Print only the end of the chain, to keep elsewhere.")
@click.option("--against", type=KeptEnd(), help="An end that --head printed earlier: the trail must still contain it.")
@with_appcontext
def audit(
    client_id: str | None, subject: str | None, since: int | None, as_json: bool, head: bool, against: ChainEnd | None
) -> None:
    """Print the audit trail, and verify all of it, whatever is printed.

    Exit code 0: it is whole. 1: a row is missing or was altered; standard error says which.
    """
    state = current_state()

    def is_wanted(entry: AuditEntry) -> bool:
        return (
            not head
            and client_id in (None, entry.client_id)
            and subject in (None, entry.subject)
            and (since is None or entry.recorded_at >= since)
        )

    with readable_errors():
        check = _verify(state, against, show=lambda entry: _show(entry, as_json) if is_wanted(entry) else None)
    for problem in check.problems:
        click.echo(f"Error: {problem}", err=True)
    if state.settings.AUDIT == "off":
        click.echo("Note: OAUTH2_AUDIT is off, so nothing is added.", err=True)
    if check.problems:
        sys.exit(1)
    if head:
        click.echo(str(check.end))


@click.command("purge-audit")
@click.option("--older-than", required=True, type=Moment(), help="Up to when: 2027-01-31 (UTC), or 365d.")
@yes_option
@json_option("Print how many were deleted as JSON.")
@with_appcontext
def purge_audit(older_than: int, yes: bool, as_json: bool) -> None:
    """Delete the rows at the beginning of the audit trail that are older than a time; the trail says so itself."""
    ask_first("These rows of the audit trail are lost. Go on?", yes=yes)
    with readable_errors():
        removed = current_state().trail.purge(older_than=max(clock.now() - older_than, 0))
    if as_json:
        print_json({"deleted": removed})
    else:
        click.echo(f"{removed} {'row' if removed == 1 else 'rows'} deleted.")


def _verify(state: State, against: ChainEnd | None, *, show: Callable[[AuditEntry], None]) -> ChainCheck:
    check, kept_mac = ChainCheck(state.trail), None
    while True:
        before = check.end.number
        for entry in state.trail.read(after=before):
            check.take(entry)
            if against is not None and entry.number == against.number:
                kept_mac = entry.mac
            show(entry)
        end = state.trail.find_end()  # after the rows: others may have been added, and are read too
        if end.number <= check.end.number or check.end.number == before:
            break
    check.finish(end, kept=against, kept_mac=kept_mac)
    return check


def _show(entry: AuditEntry, as_json: bool) -> None:
    details = json.loads(entry.details)
    if as_json:
        row = {"number": entry.number, "time": entry.recorded_at, "event": entry.event, **details}
        click.echo(json.dumps(row))
        return
    date = datetime.fromtimestamp(entry.recorded_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    told = "  ".join(f"{name}={_write(value)}" for name, value in details.items() if value is not None)
    click.echo(f"{entry.number}  {date}  {entry.event}  {told}")


def _write(value: object) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return escape_unprintable(text)
