"""Programs and requests of how-to pages that need a server at as.example: they get ours, at another address."""

import json
import re
import subprocess
import time

import pytest
import requests

from flask_private_key_jwt.client import TokenClient
from flask_private_key_jwt.client.__main__ import main as client_main
from tests.documentation.blocks import read_blocks
from tests.third_party.person import serving_people

REGISTRATION, AUTHORIZATION, ONLINE = "docs/registration.md", "docs/authorization.md", "docs/online-checks.md"


@pytest.fixture(autouse=True)
def clock_():
    """The wall clock goes on: pages' programs look at it."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with serving_people(tmp_path_factory.mktemp("people"), OAUTH2_REGISTRATION="token") as site:
        yield site


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def blocks_tested_by(test, page):
    """The blocks of *page* whose comment names this test, with addresses as they stand there."""
    return [block.text for block in read_blocks(page) if block.way == "tested" and block.more.endswith(f"::{test}")]


def register(site, client_id, **metadata):
    """Make a client's keys as the pages do, and register it."""
    assert client_main(["keygen", "--out", client_id]) == 0
    with open(f"{client_id}.registration.json", encoding="utf-8") as file:
        made = json.load(file)
    with site.app.app_context():
        site.oauth.clients.add({**made, "client_id": client_id, **metadata})


# --- registration.md ----------------------------------------------------------------------------------------------
class Shell:
    def __init__(self, site, folder, **variables):
        self.site, self.folder, self.variables = site, folder, variables

    def run(self, line):
        """Run one request of the page; what it answers."""
        exports = "\n".join(f"export {name}='{value}'" for name, value in self.variables.items())
        script = f"{exports}\n{line.replace('https://as.example', self.site.issuer)}"
        done = subprocess.run(
            ["bash", "-euc", script], cwd=self.folder, capture_output=True, text=True, timeout=60, check=True
        )
        return json.loads(done.stdout) if done.stdout else None


def requests_in(text):
    return re.sub(r"\\\n\s*", "", text).strip().splitlines()


def test_client_registers_changes_and_removes_itself(site, folder):
    registering, managing, rolling = blocks_tested_by("test_client_registers_changes_and_removes_itself", REGISTRATION)
    for name in ("billing", "next"):
        assert client_main(["keygen", "--out", name]) == 0
    file = folder / "billing.registration.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"client_name": "Billing", "scope": "read"}))
    with site.app.app_context():
        token, _ = site.oauth.registration_tokens.create(label="ACME", uses=1, lifetime=86400)
    shell = Shell(site, folder, REGISTRATION_TOKEN=token)

    made = shell.run(*requests_in(registering))
    shell.variables = {"URI": made["registration_client_uri"], "TOKEN": made["registration_access_token"]}
    read, patch, put, delete = requests_in(managing)
    assert shell.run(read)["client_name"] == "Billing"
    assert shell.run(patch)["client_name"] == "Billing, Berlin"
    whole = json.loads(file.read_text()) | {"client_id": made["client_id"], "client_name": "Whole"}
    (folder / "whole.json").write_text(json.dumps(whole))
    assert shell.run(put)["client_name"] == "Whole"

    keys = {"OLD": whole["jwks"]["keys"][0], "NEW": json.loads((folder / "next.jwks.json").read_text())["keys"][0]}
    headers = '-H "Authorization: Bearer $TOKEN" -H "Content-Type: application/merge-patch+json"'
    for line, count in zip(requests_in(rolling), (2, 1), strict=True):
        line = re.sub(r"\b(OLD|NEW)\b", lambda name: json.dumps(keys[name[1]]), line.replace("…", headers))
        assert len(shell.run(line)["jwks"]["keys"]) == count

    assert shell.run(delete) is None
    assert "error" in shell.run(read)


# --- authorization.md, online-checks.md ---------------------------------------------------------------------------
def run_program(page, test, site, names):
    """Run the one program of *page* that this test is named for."""
    (source,) = blocks_tested_by(test, page)
    exec(compile(source.replace("https://as.example", site.issuer), page, "exec"), names)
    return names


def test_signed_request_is_pushed(site, folder, monkeypatch):
    register(
        site, "webapp", redirect_uris=["https://app.example/callback"], grant_types=["authorization_code"], scope="read"
    )
    shown = next(block.text for block in read_blocks(AUTHORIZATION) if '"code_challenge"' in block.text)
    parameters = json.loads(shown) | {"aud": site.issuer, "state": "x", "code_challenge": "c" * 43}
    parameters |= {"nbf": int(time.time()), "exp": int(time.time()) + 300}
    answers = []
    post = requests.post
    monkeypatch.setattr(requests, "post", lambda *given, **named: answers.append(post(*given, timeout=30, **named)))

    run_program(AUTHORIZATION, "test_signed_request_is_pushed", site, {"parameters": parameters})

    assert [answer.status_code for answer in answers] == [201]


def test_issuer_is_asked_and_token_revoked(site, folder):
    register(site, "billing", scope="read", default_scope="read")
    register(site, "orders-api", introspection_resources=[site.api])
    token = TokenClient(site.issuer, "billing", key="billing.pem").request_token(resource=site.api).access_token

    names = run_program(ONLINE, "test_issuer_is_asked_and_token_revoked", site, {"token": token})

    introspection = names["IntrospectionClient"](site.issuer, "orders-api", key="orders-api.pem")
    assert names["introspection"].active is True
    assert names["introspection"].claims["client_id"] == "billing"
    assert introspection.introspect(token).active is False
