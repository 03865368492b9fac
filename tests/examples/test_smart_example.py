"""docs/smart.md, followed: its server and its client, each a program of its own."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import requests

from tests.checkout import CHECKOUT
from tests.servers.ports import free_port

EXAMPLE = CHECKOUT / "examples" / "smart"
SECONDS = 60
BOTH = "Haemoglobin\nBody height\n"


@pytest.fixture(autouse=True)
def clock_():
    """The wall clock goes on: programs of their own look at it."""


class Example:
    """The programs in a folder of their own, on a free port."""

    def __init__(self, folder):
        self.folder = folder
        for file in EXAMPLE.glob("*.py"):
            shutil.copy(file, folder)
        self.port = str(free_port())
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.fhir = f"{self.issuer}/fhir"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("FLASK_")}
        self.environment |= {
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "FLASK_OAUTH2_ISSUER": self.issuer,
            "FLASK_OAUTH2_RESOURCE": self.fhir,
            "FHIR": self.fhir,
        }

    def run(self, *words):
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def flask(self, *words):
        done = self.run("-m", "flask", "--app", "app", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def serving(self):
        command = [sys.executable, "-m", "flask", "--app", "app", "run", "-p", self.port]
        with (self.folder / "server.log").open("w") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
            try:
                _wait_for(f"{self.fhir}/.well-known/smart-configuration", process)
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


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    example = Example(tmp_path_factory.mktemp("smart"))
    example.environment["FLASK_SECRET_KEY"] = example.flask("oauth2", "secret").strip()
    keygen = ("-m", "flask_private_key_jwt.client", "keygen", "--alg", "ES384", "--out", "bulk")
    assert example.run(*keygen).returncode == 0
    add = ("oauth2", "client", "add", "bulk.registration.json", "--client-id", "bulk", "--scope", "system/*.rs")
    example.flask(*add)
    with example.serving():
        yield example


@pytest.mark.parametrize("scope", [[], ["system/Observation.rs"], ["system/*.rs"]])
def test_client_finds_everything_from_the_url_of_the_fhir_server(scope, example):
    done = example.run("client.py", *scope)

    assert (done.stdout, done.stderr) == (BOTH, "")


@pytest.mark.parametrize("scope", ["system/Observation.cruds", "patient/Observation.rs", "system/*.*", "*"])
def test_client_is_refused_what_it_is_not_registered_for(scope, example):
    done = example.run("client.py", scope)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "invalid_scope: The requested scope is invalid.\n"


@pytest.mark.parametrize(
    "scope", ["system/Patient.rs", "system/Observation.r", "system/Observation.rs?category=laboratory"]
)
def test_token_that_allows_less_does_not_open_the_view(scope, example):
    done = example.run("client.py", scope)

    assert (done.returncode, done.stdout) == (1, "")
    assert 'error="insufficient_scope"' in done.stderr
    assert 'scope="system/Observation.rs"' in done.stderr


def test_both_documents_say_the_same(example):
    below_issuer, below_fhir = (
        requests.get(f"{base}/.well-known/smart-configuration", timeout=5).json()
        for base in (example.issuer, example.fhir)
    )

    assert below_issuer == below_fhir
    assert below_fhir["capabilities"] == ["client-confidential-asymmetric", "permission-v2"]


def test_page_shows_what_is_run_here():
    page = (CHECKOUT / "docs" / "smart.md").read_text(encoding="utf-8")

    assert all(f"(../examples/smart/{file.name})" in page for file in EXAMPLE.glob("*.py"))
    add = 'flask --app app oauth2 client add bulk.registration.json --client-id bulk --scope "system/*.rs"'
    assert f"--out bulk\n    {add}\n" in page
    assert "# Haemoglobin\n    # Body height\n" in page
    settings = page.partition("```python\napp.config.from_mapping(\n")[2].partition("\n)\n```")[0]
    app = (EXAMPLE / "app.py").read_text(encoding="utf-8")
    assert all(line in app for line in settings.splitlines())
