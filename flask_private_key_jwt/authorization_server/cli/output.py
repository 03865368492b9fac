"""What commands print: tables for people, JSON for programs, and notes beside both on standard error."""

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import click

from ..readable_text import escape_unprintable

Color = Literal["green", "yellow", "red", "cyan"]
_Command = TypeVar("_Command", bound=Callable[..., Any])
_GAP = "  "


@dataclass(frozen=True, slots=True)
class Cell:
    """A field of a table that has a color: green is well, yellow wants attention, red does not work."""

    text: str
    color: Color | None = None


def json_option(help_text: str) -> Callable[[_Command], _Command]:
    """The option ``--json``, which every command has; the function gets it as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help=help_text)


def lines_option(command: _Command) -> _Command:
    """The option ``--lines``, for commands that printed lines without a header before they printed tables."""
    return click.option("--lines", "as_lines", is_flag=True, help="Print a line each, without a header.")(command)


def print_json(value: object) -> None:
    """Print *value* as JSON, in ASCII: it may hold what strangers wrote, and a terminal obeys some characters."""
    click.echo(json.dumps(value, indent=2))


def print_line(line: str) -> None:
    """Print a line of the result, made safe for a terminal."""
    click.echo(escape_unprintable(line))


def print_note(sentence: str) -> None:
    """Print what a person should know besides the result, on standard error."""
    click.echo(f"Note: {escape_unprintable(sentence)}", err=True)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str | Cell]]) -> None:
    """Print *rows* below *headers*, all columns as wide as their widest field; a note if there are no rows.

    Whatever a terminal would obey is escaped. Colors appear at a terminal only, and not if ``NO_COLOR`` is set.
    """
    table = [[_safe(field) for field in row] for row in rows]
    if not table:
        print_note("there is nothing to list.")
        return
    head = [Cell(name, "cyan") for name in headers]
    widths = [max(_width(row[number].text) for row in (head, *table)) for number in range(len(headers))]
    for row in (head, *table):
        padded = (_paint(cell, width) for cell, width in zip(row, widths, strict=True))
        click.echo(_GAP.join(padded).rstrip(), color=wants_colors())


def wants_colors() -> bool:
    """Whether standard output is a terminal for colors, and the person wants them (https://no-color.org)."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()  # None: a parent process has closed it
    return is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def show_moment(seconds: int | None, *, absent: str = "-") -> str:
    """A moment for people, in UTC.

    :param seconds: Since the epoch.
    :param absent: What stands for ``None``.
    """
    if seconds is None:
        return absent
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):  # a certificate, or a row that others wrote, may say anything
        return str(seconds)


def count(number: int, one: str, many: str | None = None) -> str:
    """A number and its noun, as in ``1 client`` and ``2 clients``."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def _safe(field: str | Cell) -> Cell:
    cell = Cell(field) if isinstance(field, str) else field
    return Cell(escape_unprintable(cell.text) or "-", cell.color)


def _width(text: str) -> int:
    """How many places *text* takes in a terminal: Chinese characters take two, combining marks none."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def _paint(cell: Cell, width: int) -> str:
    padding = " " * (width - _width(cell.text))
    return (click.style(cell.text, fg=cell.color) if cell.color else cell.text) + padding
