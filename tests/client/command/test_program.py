"""``private-key-jwt``: what each command writes, where, and how it ends."""

import configparser
import json
import subprocess
import sys
import threading
from importlib import import_module

import pytest
import requests
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.wrappers import Response

from flask_private_key_jwt.client import load_key
from flask_private_key_jwt.client.command import login as login_module
from flask_private_key_jwt.client.command.program import COMMANDS, private_key_jwt
from flask_private_key_jwt.jose import jose
from tests.checkout import CHECKOUT
from tests.client.code_flow.people import walk
from tests.client.conftest import serving
from tests.conftest import START


# --- keygen -----------------------------------------------------------------------------------------------------
def test_keygen_makes_the_files(run, tmp_path):
    result = run("keygen", "--out", "shop", "--certificate")

    assert "shop.pem                the private key: keep it secret" in result.stdout
    assert "flask oauth2 client add shop.registration.json" in result.stderr
    assert load_key(tmp_path / "shop.pem").alg == "ES256"
    assert (tmp_path / "shop.pem").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in result.output


def test_keygen_as_json(run):
    said = json.loads(run("keygen", "--alg", "RS256", "--bits", "3072", "--json").stdout)

    assert said["alg"] == "RS256"
    assert [file["path"] for file in said["files"]] == ["client.pem", "client.jwks.json", "client.registration.json"]


def test_keygen_overwrites_nothing(run):
    run("keygen")

    assert "exists already" in run("keygen", exits=2).stderr
    assert json.loads(run("keygen", "--json", exits=2).stdout)["message"].startswith("client.pem exists already")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--bits", "4096"], "--bits is for RSA keys"),
        (["--alg", "HS256"], "Invalid value for '--alg'"),
        (["--password-env", "NOT_THERE"], "The password is empty"),
        (["--password", "--password-env", "X"], "give one"),
    ],
)
def test_keygen_says_what_does_not_go_together(options, says, run):
    assert says in run("keygen", *options, exits=2).stderr


def test_keygen_asks_for_a_password(run, tmp_path):
    run("keygen", "--password", stdin="secret\nsecret\n")

    assert load_key(tmp_path / "client.pem", password="secret")


# --- token ------------------------------------------------------------------------------------------------------
def test_token_writes_the_token_alone_and_warns(run, as_machine, site):
    result = run("token", *as_machine, "--scope", "read", "--resource", site.api)

    [token] = result.stdout.splitlines()
    assert jose.decode_unverified(token)[1]["client_id"] == "machine"
    assert "Whoever has this token can use it" in result.stderr
    assert "expires in 10 minutes" in result.stderr


def test_token_is_bound_to_the_key_that_is_named(run, as_machine, key_file, keys):
    said = json.loads(run("token", *as_machine, "--dpop-key", str(key_file), "--json").stdout)

    assert (said["token_type"], said["scope"]) == ("DPoP", "read")
    claims = jose.decode_unverified(said["access_token"])[1]
    assert claims["cnf"] == {"jkt": keys("ES256", "machine").public.thumbprint}
    assert said["warning"]


def test_options_come_from_the_environment(run, site, key_file, monkeypatch):
    for name, value in (("ISSUER", site.issuer), ("CLIENT_ID", "machine"), ("KEY", str(key_file))):
        monkeypatch.setenv(f"PRIVATE_KEY_JWT_{name}", value)

    assert run("token").stdout.count(".") == 2


def test_refusal_names_the_reference_of_its_reason(run, as_machine, site):
    result = run("token", *as_machine, "--scope", "payroll", exits=1)
    assert "refused with 400 invalid_scope" in result.stderr
    assert "(reference " in result.stderr
    assert result.stdout == ""

    said = json.loads(run("token", *as_machine, "--scope", "payroll", "--json", exits=1).stdout)
    assert (said["failed"], said["error"], said["status"], said["exit_code"]) == (True, "invalid_scope", 400, 1)
    assert said["reference"] in said["message"]


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (["--issuer", "http://127.0.0.1:9"], 3, "cannot be reached"),
        (["--issuer", "http://evil.example"], 2, "must use https"),
        (["--key", "missing.pem"], 2, "'missing.pem' cannot be read"),
        (["--client-id", "nobody"], 1, "invalid_client"),
        (["--alg", "RS256"], 2, "does not fit the key"),
        (["--timeout", "0"], 2, "more than 0 seconds"),
        (["--ca-bundle", "missing.pem"], 2, "does not exist"),
        (["--key-password-env", "NOT_THERE"], 2, "There is no NOT_THERE"),
    ],
)
def test_exit_code_says_whose_turn_it_is(change, code, says, run, as_machine):
    assert says in run("token", *as_machine, *change, exits=code).stderr


