"""What destroys asks first: a person answers, a script says ``--yes``, and nobody destroys by accident."""

import os
import pty
import subprocess
import sys

import pytest

from flask_private_key_jwt.authorization_server.cli import asking
from tests.checkout import CHECKOUT
from tests.conftest import CLIENT_ID

REFUSAL = "Error: This asks before it destroys anything, and there is no terminal to answer at. To go on, give --yes.\n"


@pytest.fixture
def settings():
    return {"OAUTH2_CLIENT_SECRETS_UNTIL": "2027-03-31", "OAUTH2_REGISTRATION": "token"}


@pytest.fixture
def run(app, client):
    def run(*words, answer=None):
        return app.test_cli_runner().invoke(args=["oauth2", *words], input=answer)

    return run


@pytest.fixture
def terminal(monkeypatch):
    """A person is there to answer."""
    monkeypatch.setattr(asking, "has_terminal", lambda: True)


@pytest.fixture
def prepared(run):
    """The client has secrets and a registration access token, and there are a key and a registration token."""
    run("client", "secret", "give", CLIENT_ID)
    run("registration-token", "reissue", CLIENT_ID)
    kid = run("key", "list", "--lines").stdout.split()[0]
    run("registration-token", "create")
    token = run("registration-token", "list", "--lines").stdout.split()[0]
    name = run("client", "secrets", "--lines").stdout.split()[2]
    return {"KID": kid, "TOKEN": token, "NAME": name}


DESTROYERS = [
    "client remove console",
    "client retire-key console KEY",
    "client secret remove console NAME",
    "client secret remove console --all",
    "client secret replace console --at-once",
    "key retire KID",
    "registration-token revoke TOKEN",
    "registration-token reissue console",
    "revoke --client console",
    "revoke --subject alice",
    "revoke --jti x",
    "grants revoke --subject alice",
    "grants revoke --client console --subject alice",
]


def dump(server):
    """Everything in the database."""
    app, _, db = server
    with app.app_context(), db.engine.connect() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(table.select())))
            for table in db.metadata.sorted_tables
            if table.name.startswith("oauth2_")
        }


@pytest.mark.parametrize("words", DESTROYERS)
def test_without_a_terminal_nothing_is_destroyed(words, run, prepared, server):
    before = dump(server)

    outcome = run(*(prepared.get(word, word) for word in words.split()))

    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (2, "", REFUSAL)
    assert dump(server) == before


@pytest.mark.parametrize("words", DESTROYERS)
def test_person_who_says_no_destroys_nothing(words, run, prepared, server, terminal):
    before = dump(server)

    outcome = run(*(prepared.get(word, word) for word in words.split()), answer="n\n")

    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert "Go on? [y/N]: " in outcome.stderr
    assert outcome.stderr.endswith("Nothing was changed.\n")
    assert dump(server) == before


@pytest.mark.parametrize("words", [words for words in DESTROYERS if "KEY" not in words])
def test_person_who_says_yes_and_a_script_that_says_it_are_heard(words, run, prepared, terminal):
    asked = run(*(prepared.get(word, word) for word in words.split()), answer="y\n")

    assert asked.exit_code == 0, asked.stderr
    assert "Go on? [y/N]: " in asked.stderr


@pytest.mark.parametrize("words", ["client secret replace console", "registration-token reissue console"])
def test_what_destroys_nothing_does_not_ask(words, run):
    run("client", "secret", "give", CLIENT_ID)

    assert run(*words.split()).exit_code == 0


@pytest.mark.parametrize("words", ["client remove nobody", "registration-token revoke nothing"])
def test_nobody_is_asked_about_what_is_not_there(words, run, terminal):
    outcome = run(*words.split())

    assert outcome.exit_code == 2
    assert "Go on?" not in outcome.stderr


def test_question_shows_what_is_lost_and_is_safe_to_read(run, terminal):
    outcome = run("revoke", "--client", "console\x1b[2J", answer="n\n")

    assert "This revokes what client console\\x1b[2J holds: 0 grants" in outcome.stderr


def test_real_terminal_is_recognized():
    """The question appears on a pseudo-terminal, and its answer is read there."""
    program = (
        "from flask_private_key_jwt.authorization_server.cli.asking import ask_first; ask_first('Sure?', yes=False)"
    )
    codes = {}
    for answer in ("y", "n"):
        master, slave = pty.openpty()
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", program], stdin=slave, stderr=subprocess.DEVNULL, cwd=CHECKOUT
            )
            os.write(master, f"{answer}\n".encode())
            codes[answer] = process.wait(timeout=30)
        finally:
            os.close(master)
            os.close(slave)

    assert codes == {"y": 0, "n": 1}
    for redirection in ("</dev/null", "<&-"):  # cron, and a parent process that closed it
        command = ["sh", "-c", f'exec "$0" -c "$1" {redirection}', sys.executable, program]
        nobody = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, timeout=30)
        assert (nobody.returncode, nobody.stderr) == (2, REFUSAL)
