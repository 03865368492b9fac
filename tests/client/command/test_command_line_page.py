"""Every command of docs/command-line-client.md, as it stands there, in a shell, against our own servers."""

import os
import re
import subprocess
import sys

import pytest

from flask_private_key_jwt.client import load_key
from tests.checkout import CHECKOUT
from tests.client.code_flow.people import register
from tests.third_party.person import serving_people

PAGE = (CHECKOUT / "docs" / "command-line-client.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
PROGRAM = "#!/bin/sh\nexec {} -c 'from flask_private_key_jwt.client.command.program import main; main()' \"$@\"\n"
BROWSER = "from tests.client.code_flow.people import walk\nimport requests, sys\n" + (
    "requests.get(walk(sys.argv[1], until='/callback?'), timeout=5)\n"
)


@pytest.fixture(autouse=True)
def clock_():
    """The wall clock goes on: the commands are processes of their own."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with serving_people(tmp_path_factory.mktemp("people"), OAUTH2_DPOP_NONCE="required") as site:
        yield site


def test_commands_of_the_page_work_in_their_order(site, tmp_path):
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "private-key-jwt"
    program.write_text(PROGRAM.format(sys.executable))
    program.chmod(0o755)
    (tmp_path / "browser.py").write_text(BROWSER)
    environment = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(CHECKOUT),
        "HOME": str(tmp_path),
        "BROWSER": f"{sys.executable} {tmp_path / 'browser.py'} %s &",
    }

    def run(block):
        """Run a block after ``set -e``: each of its commands must succeed."""
        block = block.replace("http://127.0.0.1:5005/invoices", site.bound_values)
        block = block.replace("http://127.0.0.1:5005", site.api).replace("http://127.0.0.1:5000", site.issuer)
        command = ["sh", "-ec", f"{block}\nexport -p > variables"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr + done.stdout
        for name, value in re.findall(r"^export (PRIVATE_\w+)='(.*)'$", (tmp_path / "variables").read_text(), re.M):
            environment[name] = value
        if "unset PRIVATE_KEY_JWT_KEY" in block:
            del environment["PRIVATE_KEY_JWT_KEY"]
        return done

    made, called, tried, person = BLOCKS
    run(made)
    register(
        site,
        load_key(tmp_path / "billing.pem"),
        client_id="billing",
        grant_types=["client_credentials"],
        redirect_uris=[],
        scope="read",
        default_scope="read",
    )
    register(site, client_id="notes", scope="openid offline_access read")

    assert '"client":"billing"' in run(called).stdout.replace(" ", "")
    shown = run(tried)
    assert '"status": 200' in shown.stdout
    assert "Active.\n" in shown.stdout
    assert "This is an access token (RFC 9068). Signature: NOT CHECKED." in shown.stdout
    acted = run(person)
    assert "Signed in as alice." in acted.stdout
    assert '"client":"notes"' in acted.stdout.replace(" ", "")
    assert "Signed out" in acted.stdout


def test_every_command_is_on_the_page():
    from flask_private_key_jwt.client.command.program import COMMANDS

    used = set(re.findall(r"private-key-jwt ([a-z]+)", "".join(BLOCKS)))
    assert used == set(COMMANDS)


def test_exit_codes_of_the_page_are_those_of_the_program():
    from flask_private_key_jwt.client.command import program

    listed = [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]
    known = [program.REFUSED, program.MISUSED, program.NO_ANSWER, program.SIGN_IN, program.INTERRUPTED]
    assert listed == [0, *known]
