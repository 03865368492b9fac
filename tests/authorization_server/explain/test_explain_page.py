"""docs/explain.md: its commands, run as they stand there, print what stands there."""

import re
import shlex

import pytest

from flask_private_key_jwt.signals.refusal import KEEPER_KEY
from tests.checkout import CHECKOUT
from tests.conftest import CLIENT_ID, START

PAGE = CHECKOUT / "docs" / "explain.md"
SESSION = re.compile(r"^```console\n\$ (flask oauth2 explain [^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REFERENCE = "9f1c2d3e4a5b6c7d"


@pytest.fixture
def settings():
    return {"OAUTH2_REFUSALS_KEPT_SECONDS": 7 * 86400}


@pytest.fixture
def run(app, register, keys, build_assertion, build_dpop, post_as, monkeypatch, tmp_path):
    """Run a command of the page, with the files that it names."""
    old, new = keys("ES256", "console-2026"), keys("ES256", "console-2027")
    jwks = {"keys": [old.public_jwk(kid="console-2026"), new.public_jwk(kid="console-2027")]}
    register(client_id=CLIENT_ID, jwks=jwks, scope="read")
    late = build_assertion(key=old, header={"kid": "console-2026"}, iat=START - 155, exp=START - 95)
    files = {
        "assertion.jwt": build_assertion(key=old, header={"kid": "console-2027"}),
        "late.jwt": late,
        "proof.jwt": build_dpop(htm="GET", htu="http://api.example/values"),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("flask_private_key_jwt.signals.refusal.secrets.token_hex", lambda size: REFERENCE)
    post_as(CLIENT_ID, "/oauth2/token", assertion=late, grant_type="client_credentials")
    app.extensions[KEEPER_KEY].flush()

    def run(command):
        outcome = app.test_cli_runner().invoke(args=shlex.split(command)[1:])
        assert outcome.exit_code in (0, 1), outcome.stderr
        return outcome.stdout

    return run


@pytest.mark.parametrize(("command", "output"), SESSION.findall(PAGE.read_text(encoding="utf-8")))
def test_command_of_the_page_prints_what_stands_there(command, output, run):
    assert run(command) == output


def test_page_has_its_commands():
    assert len(SESSION.findall(PAGE.read_text(encoding="utf-8"))) == 4


@pytest.mark.parametrize("words", [["-"], [REFERENCE]])
def test_page_names_every_member_of_the_json(words, run, app, build_assertion):
    outcome = app.test_cli_runner().invoke(args=["oauth2", "explain", "--json", *words], input=build_assertion())
    table = PAGE.read_text(encoding="utf-8").partition("| member | is |")[2]

    members = re.findall(r'^  "(\w+)":', outcome.stdout, re.MULTILINE)

    assert members
    assert [name for name in members if f"`{name}`" not in table] == []
