"""``python -m demo.console_client`` against servers that run, and attacks on servers that let everything through."""

import signal
from types import SimpleNamespace

import pytest

from demo.clients import MOBILE_DPOP
from demo.console_client import attacks
from demo.console_client.caller import Exchange
from demo.console_client.show import Show, shorten
from demo.console_client.walk import WentWrong
from flask_private_key_jwt.jose import jose
from tests.demo.demo_program import SECONDS, Demo

JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJlLWJ5dGVz"


def test_the_bearer_client_is_the_default(console):
    done = console()

    assert (done.returncode, done.stderr) == (0, "")
    assert "mobile-client: Bearer, GET /api/values" in done.stdout
    assert '"typ": "at+jwt"' in done.stdout
    assert '"cnf"' not in done.stdout
    assert "read by mobile-client" in done.stdout


def test_the_dpop_client_shows_what_its_token_is_bound_to(console):
    done = console("--client", "mobile-dpop-client")

    assert done.returncode == 0
    assert '"typ": "dpop+jwt"' in done.stdout
    jkt = done.stdout.partition('"jkt": "')[2].partition('"')[0]
    assert f"✓ cnf.jkt {jkt} is the thumbprint of the key" in done.stdout
    assert "read by mobile-dpop-client" in done.stdout


def test_tokens_are_printed_whole_only_on_demand(console):
    assert console("--full").stdout.count("…") == 0
    assert console().stdout.count("…") > 0


@pytest.mark.parametrize("name", attacks.ATTACKS)
def test_each_attack_is_refused(console, name):
    done = console("--attack", name)

    assert done.returncode == 0
    assert done.stdout.count("Attack ") == 1
    assert "✓ Refused: " in done.stdout


def test_all_attacks_run_in_turn(console):
    done = console("--attack", "all")

    assert done.returncode == 0
    assert done.stdout.count("Attack ") == 4


def test_attacks_need_a_client_with_bound_tokens(console, capsys):
    with pytest.raises(SystemExit, match="2"):
        console("--attack", "all", "--client", "mobile-client")

    assert "the attacks are on DPoP tokens: use mobile-dpop-client" in capsys.readouterr().err


@pytest.mark.parametrize("client", ["mobile-client", "mobile-dpop-client"])
def test_watch_keeps_its_token_from_call_to_call(console, client):
    done = console("--client", client, "--watch", "--times", "3", "--every", "0")

    assert done.returncode == 0
    assert [line[14:].partition(",")[0] for line in done.stdout.splitlines() if "✓" in line] == [
        "200  new token",
        "200  same token",
        "200  same token",
    ]


def test_watch_ends_quietly_on_ctrl_c(site):
    process = site.start("demo.console_client", "--watch", *site.where)
    assert process.stdout is not None
    for line in process.stdout:
        if "new token" in line:
            break

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=SECONDS)

    assert (process.returncode, err) == (130, "")


def test_a_server_that_is_away_is_a_sentence(demo):
    done = demo.run("demo.console_client", *demo.where)

    assert done.returncode == 1
    assert f"✗ {demo.issuer}/.well-known/oauth-authorization-server cannot be reached" in done.stdout
    assert done.stderr == ""


def test_a_missing_key_is_a_sentence(tmp_path):
    done = Demo(tmp_path).run("demo.console_client")

    assert done.returncode == 2
    assert "cannot be read: No such file or directory. The demo's keys are made by: python -m demo" in done.stdout


def test_a_client_with_a_key_the_server_does_not_know_ends_with_1(console, monkeypatch):
    monkeypatch.setattr("demo.console_client.caller.load_key", lambda *_, **__: jose.generate_private_key("ES256"))

    done = console()

    assert done.returncode == 1
    assert "✗ The token endpoint answered 400 invalid_client where a token was due." in done.stdout


def test_server_and_api_in_one_app_serve_the_same_clients(demo):
    demo.environment |= {"FLASK_OAUTH2_RESOURCE": demo.issuer, "FLASK_OAUTH2_RESOURCES": demo.issuer}
    where = ["--issuer", demo.issuer, "--api", demo.issuer]

    with demo.serving("flask", "demo.one_app", demo.as_port):
        codes = [
            demo.run("demo.console_client", *words, *where).returncode
            for words in ([], ["--client", "mobile-dpop-client"], ["--attack", "all"])
        ]

    assert codes == [0, 0, 0]


# --- a demo that would call anything a success proves nothing -------------------------------------------
@pytest.mark.parametrize("name", attacks.ATTACKS)
@pytest.mark.parametrize("status", [200, 500, 400, 401])
def test_an_attack_that_is_not_refused_as_it_must_be_fails(monkeypatch, name, status):
    def answer(*_: object, **__: object) -> Exchange:
        return Exchange("GET", "http://127.0.0.1/", {}, {}, status)

    victim = SimpleNamespace(
        client=MOBILE_DPOP,
        values_url="http://127.0.0.1/",
        discover=lambda: SimpleNamespace(token_endpoint="http://127.0.0.1/"),
        build_assertion=lambda: JWT,
        ask_token=answer,
        call_api=answer,
        call_api_with=answer,
    )
    monkeypatch.setattr(attacks, "send", answer)
    monkeypatch.setattr(attacks, "honest_token", lambda caller: JWT)

    with pytest.raises(WentWrong, match=f"Not refused as it must be: {name}"):
        attacks.run_attacks([name], victim, Show())


def test_a_shortened_token_keeps_its_three_parts():
    assert shorten(JWT) == "eyJhbGciOiJF….eyJzdWIiOiJt….c2lnbmF0dXJl…"