def test_token_needs_a_key(run, as_person):
    assert "give the path of its file with --key" in run("token", *as_person, exits=2).stderr


# --- get --------------------------------------------------------------------------------------------------------
def test_get_shows_every_attempt_and_writes_the_body(run, as_machine, site):
    result = run("get", *as_machine, "--resource", site.api, site.bound_values)

    assert json.loads(result.stdout)["client"] == "machine"
    said = result.stderr.splitlines()
    assert said[0] == f"> GET {site.bound_values} with a DPoP proof"
    assert said[1].startswith("< 401")
    assert "* The API wants a nonce in the proof, and gave one: sent again with it." in said
    assert "< 200 OK" in said
    assert any(line.lower().startswith("< dpop-nonce: ") for line in said)


def test_get_shows_no_token(run, as_machine, site, monkeypatch):
    result = run("get", *as_machine, "--resource", site.api, site.values, "--no-dpop")
    as_json = run("get", *as_machine, "--resource", site.api, site.values, "--json")

    assert "eyJ" not in result.output + as_json.output
    assert "with a Bearer token" in result.stderr


def test_get_as_json(run, as_machine, site):
    said = json.loads(run("get", *as_machine, "--resource", site.api, site.bound_values, "--json").stdout)

    assert (said["status"], said["body"]["client"]) == (200, "machine")
    assert [attempt["status"] for attempt in said["attempts"]] == [401, 200]


def test_get_tells_why_an_api_refused(run, as_machine, site):
    result = run("get", *as_machine, "--resource", site.api, "--scope", "write", site.values, exits=1)

    assert "The API refused: 403 insufficient_scope. The token does not allow this: ask for the scope" in result.stderr
    assert "Error-Reference " in result.stderr
    assert "flask oauth2 explain " in result.stderr
    said = json.loads(
        run("get", *as_machine, "--resource", site.api, "--scope", "write", site.values, "--json", exits=1).stdout
    )
    assert (said["status"], said["error"], bool(said["reference"])) == (403, "insufficient_scope", True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["not a url"], "must be an absolute http or https URL"),
        (["https://u:p@api.example/"], "must be an absolute http or https URL"),
        (["http://api.example/"], "must use https"),
        (["https://api.example", "-H", "Authorization: x"], "Authorization is set by this command"),
        (["https://api.example", "-H", "nonsense"], "A header is given as"),
        (["https://api.example", "--person", "--scope", "x"], "--scope is decided at login"),
    ],
)
def test_get_says_what_is_wrong_with_its_options(options, says, run, as_machine):
    assert says in run("get", *as_machine, *options, exits=2).stderr


class Echo:
    """An API that says what it was sent."""

    url = ""
    answer = None

    def __call__(self, environ, start_response):
        from werkzeug.wrappers import Request

        request = Request(environ)
        sent = {
            "method": request.method,
            "body": request.get_data().decode(),
            "type": request.content_type,
            "x": request.headers.get("X-Test"),
        }
        return (self.answer or Response(json.dumps(sent)))(environ, start_response)


@pytest.fixture
def echo():
    with serving(Echo()) as api:
        yield api


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ([], {"method": "GET", "body": "", "type": None, "x": None}),
        (["-d", '{"a": 1}'], {"method": "POST", "body": '{"a": 1}', "type": "application/json", "x": None}),
        (["-d", "a=1"], {"method": "POST", "body": "a=1", "type": "application/x-www-form-urlencoded", "x": None}),
        (["-d", "@body.txt"], {"method": "POST", "body": "[]", "type": "application/json", "x": None}),
        (["-X", "delete", "-H", "X-Test: y"], {"method": "DELETE", "body": "", "type": None, "x": "y"}),
    ],
)
def test_get_sends_what_it_is_told(options, sent, run, as_machine, echo, tmp_path):
    (tmp_path / "body.txt").write_text("[]")

    assert json.loads(run("get", *as_machine, f"{echo.url}/x", *options).stdout) == sent


def test_get_follows_no_redirect(run, as_machine, echo):
    echo.answer = Response(status=302, headers={"Location": f"{echo.url}/elsewhere"})

    assert f"A redirect to {echo.url}/elsewhere, which is not followed." in run("get", *as_machine, echo.url).stderr


def test_get_shows_no_control_characters_of_a_header(run, as_machine, echo):
    echo.answer = Response("x", headers={"X-Evil": "\x1b]0;owned\x07"})

    result = run("get", *as_machine, echo.url)
    assert "X-Evil: \\x1b]0;owned\\x07" in result.stderr


