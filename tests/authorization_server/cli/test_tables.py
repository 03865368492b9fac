"""What all commands print alike: tables for people, with colors where they are wanted; JSON for programs everywhere."""

import io
import json
import sys

import click
import pytest

from flask_private_key_jwt.authorization_server.cli import oauth2_group, output

ESCAPE = "\x1b[2J"


def leaves(group, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(leaves(oauth2_group))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def show(monkeypatch):
    """What a table looks like at a terminal, with these variables of the environment."""

    def show(*table, **environment):
        with monkeypatch.context() as patch:
            patch.delenv("NO_COLOR", raising=False)
            for name, value in {"TERM": "xterm", **environment}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdout", Terminal())
            output.print_table(*table)
            return sys.stdout.getvalue()

    return show


def test_columns_are_as_wide_as_their_widest_field(capsys):
    output.print_table(("ID", "NAME"), [("a", "short"), ("longer", ""), ("b", "更新")])

    assert capsys.readouterr().out == "ID      NAME\na       short\nlonger  -\nb       更新\n"


def test_wide_characters_and_marks_take_their_places(capsys):
    output.print_table(("NAME", "X"), [("更新", "1"), ("e\u0301", "2"), ("abcd", "3")])

    assert capsys.readouterr().out == "NAME  X\n更新  1\ne\u0301     2\nabcd  3\n"


def test_table_without_rows_is_a_note_beside_the_result(capsys):
    output.print_table(("ID",), [])

    assert capsys.readouterr() == ("", "Note: there is nothing to list.\n")


def test_what_a_terminal_would_obey_is_escaped(capsys):
    output.print_table(("ID",), [(output.Cell(f"a{ESCAPE}\n", "red"),)])

    assert capsys.readouterr().out == "ID\na\\x1b[2J\\n\n"


STATES = ("ID", "STATE"), [("a", output.Cell("on", "green"))]
COLORED = "\x1b[36mID\x1b[0m  \x1b[36mSTATE\x1b[0m\na   \x1b[32mon\x1b[0m\n"


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": ""}], ids=["nothing said", "an empty NO_COLOR"])
def test_terminal_gets_colors(environment, show):
    """An empty ``NO_COLOR`` says nothing: https://no-color.org."""
    assert show(*STATES, **environment) == COLORED


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_terminal_gets_no_colors_where_they_are_not_wanted(environment, show):
    assert show(*STATES, **environment) == "ID  STATE\na   on\n"


def test_pipe_gets_no_colors(capsys):
    output.print_table(*STATES)

    assert capsys.readouterr().out == "ID  STATE\na   on\n"


def test_moment_that_no_calendar_has_is_shown_as_a_number():
    assert output.show_moment(1 << 60) == str(1 << 60)
    assert output.show_moment(None, absent="never") == "never"


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_prints_json(path):
    assert any("--json" in option.opts for option in COMMANDS[path].params)


@pytest.mark.parametrize(
    ("words", "members"),
    [
        ("secret", {"secret"}),
        ("purge", {"deleted"}),
        ("key rotate --dry-run", {"alg", "signs_from", "changed"}),
        ("key rotate", {"kid", "alg", "signs_from", "changed"}),
        ("key reencrypt", {"keys", "secrets_that_need_an_older_one"}),
        ("revoke --jti x --yes", {"jti"}),
        ("revoke --client console --yes", {"subject", "client_id", "grants"}),
        ("grants revoke --subject alice --yes", {"subject", "client_id", "grants"}),
    ],
)
def test_json_stands_alone_on_standard_output(words, members, app, client):
    outcome = app.test_cli_runner().invoke(args=["oauth2", *words.split(), "--json"])

    assert (outcome.exit_code, outcome.stderr) == (0, "")
    assert json.loads(outcome.stdout).keys() == members


def test_retired_key_is_told_as_json(app, client):
    run = app.test_cli_runner().invoke
    (key,) = json.loads(run(args=["oauth2", "key", "list", "--json"]).stdout)

    outcome = run(args=["oauth2", "key", "retire", key["kid"], "--yes", "--json"])

    told = json.loads(outcome.stdout)
    assert (told["kid"], told["state"]) == (key["kid"], "retired")


def test_keys_are_a_table_and_can_be_filtered(app, client):
    run = app.test_cli_runner().invoke
    run(args=["oauth2", "key", "list"])
    run(args=["oauth2", "key", "rotate"])

    head, *rows = run(args=["oauth2", "key", "list"]).stdout.splitlines()
    assert head.split() == ["KID", "ALGORITHM", "STATE", "MADE", "SIGNS", "FROM", "PUBLISHED", "UNTIL"]
    assert sorted(row.split()[2] for row in rows) == ["announced", "signs"]
    _, only = run(args=["oauth2", "key", "list", "--state", "signs"]).stdout.splitlines()
    assert only.split()[2] == "signs"
    lines = run(args=["oauth2", "key", "list", "--lines"]).stdout.splitlines()
    assert sorted(line.split("  ")[2] for line in lines) == ["announced", "signs"]


@pytest.mark.parametrize("settings", [{"OAUTH2_REGISTRATION": "token"}])
def test_registration_tokens_are_a_table_and_can_be_filtered(app, client, clock):
    run = app.test_cli_runner().invoke
    run(args=["oauth2", "registration-token", "create", "--expires-in", "1m"])
    run(args=["oauth2", "registration-token", "create", "--label", "for Bob"])
    clock.move(60)

    head, *rows = run(args=["oauth2", "registration-token", "list"]).stdout.splitlines()
    assert head.split() == ["ID", "STATE", "USES", "LEFT", "UNTIL", "CLIENT_ID", "LABEL"]
    assert len(rows) == 2
    _, only = run(args=["oauth2", "registration-token", "list", "--usable"]).stdout.splitlines()
    assert only.endswith("usable  1          2027-01-22 08:00 UTC  is made    for Bob")
