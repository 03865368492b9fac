"""Reads the secrets of an app when it starts. Only set-up commands may run without any."""

import sys
from collections.abc import Mapping
from typing import Any

import click

from ..errors import ConfigurationError
from ..jose.derived import Secrets, read_secrets
from ..settings.server import ServerSettings


def read_app_secrets(settings: ServerSettings, config: Mapping[str, Any]) -> Secrets:
    """The app's secrets; empty if there are none and a set-up command is running.

    :raises ConfigurationError: They are missing or too short.
    """
    try:
        return read_secrets(settings, config)
    except ConfigurationError:
        if not _is_setup_command():
            raise
        return Secrets(())


def _is_setup_command() -> bool:
    """Whether this is ``flask db …``, ``flask oauth2 secret`` or ``--help``: they need the app, but no secret."""
    context = click.get_current_context(silent=True)
    if context is None:
        return False
    root = context.find_root()
    try:
        # The app adds these commands itself, so click does not know yet, while the app is being made, which one runs.
        _, words, _ = root.command.make_parser(root).parse_args(sys.argv[1:])
    except click.UsageError:
        return False
    return not words or words[0] == "db" or words[:2] == ["oauth2", "secret"] or "--help" in words