def test_get_says_that_an_api_is_away(run, as_machine):
    assert "The API cannot be reached" in run("get", *as_machine, "http://127.0.0.1:9/", exits=3).stderr


def test_get_does_not_read_an_endless_answer(run, as_machine, echo, monkeypatch):
    monkeypatch.setattr("flask_private_key_jwt.client.command.get.MAX_BODY_BYTES", 10)
    echo.answer = Response("x" * 11)

    assert "too much to show" in run("get", *as_machine, echo.url, exits=2).stderr


# --- login ------------------------------------------------------------------------------------------------------
@pytest.fixture
def browser(monkeypatch):
    """Stands in for the system's browser; a person allows what they are asked."""
    opened = []

    def open_browser(url):
        opened.append(url)
        threading.Thread(target=lambda: requests.get(walk(url, until="/callback?"), timeout=5)).start()
        return True

    monkeypatch.setattr(login_module, "open_system_browser", open_browser)
    return opened


@pytest.fixture
def log_in(run, as_person, browser, site):
    return lambda *options, **more: run(
        "login", *as_person, "--scope", "openid offline_access read", "--resource", site.api, *options, **more
    )


def test_login_then_get_then_logout(log_in, run, as_person, site, tmp_path):
    result = log_in()
    assert "Signed in as alice." in result.stdout
    assert "It will be renewed." in result.stdout

    got = run("get", *as_person, "--person", site.bound_values)
    assert json.loads(got.stdout)["client"] == "person"

    files = sorted((tmp_path / "config" / "private-key-jwt").iterdir())
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (tmp_path / "config" / "private-key-jwt").stat().st_mode & 0o777 == 0o700

    assert "Signed out" in run("logout", *as_person).stdout
    assert "Nobody is signed in." in run("logout", *as_person).stdout
    assert "Nobody is signed in." in run("get", *as_person, "--person", site.bound_values, exits=4).stderr


def test_login_as_json_holds_no_token(log_in, tmp_path):
    said = json.loads(log_in("--json", "--tokens", "alice.json").stdout)

    assert (said["subject"], said["token_type"], said["can_be_renewed"]) == ("alice", "DPoP", True)
    assert said["tokens"] == "alice.json"
    kept = json.loads((tmp_path / "alice.json").read_text())
    assert kept["access_token"] not in json.dumps(said)
    assert (tmp_path / "alice.json.dpop.pem").stat().st_mode & 0o777 == 0o600


def test_login_twice_keeps_the_key(log_in, tmp_path):
    log_in("--tokens", "alice.json")
    key = (tmp_path / "alice.json.dpop.pem").read_bytes()
    log_in("--tokens", "alice.json")

    assert (tmp_path / "alice.json.dpop.pem").read_bytes() == key


def test_login_gives_up_after_a_while(run, as_person, monkeypatch):
    monkeypatch.setattr(login_module, "open_system_browser", lambda url: False)

    result = run("login", *as_person, "--patience", "0.05", exits=4)
    assert "Open this address in a browser on this machine:" in result.stderr
    assert "did not come back within 0.05 seconds" in result.stderr
    assert json.loads(run("login", *as_person, "--patience", "0.05", "--json", exits=4).stdout)["cause"] == (
        "sign_in_timeout"
    )


def test_login_opens_no_browser_if_told_so(run, as_person, browser):
    run("login", *as_person, "--patience", "0.05", "--no-browser", exits=4)

    assert browser == []


# --- introspect -------------------------------------------------------------------------------------------------
def test_introspect_says_what_the_server_knows(run, as_machine):
    token = run("token", *as_machine).stdout.strip()

    result = run("introspect", *as_machine, stdin=f"Bearer {token}\n")
    assert result.stdout.startswith("Active.\n")
    assert "(for the client)" in result.stdout
    said = json.loads(run("introspect", *as_machine, "--json", stdin=token).stdout)
    assert (said["active"], said["claims"]["client_id"]) == (True, "machine")
    assert token not in result.output


def test_introspect_of_a_token_that_is_not_active(run, as_machine):
    assert "Not active" in run("introspect", *as_machine, stdin="x", exits=1).stdout
    assert json.loads(run("introspect", *as_machine, "--json", stdin="x", exits=1).stdout) == {"active": False}


@pytest.mark.parametrize("stdin", ["", "\n", "two words more", "Bearer "])
def test_what_is_no_token_is_not_sent(stdin, run, as_machine):
    assert "That is no token" in run("introspect", *as_machine, stdin=stdin, exits=2).stderr


