"""``make demo``: everything in one go, and everything stopped again."""

import json
import shutil
import signal
import subprocess
import sys

import pytest

from tests.checkout import CHECKOUT
from tests.demo.demo_program import SECONDS, Demo

STEPS = [
    "mobile-client: Bearer, GET /api/values, scope mobile",
    "1 Discovery (RFC 8414)",
    "2 Client assertion (RFC 7523): who asks",
    "3 Token request and response",
    "4 Access token (RFC 9068)",
    "✓ No cnf: a Bearer token, good for whoever holds it.",
    "5 The API's answer",
    "✓ The API answered.",
    "mobile-dpop-client: DPoP, GET /dpop/values, scope scope-dpop",
    '"jkt": "',
    "✓ cnf.jkt ",
    "5 The API's answer",
    "✓ The API answered.",
    "mobile-code-client: for a person, DPoP, GET /dpop/values, scope openid profile email scope-dpop",
    "A script plays the person: signs in as alice, presses allow.",
    "✓ state is the one that was sent",
    "6 The ID token (OpenID Connect Core §2): who signed in",
    "✓ Signed with a key that the issuer publishes; iss, aud and exp are right, nonce is the one that was sent",
    "7 UserInfo",
    '"name": "',
    "✓ UserInfo speaks of the same person as the ID token.",
    "read by mobile-code-client for ",
    "9 Refresh (RFC 6749 §6): new tokens, without the person",
    "✓ The API answered.",
    "11 Revocation (RFC 7009)",
    "✓ The refresh token gives no more tokens.",
    "✓ The access token opens nothing at the issuer any more.",
    "Attack stolen-token",
    "✓ Refused: invalid_token.",
    "✓ Refused: invalid_dpop_proof.",
    "Attack other-key",
    "✓ Refused: invalid_token.",
    "Attack replayed-proof",
    "✓ Refused: invalid_dpop_proof.",
    "Attack replayed-assertion",
    "✓ Refused: invalid_client.",
    "All clients were served, all attacks refused, both servers are stopped.",
]


def in_order(wanted: list[str], text: str) -> list[str]:
    """What of *wanted* is missing from *text*, in this order."""
    missing, position = [], 0
    for part in wanted:
        found = text.find(part, position)
        if found < 0:
            missing.append(part)
        else:
            position = found + len(part)
    return missing


@pytest.mark.parametrize("nonce", ["off", "required"])
def test_the_whole_demo_goes_through(demo, nonce):
    done = demo.run("demo.run", *demo.ports, FLASK_OAUTH2_DPOP_NONCE=nonce, COLUMNS="80")

    assert (done.returncode, done.stderr) == (0, "")
    assert in_order(STEPS, " ".join(done.stdout.split())) == []
    assert [line for line in done.stdout.splitlines() if len(line) > 80 and len(line.split()) > 1] == []
    assert done.stdout.count("used before") == 2
    assert "✗" not in done.stdout
    assert ("use_dpop_nonce" in done.stdout) == (nonce == "required")


def test_the_first_run_makes_keys_and_registrations_and_the_second_keeps_them(tmp_path):
    demo = Demo(tmp_path / "new")

    first = demo.run("demo.prepare")
    keys = {file.name: file.read_bytes() for file in (demo.folder / "keys").glob("*.pem")}
    second = demo.run("demo.prepare")

    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stdout.count("oauth2 client add") == 4
    assert second.stdout == "$ flask db upgrade\n"
    assert keys.keys() == {
        "mobile-client.pem",
        "mobile-dpop-client.pem",
        "mobile-code-client.pem",
        "web-client.pem",
    }
    assert keys == {file.name: file.read_bytes() for file in (demo.folder / "keys").glob("*.pem")}


def test_keys_and_secrets_are_for_their_owners_eyes_only(demo):
    private = [*demo.folder.glob("keys/*.pem"), *demo.folder.glob("*.secret")]

    assert [oct(file.stat().st_mode & 0o777) for file in private] == ["0o600"] * 6


def test_a_folder_of_an_older_demo_is_brought_up_to_date(demo):
    registration = json.loads((demo.folder / "clients" / "mobile-code-client.json").read_text())
    old = demo.folder / "old.json"
    old.write_text(json.dumps({**registration, "scope": "scope-dpop"}))
    flask = ["flask", "--app", "demo.token_server", "oauth2", "client"]
    assert demo.run(*flask, "update", "mobile-code-client", str(old)).returncode == 0
    assert demo.run(*flask, "remove", "web-client", "--yes").returncode == 0

    done = demo.run("demo.prepare")

    assert done.returncode == 0
    assert "$ flask oauth2 client update mobile-code-client" in done.stdout
    assert "$ flask oauth2 client add" in done.stdout
    assert demo.run("demo.prepare").stdout == "$ flask db upgrade\n"


