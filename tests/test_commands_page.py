"""docs/commands.md is what click says: every command with its options, how commands end, and an example that works."""

import json
import re
import shlex

import pytest

from flask_private_key_jwt.authorization_server.cli import asking, oauth2_group
from flask_private_key_jwt.client import generate_key
from tests.authorization_server.registration.test_authlib_table import fill, make_client
from tools import commands

PAGE = commands.FILE.read_text(encoding="utf-8")
COMMANDS = dict(commands.find_commands(oauth2_group))


def section_of(path):
    return PAGE.partition(f"### `flask oauth2 {path}`\n")[2].partition("\n##")[0]


def test_the_page_is_what_the_commands_say():
    assert commands.build() == PAGE, "docs/commands.md is not what the commands say: run `make api`"


@pytest.mark.parametrize("path", COMMANDS)
def test_section_has_the_options_and_arguments_that_click_has(path):
    section, options = section_of(path), []
    for parameter in COMMANDS[path].params:
        if parameter.param_type_name == "option":
            options += [*parameter.opts, *parameter.secondary_opts]
        else:
            name = parameter.metavar or parameter.name.upper()
            assert name in section.partition("```sh\n")[2].partition("\n```")[0]
    listed = re.findall(r"^- `([^`]+)`", section, flags=re.MULTILINE)

    assert sorted(word for names in listed for word in re.findall(r"--[a-z-]+", names)) == sorted(options)


def test_command_without_an_example_stops_the_program(monkeypatch):
    monkeypatch.delitem(commands.EXAMPLES, "purge")

    with pytest.raises(SystemExit, match=r"\['purge'\] are commands without an example"):
        commands.build()


def test_exit_codes_of_the_page_are_those_of_the_commands():
    listed = [int(number) for number in re.findall(r"^\| (\d+) \|", PAGE, flags=re.MULTILINE)]

    assert listed == [0, asking.DECLINED, asking.REFUSED]


# --- the examples ---------------------------------------------------------------------------------------------
@pytest.fixture
def settings():
    return {
        "OAUTH2_CLIENT_SECRETS_UNTIL": "2027-03-31",
        "OAUTH2_REGISTRATION": "token",
        "OAUTH2_SECRETS": ["a secret for tests only, long enough for it"],
    }


@pytest.fixture
def run(app):
    return lambda *words: app.test_cli_runner().invoke(args=["oauth2", *words])


@pytest.fixture
def names(app, server, register, run, client_key, build_assertion, tmp_path, monkeypatch):
    """Everything that the examples name is there; what is called otherwise than on the page."""
    monkeypatch.chdir(tmp_path)
    other, next_key = generate_key("ES256"), generate_key("ES256")
    jwks = {"keys": [client_key.public_jwk(), other.public_jwk()]}
    (tmp_path / "billing.json").write_text(json.dumps({"client_name": "Billing", "jwks": jwks}))
    (tmp_path / "billing-2027.jwks.json").write_text(json.dumps({"keys": [next_key.public_jwk()]}))
    (tmp_path / "assertion.jwt").write_text(build_assertion(iss="billing", sub="billing"))
    register(client_id="remote", jwks_uri="https://remote.example/jwks.json")
    register(client_id="billing", jwks=jwks, scope="invoices.read invoices.write")
    with app.app_context():
        fill(server[2].engine, make_client("partner"))
    run("client", "secret", "give", "billing")
    run("registration-token", "create")
    return {
        "x39IPKeGJ1x9VIXYjoiYBTXvS6HjDMw2xTMdOsUG-wU": other.public.thumbprint,
        "0vEw9Uh2mJ3ZrS4kX1tQdA": json.loads(run("key", "list", "--json").stdout)[0]["kid"],
        "6f1c02aa": json.loads(run("client", "secrets", "--json").stdout)[0]["name"],
        "4f1d6a0c9b2e": json.loads(run("registration-token", "list", "--json").stdout)[0]["id"],
    }


@pytest.mark.parametrize("path", COMMANDS)
def test_example_works(path, run, names):
    example = commands.EXAMPLES[path]
    assert f"\n    {example}\n" in PAGE
    program, group, *words = shlex.split(re.sub(r"^export \w+=\$\((.*)\)$", r"\1", example))
    assert (program, group) == ("flask", "oauth2")
    if path == "client add":
        run("client", "remove", "billing", "--yes")

    outcome = run(*(names.get(word, word) for word in words))

    assert outcome.exit_code == 0, outcome.stderr


def test_example_with_a_misspelt_option_would_be_noticed(run):
    outcome = run("client", "list", "--unusedfor", "90d")

    assert outcome.exit_code == 2
    assert "No such option" in outcome.stderr