# --- decode -----------------------------------------------------------------------------------------------------
@pytest.fixture
def token(keys):
    claims = {"iss": "https://as.example", "sub": "alice", "exp": START + 300, "iat": START - 7200, "n": 1}
    return jose.sign({"typ": "at+jwt", "kid": "k"}, claims, keys("ES256"))


def test_decode_says_it_in_words(run, token):
    result = run("decode", stdin=token)

    assert result.stdout.splitlines() == [
        "This is an access token (RFC 9068). Signature: NOT CHECKED.",
        "",
        "Header",
        "  alg  ES256   (signed with)",
        "  typ  at+jwt   (kind)",
        "  kid  k   (name of the key)",
        "",
        "Claims",
        "  iss  https://as.example   (issued by)",
        "  sub  alice   (about)",
        f"  exp  {START + 300}   (expires: 2027-01-15 08:05:00 UTC, in 5 minutes)",
        f"  iat  {START - 7200}   (issued at: 2027-01-15 06:00:00 UTC, 2 hours ago)",
        "  n    1",
        "",
        "It expires in 5 minutes, by the clock of this machine.",
    ]
    assert "not checked" in result.stderr


@pytest.mark.parametrize("way", ["argument", "file", "stdin", "header", "quoted"])
def test_decode_takes_the_token_from_anywhere(way, run, token, tmp_path):
    (tmp_path / "token.txt").write_text(f"{token}\n")
    arguments = {"argument": [token], "file": ["token.txt"], "stdin": ["-"]}.get(way, [])
    stdin = {"stdin": token, "header": f"DPoP {token}", "quoted": f'"{token}"'}.get(way, "")
    result = run("decode", *arguments, stdin=stdin)

    assert "Signature: NOT CHECKED" in result.stdout
    assert ("can read command lines" in result.stderr) is (way == "argument")


def test_decode_takes_a_long_token_as_argument(run, keys):
    assert "Signature: NOT CHECKED" in run("decode", jose.sign({}, {"long": "x" * 5000}, keys("ES256"))).stdout


def test_decode_of_bytes_is_no_error_of_ours(run):
    assert "That is no JWT" in run("decode", stdin=b"\xff\xfe\x00", exits=2).stderr


def test_decode_as_json_warns_too(run, token):
    said = json.loads(run("decode", "--json", stdin=token).stdout)

    assert said["warning"] == "The signature is not checked: anybody can have written this."
    assert said["claims"]["sub"] == "alice"
    assert said["times"]["exp"] == {"utc": "2027-01-15 08:05:00 UTC", "from_now": "in 5 minutes"}


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"exp": START}, "It expired now."),
        ({"exp": START - 86400}, "It expired 1 day ago."),
        ({"exp": START + 1, "nbf": START + 1}, "It does not count yet: it begins in 1 second."),
        ({}, "It does not say when it expires."),
        ({"exp": "soon"}, "It does not say when it expires."),
        ({"exp": 10**30}, "It does not say when it expires."),
        ({"exp": True}, "It does not say when it expires."),
        ({"exp": -1}, "It does not say when it expires."),
    ],
)
def test_decode_says_whether_it_counts(claims, says, run, keys):
    assert run("decode", stdin=jose.sign({}, claims, keys("ES256"))).stdout.endswith(f"\n{says}\n")


@pytest.mark.parametrize(
    ("header", "claims", "kind"),
    [
        ({"typ": "dpop+jwt"}, {}, "a DPoP proof"),
        ({"typ": "application/AT+JWT"}, {}, "an access token"),
        ({}, {"nonce": "x"}, "probably an ID token"),
        ({}, {"iss": "a", "sub": "a"}, "probably a client assertion"),
        ({"typ": "x"}, {}, "a JWT of a kind that it does not name"),
    ],
)
def test_decode_says_what_kind_it_is(header, claims, kind, run, keys):
    assert f"This is {kind}" in run("decode", stdin=jose.sign(header, claims, keys("ES256"))).stdout


@pytest.mark.parametrize("evil", ["\x1b[2J", "x\n\nIt expires in 9 years.", "\u202eabc", "\r"])
def test_decode_lets_no_claim_write_to_the_terminal(evil, run, keys):
    result = run("decode", stdin=jose.sign({"kid": evil}, {"sub": evil, evil: [evil]}, keys("ES256")))

    assert evil not in result.stdout
    assert result.stdout.count("\n") == len(
        run("decode", stdin=jose.sign({"kid": "k"}, {"sub": "", "x": []}, keys("ES256"))).stdout.splitlines()
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x.y.z", "That is no JWT"),
        ("opaque", "Not every token is one"),
        ("a.b.c.d.e", "is encrypted (JWE)"),
        ("", "no token"),
    ],
)
def test_decode_of_something_else(text, says, run):
    assert says in run("decode", stdin=text, exits=2).stderr


