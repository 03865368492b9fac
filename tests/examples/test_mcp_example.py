"""docs/mcp.md, followed: its authorization server, its MCP server and its client, each a program of its own."""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
import requests

from tests.checkout import CHECKOUT
from tests.servers.ports import free_port
from tests.servers.throwaway import miss

EXAMPLE = CHECKOUT / "examples" / "mcp"
SERVER = CHECKOUT / "examples" / "mcp_server" / "server.py"
BROWSER = Path(__file__).with_name("allowing_browser.py")
SECONDS = 60


@pytest.fixture(autouse=True)
def clock_():
    """The wall clock goes on: programs of their own look at it."""


class Example:
    """The three programs in a folder of their own, on free ports."""

    def __init__(self, folder):
        self.folder = folder
        for file in (*EXAMPLE.glob("*.py"), SERVER):
            shutil.copy(file, folder)
        self.issuer, self.port = f"http://127.0.0.1:{free_port()}", free_port()
        self.resource = f"http://127.0.0.1:{self.port}/mcp"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("FLASK_", "MCP"))}
        self.environment |= {
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "FLASK_OAUTH2_ISSUER": self.issuer,
            "FLASK_OAUTH2_RESOURCES": self.resource,
            "OAUTH2_ISSUER": self.issuer,
            "OAUTH2_RESOURCE": self.resource,
            "BROWSER": f"{sys.executable} {BROWSER} %s",
        }

    def run(self, *words, **environment):
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    @contextmanager
    def serving(self, url, *words):
        with (self.folder / f"{words[1]}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, *words], cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )
            try:
                _wait_for(url, process)
                yield
            finally:
                process.terminate()
                process.wait(SECONDS)


def _wait_for(url, process):
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            requests.get(url, timeout=5)
            return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(f"nothing answers at {url}")


@pytest.fixture
def example(tmp_path):
    if find_spec("mcp") is None:
        miss("no MCP SDK: mcp is not installed")
    example = Example(tmp_path)
    example.environment["FLASK_SECRET_KEY"] = example.run(
        "-m", "flask", "--app", "app", "oauth2", "secret"
    ).stdout.strip()
    app = ("-m", "flask", "--app", "app", "run", "-p", example.issuer.rpartition(":")[2])
    with (
        example.serving(f"{example.issuer}/.well-known/oauth-authorization-server", *app),
        example.serving(example.resource, "-m", "uvicorn", "server:app", "--port", str(example.port)),
    ):
        yield example


def test_client_registers_asks_a_person_and_calls_the_tool(example):
    done = example.run("client.py", example.resource)

    client_id, _, may = done.stdout.strip().partition(" ")
    assert may == "may tools", done.stderr
    registered = example.run("-m", "flask", "--app", "app", "oauth2", "client", "show", client_id, "--json")
    assert json.loads(registered.stdout)["client_name"] == "Example MCP Client"


def test_tokens_of_another_server_are_no_use_at_the_tool(example):
    answer = requests.post(
        example.resource,
        headers={"Authorization": "Bearer x.y.z", "Accept": "application/json, text/event-stream"},
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
        timeout=10,
    )

    assert answer.status_code == 401
    assert "resource_metadata=" in answer.headers["WWW-Authenticate"]


def test_page_names_the_files_and_the_settings_of_the_example():
    page = (CHECKOUT / "docs" / "mcp.md").read_text(encoding="utf-8")
    source = (EXAMPLE / "app.py").read_text(encoding="utf-8")

    assert all(f"(../{file.relative_to(CHECKOUT)})" in page for file in (*EXAMPLE.glob("*.py"), SERVER))
    assert [line for line in page.splitlines() if line.startswith("    OAUTH2_") and line not in source] == []
