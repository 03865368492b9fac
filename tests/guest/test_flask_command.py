"""The host's own ``flask`` command, in processes of its own: migrations, and what runs without a secret."""

import os
import subprocess
import sys

import click
import flask
import pytest

from flask_private_key_jwt.errors import ConfigurationError
from tests.checkout import CHECKOUT
from tests.conftest import ISSUER, SECRET
from tests.guest import host


@pytest.fixture
def flask_command(tmp_path):
    """Run ``flask WORDS`` as the owner of the host app would, in a folder of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(CHECKOUT),
        "FLASK_APP": "tests.guest.host",
        "FLASK_OAUTH2_ISSUER": ISSUER,
        "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path}/host.sqlite",
    }

    def run(*words, secret=None, text=None):
        return subprocess.run(
            [sys.executable, "-m", "flask", *words],
            cwd=tmp_path,
            env={**environment, **({"FLASK_SECRET_KEY": secret} if secret else {})},
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def test_tables_come_by_the_host_s_own_migrations_without_a_secret(flask_command, tmp_path, make_host, ask):
    for words in (["init"], ["migrate", "-m", "a guest"], ["upgrade"]):
        ran = flask_command("db", *words)
        assert ran.returncode == 0, ran.stderr

    checked = flask_command("db", "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "No new upgrade operations detected" in checked.stdout + checked.stderr
    (version,) = (tmp_path / "migrations" / "versions").glob("*_a_guest.py")
    written = version.read_text(encoding="utf-8")
    assert "idx__person__boss_id" in written
    assert "uq_oauth2_client_client_id" in written
    assert "flask_private_key_jwt" not in written
    assert ask(make_host("host")).status_code == 200


def test_secret_is_made_without_one_and_accepted(flask_command):
    made = flask_command("oauth2", "secret")
    assert (made.returncode, made.stderr) == (0, "")

    listed = flask_command("routes", "--sort", "rule", secret=made.stdout.strip())
    assert listed.returncode == 0
    assert "/oauth2/token" in listed.stdout


@pytest.mark.parametrize("secret", [None, "dev"])
def test_other_commands_need_a_secret_and_say_how_to_make_one(secret, flask_command):
    ran = flask_command("oauth2", "client", "list", secret=secret)

    assert ran.returncode != 0
    assert ran.stdout == ""
    assert ran.stderr.splitlines()[-1].endswith(
        "No usable secret: set SECRET_KEY (or OAUTH2_SECRETS) to at least 32 random characters. "
        "`flask oauth2 secret` makes one."
    )


# --- what counts as a command that needs no secret ----------------------------------------------------------
def start_under(command_line, monkeypatch):
    """Make the app as ``flask`` does while it runs *command_line*."""
    monkeypatch.setattr(sys, "argv", command_line.split())
    app = flask.Flask("host")
    app.config.from_mapping(OAUTH2_ISSUER=ISSUER)
    # As far as click has got: the command is the app's own, so it is not known yet.
    with click.Context(flask.cli.cli, info_name="flask"):
        host.oauth.init_app(app)
    return app


@pytest.mark.parametrize(
    "command_line",
    [
        "flask db upgrade",
        "flask --app a.py --env-file b db upgrade",
        "flask oauth2 secret",
        "flask",
        "flask --help",
        "flask run --help",
    ],
)
def test_command_that_comes_before_having_a_secret_runs(command_line, monkeypatch):
    app = start_under(command_line, monkeypatch)

    with app.test_request_context(), pytest.raises(ConfigurationError, match="No usable secret"):
        app.extensions["private_key_jwt"].secrets.derive("anything")


@pytest.mark.parametrize(
    "command_line",
    [
        "flask run",
        "flask --app db run",
        "flask --app secret run",
        "flask oauth2 client show secret",
        "flask routes",
        "flask --no-such-option db",
    ],
)
def test_command_that_only_looks_like_one_does_not(command_line, monkeypatch):
    with pytest.raises(ConfigurationError, match="No usable secret"):
        start_under(command_line, monkeypatch)


def test_wsgi_server_does_not_start_without_a_secret(make_host, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gunicorn", "db", "secret", "--help"])

    with pytest.raises(ConfigurationError, match="No usable secret"):
        make_host(SECRET_KEY=None)
    assert make_host(SECRET_KEY=SECRET)