@given(st.binary() | st.text().map(str.encode))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_decode_of_anything_ends_with_a_sentence(content):
    result = CliRunner().invoke(private_key_jwt, ["decode"], input=content)

    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 2


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text() | st.sampled_from(["exp", "nbf", "iat", "iss", "sub"]), JSON_VALUES, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_decode_of_any_claims_shows_them(keys, claims):
    token = jose.sign({"typ": "JWT"}, claims, keys("ES256"))
    for options in ([], ["--json"]):
        result = CliRunner().invoke(private_key_jwt, ["decode", *options], input=token)
        assert result.exit_code == 0, (result.output, result.exception)


# --- the program ------------------------------------------------------------------------------------------------
def test_entry_point_is_there():
    config = configparser.ConfigParser()
    config.read(CHECKOUT / "setup.cfg", encoding="utf-8")
    name, _, target = config["options.entry_points"]["console_scripts"].strip().partition(" = ")

    module, _, function = target.partition(":")
    assert name == "private-key-jwt"
    assert callable(getattr(import_module(module), function))


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_is_there_and_needs_nothing(command, run):
    assert "Usage: " in run(*command, "--help").stdout


def test_every_command_takes_json():
    context = private_key_jwt.make_context("x", ["--help"], resilient_parsing=True)
    for name in private_key_jwt.list_commands(context):
        assert "--json" in [
            option for param in private_key_jwt.get_command(context, name).params for option in param.opts
        ]


def test_unknown_command_is_told(run):
    assert "No such command 'tokn'" in run("tokn", exits=2).stderr


def run_process(code, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=30, cwd=CHECKOUT, **options
    )


MAIN = "from flask_private_key_jwt.client.command.program import main; main()"


def test_program_ends_with_its_exit_code(tmp_path):
    assert run_process(MAIN, "decode", "x").returncode == 2
    assert run_process(MAIN, "nonsense").returncode == 2
    assert run_process(MAIN, "--version").returncode == 0
    assert run_process(MAIN, "keygen", "--out", str(tmp_path / "k")).returncode == 0


def test_wrong_use_is_json_too():
    done = run_process(MAIN, "token", "--json")

    said = json.loads(done.stdout)
    assert (done.returncode, said["exit_code"]) == (2, 2)
    assert said["message"].startswith("Missing option '--issuer'")


def test_interrupt_ends_with_130():
    code = (
        "import sys; from flask_private_key_jwt.client.command import decode, program\n"
        "def interrupt(*_): raise KeyboardInterrupt\n"
        "decode.read_token_argument = interrupt; program.main()"
    )
    assert run_process(code, "decode", "x").returncode == 130


def test_program_loads_neither_flask_nor_a_server():
    code = (
        "import sys; from flask_private_key_jwt.client.command.program import *\n"
        "for name in COMMANDS: private_key_jwt.get_command(None, name)\n"
        "print(*sys.modules)"
    )
    loaded = set(run_process(code).stdout.split())

    assert {"click", "flask_private_key_jwt.client.command.login"} <= loaded
    assert not loaded & {"flask", "werkzeug", "sqlalchemy", "flask_private_key_jwt.authorization_server"}


def test_command_loads_only_what_it_needs():
    code = (
        "import sys; from flask_private_key_jwt.client.command.program import *\n"
        "private_key_jwt.get_command(None, 'decode'); print(*sys.modules)"
    )
    loaded = run_process(code).stdout.split()

    assert not [name for name in loaded if name.startswith("flask_private_key_jwt.client.code_flow.client")]


def test_waiting_is_shown_at_a_terminal():
    import os
    import pty

    reader, writer = pty.openpty()
    code = (
        "import time; from flask_private_key_jwt.client.command import output\n"
        "output.PATIENCE_SECONDS = 0.01\n"
        "with output.waiting('Waiting for the browser', seconds=300): time.sleep(0.2)"
    )
    done = subprocess.run([sys.executable, "-c", code], stderr=writer, cwd=CHECKOUT, timeout=30)
    os.close(writer)
    shown = os.read(reader, 4096).decode()
    os.close(reader)

    assert done.returncode == 0
    assert "Waiting for the browser … 300 s left" in shown
    assert shown.endswith("\r\x1b[K")
