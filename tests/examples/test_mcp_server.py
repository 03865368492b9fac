"""examples/mcp_server as its README has it: both servers run as processes, and the SDK's client calls a tool."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from flask_private_key_jwt import clock
from flask_private_key_jwt.client import TokenClient
from tests.checkout import CHECKOUT
from tests.servers.ports import free_port
from tests.servers.processes import running

EXAMPLE = CHECKOUT / "examples" / "mcp_server"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
JSON_OR_EVENTS = {"Accept": "application/json, text/event-stream"}


def set_up(folder: Path, issuer_port: int, api_port: int) -> dict[str, str]:
    """Do what the README says before the servers start; return the variables that it exports."""
    commands = re.findall(r"^    (.*)$", (EXAMPLE / "README.md").read_text(encoding="utf-8"), re.M)
    assert commands[0].startswith("pip install")
    script = "\n".join(commands[1:]).replace(":5000", f":{issuer_port}").replace(":8000", f":{api_port}")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    finished = subprocess.run(
        ["bash", "-euc", f"{script}\nenv -0 >variables"],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    variables = (folder / "variables").read_text(encoding="utf-8").split("\x00")
    return dict(line.split("=", 1) for line in variables if "OAUTH2_" in line or line.startswith("FLASK_"))


def run(folder: Path, variables: dict[str, str], *arguments: str) -> str:
    """What a Python program says."""
    finished = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture(autouse=True)
def real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers are processes of their own, whose clock does not stand still."""
    monkeypatch.setattr(clock, "now", lambda: int(time.time()))


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """The example with both servers running: its folder and its variables."""
    pytest.importorskip("mcp.server.mcpserver")
    folder = tmp_path_factory.mktemp("example") / "mcp_server"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    issuer_port, api_port = free_port(), free_port()
    variables = set_up(folder, issuer_port, api_port)
    issuing = ["-m", "flask", "run", "-p", str(issuer_port)]
    serving = ["-m", "uvicorn", "server:app", "--port", str(api_port)]
    with (
        running(issuing, issuer_port, folder, variables),
        running(serving, api_port, folder, variables),
    ):
        yield folder, variables


def test_the_client_of_the_sdk_connects_and_calls_a_tool(example):
    folder, variables = example

    assert run(folder, variables, "agent.py").splitlines() == ["tools: whoami", "whoami: agent may tools"]


def test_without_a_token_the_server_says_where_to_get_one(example):
    _, variables = example
    resource = variables["OAUTH2_RESOURCE"]

    answer = requests.post(resource, json=INITIALIZE, headers=JSON_OR_EVENTS, timeout=5)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    origin = resource.removesuffix("/mcp")
    metadata = f"{origin}/.well-known/oauth-protected-resource/mcp"
    assert answer.headers["WWW-Authenticate"] == f'Bearer scope="tools", resource_metadata="{metadata}"'
    document = requests.get(metadata, timeout=5).json()
    assert (document["resource"], document["authorization_servers"]) == (resource, [variables["OAUTH2_ISSUER"]])
    assert document["scopes_supported"] == ["tools"]


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_a_wrong_token_reaches_nothing(example, method):
    headers = {**JSON_OR_EVENTS, "Authorization": "Bearer x"}

    answer = requests.request(method, example[1]["OAUTH2_RESOURCE"], json=INITIALIZE, headers=headers, timeout=5)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert 'scope="tools"' in answer.headers["WWW-Authenticate"]


def initialize(url: str, token: str) -> requests.Response:
    headers = {**JSON_OR_EVENTS, "Authorization": f"Bearer {token}"}
    return requests.post(url, json=INITIALIZE, headers=headers, timeout=5)


def test_nobody_else_continues_a_session(example):
    folder, variables = example
    url = variables["OAUTH2_RESOURCE"]
    first, second = (get_token(folder, variables, name) for name in ("agent", "other"))
    session = initialize(url, first).headers["Mcp-Session-Id"]

    def list_tools(token: str) -> int:
        headers = {**JSON_OR_EVENTS, "Authorization": f"Bearer {token}", "Mcp-Session-Id": session}
        asked: Any = {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}}
        return requests.post(url, json=asked, headers=headers, timeout=5).status_code

    assert list_tools(first) == 200
    assert list_tools(second) == 404


def get_token(folder: Path, variables: dict[str, str], client_id: str) -> str:
    """A token for a client, which is registered if it is another than that of the README."""
    if client_id != "agent":
        registration = f"{client_id}.registration.json"
        run(folder, variables, "-m", "flask_private_key_jwt.client", "keygen", "--out", client_id)
        options = ["--client-id", client_id, "--scope", "tools"]
        run(folder, variables, "-m", "flask", "oauth2", "client", "add", registration, *options)
    client = TokenClient(variables["OAUTH2_ISSUER"], client_id, key=folder / f"{client_id}.pem")
    return client.request_token(resource=variables["OAUTH2_RESOURCE"], scope="tools").access_token
