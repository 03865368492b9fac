"""What a command writes: its result on standard output, as text or as JSON; everything else on standard error."""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import click

JSON = "flask_private_key_jwt.json"
"""Where the context of a command keeps whether ``--json`` was given."""
PATIENCE_SECONDS = 0.5
"""How long a wait may be before it is shown."""


def wants_json() -> bool:
    """Whether ``--json`` was given."""
    return bool(click.get_current_context().meta.get(JSON))


def show(members: Mapping[str, Any], lines: Iterable[str]) -> None:
    """Write the result of a command: *members* with ``--json``, *lines* without."""
    if wants_json():
        click.echo(json.dumps(members, indent=2))
    else:
        for line in lines:
            click.echo(make_printable(line))


def note(line: str) -> None:
    """Write what is not the result, for the person at the terminal."""
    _clear_line()
    click.echo(make_printable(line), err=True)


def warn(line: str) -> None:
    """Write what the person should not miss."""
    _clear_line()
    click.secho(f"Warning: {make_printable(line)}", err=True, fg="yellow")


def quote(text: str) -> str:
    """Foreign text for a line of ours, which it must not end."""
    return text if text.isprintable() else json.dumps(text)


def _clear_line() -> None:
    """Take away what :func:`waiting` shows."""
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", err=True, nl=False)


def make_printable(text: str) -> str:
    """*text* without what moves a terminal's cursor or changes its colors: servers and JWTs may hold anything."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


@contextmanager
def waiting(what: str, *, seconds: float | None = None) -> Iterator[None]:
    """Show that the command waits, and for how long already: at a terminal only, on a line that is taken away again.

    :param what: What it waits for.
    :param seconds: How long it may take; then the time that is left is shown.
    """
    if not sys.stderr.isatty():
        yield
        return
    done, begun = Event(), time.monotonic()

    def tick() -> None:
        pause = PATIENCE_SECONDS
        while not done.wait(pause):
            passed = time.monotonic() - begun
            shown = f"{passed:.0f} s" if seconds is None else f"{max(0.0, seconds - passed):.0f} s left"
            click.echo(f"\r\x1b[K{what} … {shown}", err=True, nl=False)
            pause = 1.0
        _clear_line()

    thread = Thread(target=tick, name="oauth2-waiting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
