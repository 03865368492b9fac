"""The program ``private-key-jwt``: its commands, and how each of them ends."""

import json
import os
import sys
from importlib import import_module
from typing import Any, NoReturn

import click
import requests

from ..._version import __version__
from ...errors import ConfigurationError
from ...fetching.discovery import DiscoveryError
from ..errors import EndpointError, SignInError, SignInRequired
from .output import JSON, make_printable, wants_json

REFUSED, MISUSED, NO_ANSWER, SIGN_IN, INTERRUPTED = 1, 2, 3, 4, 130
"""The exit codes, besides 0 for success."""

COMMANDS = {
    "keygen": "keygen",
    "token": "token",
    "get": "get",
    "login": "login",
    "logout": "login",
    "introspect": "introspect",
    "decode": "decode",
}
"""Command -> the module that has it as ``COMMAND_command``; it is imported when it is needed."""


class ClientCommand(click.Command):
    """A command that has ``--json``, and turns errors into one sentence and an exit code."""

    def __init__(self, *arguments: Any, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.params.append(
            click.Option(
                ["--json"],
                is_flag=True,
                expose_value=False,
                callback=lambda context, _, value: context.meta.update({JSON: value}),
                is_eager=True,
                help="Write the result, and an error too, as JSON.",
            )
        )

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(context)
        except ConfigurationError as error:
            give_up(str(error), MISUSED)
        except (SignInRequired, SignInError) as error:
            give_up(str(error), SIGN_IN, **_said(error))
        except EndpointError as error:
            give_up(str(error), NO_ANSWER if error.status is None else REFUSED, **_said(error))
        except DiscoveryError as error:
            give_up(str(error), NO_ANSWER, reference=error.reference)
        except requests.RequestException as error:
            give_up(explain_failure(error), NO_ANSWER)


def give_up(message: str, code: int, **members: Any) -> NoReturn:
    """End with one sentence on standard error, or with ``--json`` as JSON on standard output."""
    if wants_json():
        known = {name: value for name, value in members.items() if value is not None}
        click.echo(json.dumps({"failed": True, "message": message, "exit_code": code, **known}, indent=2))
    else:
        command = click.get_current_context().info_name
        click.secho(f"{command}: {make_printable(message)}", err=True, fg="red")
    sys.exit(code)


def explain_failure(error: requests.RequestException) -> str:
    """Why a call to an API got no answer; the exceptions of requests show their insides."""
    if isinstance(error, requests.Timeout):
        return "The API did not answer in time: --timeout allows more."
    if isinstance(error, requests.ConnectionError):
        return "The API cannot be reached: is the URL right, and the server running?"
    return str(error)[:300]


def _said(error: EndpointError) -> dict[str, Any]:
    members = {name: getattr(error, name) for name in ("error", "description", "status", "reference")}
    return {**members, "cause": error.cause} if isinstance(error, SignInError) else members


class Program(click.Group):
    """Imports the module of a command when the command is used."""

    def list_commands(self, context: click.Context) -> list[str]:
        """The names, in the order of the documentation."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of that name."""
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f".{COMMANDS[name]}", __package__), f"{name}_command")
        return command


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="private-key-jwt")
def private_key_jwt() -> None:
    """Try an OAuth server and its APIs by hand, as a client without a secret.

    Exit codes: 0 success; 1 a server refused, or the token is not active; 2 the command is used wrongly; 3 a server did
    not answer; 4 a person has to sign in; 130 Ctrl-C.
    """


def main() -> NoReturn:
    """Run the program ``private-key-jwt``; it ends with one of the exit codes."""
    try:
        code = private_key_jwt.main(prog_name="private-key-jwt", standalone_mode=False)
    except click.ClickException as error:
        if "--json" in sys.argv:
            click.echo(json.dumps({"failed": True, "message": error.format_message(), "exit_code": MISUSED}, indent=2))
        else:
            error.show()
        sys.exit(MISUSED)
    except (click.Abort, KeyboardInterrupt):
        click.echo(err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(REFUSED)
    sys.exit(code if isinstance(code, int) else 0)