def test_a_client_with_a_new_key_is_registered_with_it(demo):
    (demo.folder / "keys" / "mobile-client.pem").unlink()

    assert "$ flask oauth2 client update mobile-client" in demo.run("demo.prepare").stdout
    assert demo.run("demo.prepare").stdout == "$ flask db upgrade\n"


@pytest.mark.parametrize(
    ("which", "name", "variable"), [("as_port", "token server", "AS_PORT"), ("api_port", "resource server", "API_PORT")]
)
def test_a_taken_port_is_a_sentence(demo, taken, which, name, variable):
    taken.bind(("127.0.0.1", getattr(demo, which)))
    taken.listen()
    port = getattr(demo, which)

    done = demo.run("demo.run", *demo.ports)

    taken.close()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Port {port} is not free (Address already in use), so the {name} cannot start.\n")
    assert f"make demo {variable}=" in done.stderr


@pytest.mark.parametrize("port", ["0", "65536", "five", "", "-1"])
def test_a_port_that_is_none_is_a_sentence(demo, port):
    done = demo.run("demo.run", f"--as-port={port}")

    assert done.returncode == 2
    assert f"argument --as-port: {port!r} is not a port from 1 to 65535" in done.stderr


def test_one_port_for_two_servers_is_a_sentence(demo):
    done = demo.run("demo.run", "--web", "--as-port", "7000", "--web-port", "7000")

    assert done.returncode == 2
    assert "AS_PORT and API_PORT and WEB_PORT must differ" in done.stderr


def test_one_port_for_both_servers_is_a_sentence(demo):
    done = demo.run("demo.run", "--as-port", "7000", "--api-port", "7000")

    assert done.returncode == 2
    assert "AS_PORT and API_PORT must differ" in done.stderr


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("$ flask db upgrade", signal.SIGINT),
        ("The token server answers on", signal.SIGTERM),
        ("The token server answers on", signal.SIGHUP),
        ("Attack other-key", signal.SIGINT),
    ],
)
def test_an_interrupted_demo_stops_its_servers(demo, moment, number):
    process = demo.start("demo.run", *demo.ports)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(moment):
            break

    process.send_signal(number)
    _, err = process.communicate(timeout=SECONDS)

    assert process.returncode == 130
    assert err == "\nInterrupted; both servers are stopped.\n"
    assert not demo.processes()


def test_a_setting_that_is_not_accepted_is_a_sentence(demo):
    done = demo.run("demo.run", *demo.ports, FLASK_OAUTH2_DPOP_NONCE="perhaps")

    assert done.returncode == 2
    assert "OAUTH2_DPOP_NONCE = 'perhaps' is not accepted" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_made_is_a_sentence(demo, tmp_path):
    (tmp_path / "a file").touch()

    done = demo.run("demo.prepare", DEMO_FOLDER=str(tmp_path / "a file" / "demo"))

    assert done.returncode == 1
    assert done.stderr.startswith("The demo cannot write what it needs: [Errno 20] Not a directory")


def test_a_server_that_does_not_start_shows_its_log_and_stops_the_other(demo):
    # Only the resource server knows this setting.
    done = demo.run("demo.run", *demo.ports, FLASK_OAUTH2_JWKS_CACHE_SECONDS="1")

    assert done.returncode == 2
    assert done.stderr.startswith("The resource server did not start.\nThe end of ")
    assert "OAUTH2_JWKS_CACHE_SECONDS = 1 is not accepted" in done.stderr
    assert not demo.processes()


def test_a_refused_client_ends_the_demo_with_1_and_the_logs(demo):
    done = demo.run("demo.run", *demo.ports, FLASK_OAUTH2_TOKEN_SIGNING_ALGS="RS256")

    assert done.returncode == 1
    assert "✗ The API answered 401 where 200 was due." in done.stdout
    assert done.stderr.count("The end of ") == 2
    assert "Attack" not in done.stdout
    assert not demo.processes()


def test_make_passes_on_the_ports_and_the_signal(demo):
    make = shutil.which("make")
    assert make is not None
    command = [make, "--silent", f"AS_PORT={demo.as_port}", f"API_PORT={demo.api_port}", "demo"]
    # The set-up is tested elsewhere: this one takes the interpreter that runs the tests.
    process = subprocess.Popen(
        [*command, "--assume-old=set-up-demo", f"python='{sys.executable}'"],
        cwd=CHECKOUT,
        env=demo.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(f"The token server answers on http://127.0.0.1:{demo.as_port}"):
            break

    process.terminate()
    _, err = process.communicate(timeout=SECONDS)

    assert process.returncode != 0
    assert "Interrupted; both servers are stopped." in err
    assert not demo.processes()
