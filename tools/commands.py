"""Write ``docs/commands.md`` from the commands of ``flask oauth2``: ``make api``. A test holds it against click."""

import inspect
from collections.abc import Callable, Iterator, Mapping

import click

from .docstrings import CHECKOUT, code, to_markdown, wrap

FILE = CHECKOUT / "docs" / "commands.md"

INTRODUCTION = """# The commands of an operator

<!-- all: tested: tests/test_commands_page.py::test_example_works -->

`flask oauth2 …` works on the app that `FLASK_APP` or `--app` names, with its settings and its database, also while the
server runs. Every change counts from the next request on, on every worker. `flask oauth2 COMMAND --help` lists the
options. The commands of a client's side are on [another page](command-line-client.md).

## What they print

Lists are tables with a header, for people: colored at a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`. Moments
are in UTC. What a terminal would obey, in a name that somebody else chose, is escaped (`\\x1b`).

Every command has `--json`, for programs: JSON on standard output and nothing else, with moments in seconds since the
epoch. Members may be added in later versions; those that are there stay. `client list`, `client secrets`, `key list`
and `registration-token list` also have `--lines`: a line for each entry, without a header.

Notes and questions are on standard error. So are failures: one sentence after `Error:`, also with `--json`.

## How they end

| exit code | |
|---|---|
| 0 | it is done |
| 1 | a person said no, or pressed Ctrl-C: nothing was changed; or a command that checks something found something |
| 2 | wrong use, something is not there or not acceptable, the database did not answer, or `--yes` is missing |

After 2 nothing was changed, with one exception: if the database fails while `purge`, `revoke`, `grants revoke` or
`client from-authlib` is at work, what was done until then stays. Run the command again.

## What asks first

What cannot be undone asks: to remove a client, to take a key or a secret from it, to retire a key of the server, to
revoke. The question says what is lost. `--yes` answers it in advance. Without a terminal nobody can be asked, so the
command ends with 2 and changes nothing unless `--yes` is there. What can be undone does not ask: `client disable`, for
example. `purge` does not ask either: it deletes only what has ended.

The page is made from the commands: change those, or `tools/commands.py`, and run `make api`."""

EXAMPLES = {
    "audit": "flask oauth2 audit --client billing --since 30d",
    "client add": "flask oauth2 client add billing.json --client-id billing --scope invoices.read --owner finance",
    "client add-key": "flask oauth2 client add-key billing billing-2027.jwks.json",
    "client disable": "flask oauth2 client disable billing",
    "client from-authlib": "flask oauth2 client from-authlib authlib_client --until 2027-03-01 --dry-run",
    "client keys": "flask oauth2 client keys billing",
    "client list": "flask oauth2 client list --unused-for 90d",
    "client refetch": "flask oauth2 client refetch remote",
    "client remove": "flask oauth2 client remove billing --yes",
    "client retire-key": "flask oauth2 client retire-key billing x39IPKeGJ1x9VIXYjoiYBTXvS6HjDMw2xTMdOsUG-wU --yes",
    "client secret end": "flask oauth2 client secret end billing 2027-02-01",
    "client secret give": "flask oauth2 client secret give billing --until 2027-02-01",
    "client secret remove": "flask oauth2 client secret remove billing 6f1c02aa --yes",
    "client secret replace": "flask oauth2 client secret replace billing --overlap 3d",
    "client secrets": "flask oauth2 client secrets --accepted",
    "client show": "flask oauth2 client show billing",
    "client update": 'flask oauth2 client update billing --scope "invoices.read invoices.write" --dpop',
    "client vouch": "flask oauth2 client vouch billing",
    "doctor": "flask oauth2 doctor --oidf conformance --alias my-server",
    "explain": "flask oauth2 explain assertion.jwt",
    "grants list": "flask oauth2 grants list --subject alice",
    "grants revoke": "flask oauth2 grants revoke --subject alice --client billing --yes",
    "key list": "flask oauth2 key list",
    "key reencrypt": "flask oauth2 key reencrypt",
    "key retire": "flask oauth2 key retire 0vEw9Uh2mJ3ZrS4kX1tQdA --yes",
    "key rotate": "flask oauth2 key rotate --now --dry-run",
    "purge": "flask oauth2 purge --batch 1000",
    "purge-audit": "flask oauth2 purge-audit --older-than 730d --yes",
    "registration-token create": 'flask oauth2 registration-token create --label "ACME, billing" --expires-in 3d',
    "registration-token list": "flask oauth2 registration-token list --usable",
    "registration-token reissue": "flask oauth2 registration-token reissue billing",
    "registration-token revoke": "flask oauth2 registration-token revoke 4f1d6a0c9b2e --yes",
    "revoke": "flask oauth2 revoke --client billing --yes",
    "secret": "export FLASK_SECRET_KEY=$(flask oauth2 secret)",
}
"""Command -> one use of it. A test runs each of them."""


