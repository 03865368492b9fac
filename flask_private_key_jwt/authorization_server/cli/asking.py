"""How a command ends, and what asks before it destroys something."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..readable_text import escape_unprintable
from .input import give_up

DECLINED, REFUSED = 1, 2
"""The exit codes besides 0. 1: a person said no, or a check that a command is for found something; 2: the command was
used wrongly, something is not there or not acceptable, or the database did not answer. Nothing was changed."""

_Command = TypeVar("_Command", bound=Callable[..., Any])


def yes_option(command: _Command) -> _Command:
    """The option ``--yes``, of everything that destroys; the function gets it as ``yes``."""
    return click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")(command)


def ask_first(question: str, *, yes: bool) -> None:
    """Return if the person agrees. Otherwise the command ends: with 1 if they say no, with 2 if nobody is there.

    :param question: What will be lost, and "Go on?".
    :param yes: Whether they agreed before, with ``--yes``.
    """
    if yes:
        return
    if not has_terminal():
        give_up("This asks before it destroys anything, and there is no terminal to answer at. To go on, give --yes.")
    if not click.confirm(escape_unprintable(question), err=True):
        click.echo("Nothing was changed.", err=True)
        sys.exit(DECLINED)


def has_terminal() -> bool:
    """Whether a person can answer."""
    return sys.stdin is not None and sys.stdin.isatty()  # None: a parent process has closed it
