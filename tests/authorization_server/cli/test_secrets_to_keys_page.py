"""docs/secrets-to-keys.md: its commands, as they stand there and in their order, on a real table of Authlib's."""

import re
import shlex

import pytest

from flask_private_key_jwt.authorization_server.cli import asking
from flask_private_key_jwt.client.__main__ import main
from flask_private_key_jwt.jose import jose
from tests.authorization_server.client_auth.conftest import basic
from tests.authorization_server.registration.test_authlib_table import LONG, fill, make_client
from tests.checkout import CHECKOUT

PAGE = (CHECKOUT / "docs" / "secrets-to-keys.md").read_text(encoding="utf-8")
LEDGER = "a secret for the ledger that is long enough"


def commands_of(heading):
    """The commands of a section, in their order."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^    ((?:flask|python) .+)$", section, flags=re.MULTILINE)


@pytest.fixture
def settings():
    """As the page sets it."""
    found = re.search(r'^    (OAUTH2_\w+) = "(.+)"$', PAGE, flags=re.MULTILINE)
    assert found is not None
    return {found[1]: found[2]}


@pytest.fixture
def run(app, tmp_path, monkeypatch, capsys):
    """Run a command of the page; what asks is answered, as at a terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(asking, "has_terminal", lambda: True)
    (tmp_path / "ledger.json").write_text(
        '{"client_id": "ledger", "token_endpoint_auth_method": "client_secret_post", "scope": "read"}'
    )

    def run(command):
        program, *words = shlex.split(command)
        if program == "python":
            assert words[:2] == ["-m", "flask_private_key_jwt.client"]
            assert main(words[2:]) == 0
            return capsys.readouterr().out
        outcome = app.test_cli_runner().invoke(args=words, input=LEDGER if words[-1] == "-" else "y\n")
        assert outcome.exit_code == 0, outcome.output + outcome.stderr
        return outcome.stdout

    return run


@pytest.fixture
def show(app):
    """The status of a token request with a secret."""

    def show(client_id, secret=LONG, *, by):
        form = {"grant_type": "client_credentials"}
        headers = basic(client_id, secret) if by == "basic" else {}
        named = {} if by == "basic" else {"client_id": client_id, "client_secret": secret}
        return app.test_client().post("/oauth2/token", data={**form, **named}, headers=headers).status_code

    return show


def test_page_leads_from_secrets_to_keys(app, server, run, show, post_as, build_assertion, tmp_path):
    with app.app_context():
        fill(
            server[2].engine,
            make_client("billing", token_endpoint_auth_method="client_secret_post"),
            make_client("reports"),
        )

    for command in commands_of("2. Take the clients over"):
        run(command)
    assert show("billing", by="post") == show("reports", by="basic") == show("ledger", LEDGER, by="post") == 200

    for command in commands_of("3. Let each client get a key"):
        run(command)
    key = jose.import_private_key((tmp_path / "billing-2027.pem").read_bytes())
    assertion = build_assertion(key=key, iss="billing", sub="billing")
    asked = {"grant_type": "client_credentials"}
    assert post_as("billing", "/oauth2/token", assertion=assertion, **asked).status_code == 200
    assert show("billing", by="post") == 200

    (listing,) = commands_of("4. See who still uses a secret")
    lines = run(listing).splitlines()
    shown = re.findall(r"^    (\w+  client_secret_.+)$", PAGE, flags=re.MULTILINE)
    for name in ("billing", "reports"):
        assert [shape(line) for line in lines if line.startswith(name)] == [
            shape(line) for line in shown if line.startswith(name)
        ]

    for command in commands_of("5. Take the secrets away"):
        run(command)
    assert (show("billing", by="post"), show("reports", by="basic")) == (400, 200)

    for command in commands_of("While secrets are in use"):
        run(command)
    assert show("reports", by="basic") == 401


def shape(line):
    """A line of the list without its times and names, and with columns of any width."""
    line = re.sub(r"  [0-9a-f]{8}  ", "  NAME  ", re.sub(r" {2,}", "  ", line))
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "TIME", line)