def build() -> str:
    """The page.

    :raises SystemExit: A command has no example, or an example no command.
    """
    from flask_private_key_jwt.authorization_server.cli import oauth2_group

    found = {path for path, _ in find_commands(oauth2_group)}
    if different := sorted(found ^ EXAMPLES.keys()):
        raise SystemExit(f"{different} are commands without an example in tools/commands.py, or examples without one.")
    parts = [INTRODUCTION, *describe_group(oauth2_group, "flask oauth2", level=2, examples=EXAMPLES)]
    return "\n\n".join(part for part in parts if part) + "\n"


def find_commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command below *group*, with its words."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from find_commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


def describe_group(
    group: click.Group,
    path: str,
    *,
    level: int = 3,
    link: Callable[[str], str] = lambda name: f"`{name}`",
    examples: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """The paragraphs about a group, its commands, and the groups in it.

    :param path: The words before the name of a command.
    :param level: Of the group's heading; those of its commands are one deeper.
    :param link: Makes Markdown of a name in a docstring.
    :param examples: One use of each command, by its words after the first two of *path*.
    """
    context = click.Context(group)
    yield f"{'#' * level} `{path}`"
    yield to_markdown(inspect.cleandoc(group.help or ""), link)
    found = [(f"{path} {name}", group.get_command(context, name)) for name in group.list_commands(context)]
    commands = [(full, command) for full, command in found if command is not None]
    for full, command in commands:
        if not isinstance(command, click.Group):
            yield f"{'#' * (level + 1)} `{full}`"
            arguments = [_argument(found) for found in command.params if isinstance(found, click.Argument)]
            yield code(" ".join([full, *arguments]), "sh")
            yield to_markdown(inspect.cleandoc(command.help or ""), link)
            yield "\n".join(_option(found) for found in command.params if isinstance(found, click.Option))
            if examples:
                yield f"For example:\n\n    {examples[full.removeprefix('flask oauth2 ')]}"
    for full, command in commands:
        if isinstance(command, click.Group):
            yield from describe_group(command, full, level=level, link=link, examples=examples)


# Written by hand, because click's own output differs between its versions.
def _argument(argument: click.Argument) -> str:
    name = argument.metavar or (argument.name or "").upper()
    return name if argument.required else f"[{name}]"


def _option(option: click.Option) -> str:
    names = " / ".join([*option.opts, *option.secondary_opts])
    limits = option.type if isinstance(option.type, click.IntRange) else None
    choices = "|".join(option.type.choices) if isinstance(option.type, click.Choice) else ""
    given = "" if option.is_flag else f" {option.metavar or choices or ('N' if limits else 'TEXT')}"
    said = " ".join((option.help or "").split())
    if option.show_default:
        said += f" Default: {option.default}."
    return wrap(f"- `{names}{given}`: {said}" + (f" {limits.min} to {limits.max}." if limits else ""), "  ")
