"""docs/spa.md, followed: the page in a real browser signs in, calls the API, is reloaded, refreshes and signs out."""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import requests

from tests.checkout import CHECKOUT
from tests.servers.node import PACKAGES
from tests.servers.ports import free_port

EXAMPLE = CHECKOUT / "examples" / "spa"
SECONDS = 60
KEY_PAIR = "(await import('/kept.mjs')).load('key pair')"
TOKENS = "(await import('/kept.mjs')).load('tokens')"


@pytest.fixture(autouse=True)
def clock_():
    """The wall clock goes on: programs of their own look at it."""


class Example:
    """The two programs in a folder of their own, on free ports."""

    def __init__(self, folder, node_modules):
        self.folder = folder
        for file in EXAMPLE.iterdir():
            if file.is_file():
                shutil.copy(file, folder)
        self.issuer, self.page = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("FLASK_")}
        self.environment |= {
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "FLASK_OAUTH2_ISSUER": self.issuer,
            "FLASK_OAUTH2_RESOURCE": f"{self.issuer}/api",
            "FLASK_OAUTH2_CORS_ORIGINS": self.page,
            "ISSUER": self.issuer,
            "NODE_MODULES": str(node_modules),
        }

    def flask(self, *words):
        done = subprocess.run(
            [sys.executable, "-m", "flask", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def serving(self, name, url):
        command = [sys.executable, "-m", "flask", "--app", name, "run", "-p", url.rpartition(":")[2]]
        with (self.folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
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


@pytest.fixture(scope="module")
def example(_node_installed, tmp_path_factory):
    example = Example(tmp_path_factory.mktemp("spa"), _node_installed[1])
    example.environment["FLASK_SECRET_KEY"] = example.flask("--app", "app", "oauth2", "secret").strip()
    example.flask("--app", "app", "oauth2", "client", "add", "spa.json")
    with example.serving("app", example.issuer), example.serving("page", example.page):
        yield example


def sign_in(chromium, example):
    chromium.open(example.page)
    chromium.press("#sign-in")
    chromium.fill(name="alice", password="wonderland")
    chromium.press("form button")
    chromium.press("button[value=allow]")
    chromium.wait_for_text("#said", "You are signed in.")


def test_person_signs_in_calls_reloads_refreshes_and_signs_out(chromium, example):
    sign_in(chromium, example)
    assert chromium.evaluate("location.href") == f"{example.page}/"  # no code is left in the URL
    chromium.press("#call")
    chromium.wait_for_text("#said", "You are alice.")

    chromium.evaluate("window.before = true")
    chromium.reload()
    chromium.wait_for("window.before === undefined && document.readyState === 'complete'")
    chromium.wait_for_text("#said", "You are signed in.")
    chromium.press("#call")
    chromium.wait_for_text("#said", "You are alice.")

    before = chromium.evaluate(f"(async () => await {TOKENS})()")
    chromium.press("#refresh")
    chromium.wait_for_text("#said", "You have new tokens.")
    after = chromium.evaluate(f"(async () => await {TOKENS})()")
    assert after["access_token"] != before["access_token"]
    assert after["refresh_token"] != before["refresh_token"]
    assert after["token_type"] == "dpop"
    chromium.press("#call")
    chromium.wait_for_text("#said", "You are alice.")

    chromium.press("#sign-out")
    chromium.wait_for_text("#said", "Nobody is signed in.")
    expected = (" 400 ", " 401 ", "favicon.ico")  # the first proof to each server has no nonce yet
    assert [error for error in chromium.errors if not any(word in error for word in expected)] == []


def test_key_cannot_be_taken_out_and_stays_the_same(chromium, example):
    sign_in(chromium, example)
    script = f"""(async () => {{
        const pair = await {KEY_PAIR};
        const taken = await crypto.subtle.exportKey("jwk", pair.privateKey).then(() => "taken", (error) => error.name);
        return [pair.privateKey.extractable, taken, (await crypto.subtle.exportKey("jwk", pair.publicKey)).x];
    }})()"""

    extractable, taken, x = chromium.evaluate(script)
    assert (extractable, taken) == (False, "InvalidAccessError")
    chromium.reload()
    chromium.wait_for_text("#said", "You are signed in.")
    assert chromium.evaluate(script)[2] == x


def test_stolen_tokens_are_no_use_without_the_key(chromium, example):
    sign_in(chromium, example)
    tokens = chromium.evaluate(f"(async () => await {TOKENS})()")

    api = requests.get(
        f"{example.issuer}/api/me", headers={"Authorization": f"Bearer {tokens['access_token']}"}, timeout=5
    )
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": "spa"}
    refreshed = requests.post(f"{example.issuer}/oauth2/token", data=form, timeout=5)

    assert (api.status_code, refreshed.status_code) == (401, 400)
    assert "access_token" not in refreshed.json()


def test_page_reads_a_refusal_and_its_reference(chromium, example):
    sign_in(chromium, example)
    chromium.evaluate("""(async () => {
        const { keep, load } = await import("/kept.mjs");
        await keep("tokens", { ...(await load("tokens")), refresh_token: "somebody-elses" });
    })()""")

    chromium.press("#refresh")
    chromium.wait_for_text("#said", "That did not work: invalid_grant (reference ")


def test_person_who_says_no_is_heard(chromium, example):
    chromium.open(example.page)
    chromium.press("#sign-in")
    chromium.fill(name="alice", password="wonderland")
    chromium.press("form button")
    chromium.press("button[value=deny]")

    chromium.wait_for_text("#said", "That did not work: access_denied")


def test_page_of_another_origin_reads_nothing(chromium, example):
    """The same page under another name of this machine, which is not in ``OAUTH2_CORS_ORIGINS``."""
    port = example.page.rpartition(":")[2]
    chromium.open(f"http://localhost:{port}/config.json")
    attempt = f"""(async () => {{
        const init = {{ method: "POST", body: new URLSearchParams({{ grant_type: "x" }}) }};
        return await fetch("{example.issuer}/oauth2/token", init).then(() => "read", (error) => error.name);
    }})()"""

    assert chromium.evaluate("location.origin") == f"http://localhost:{port}"
    assert chromium.evaluate(attempt) == "TypeError"
    chromium.open(f"{example.page}/config.json")
    assert chromium.wait_for(attempt) == "read"


def test_page_shows_what_is_run_here():
    page = (CHECKOUT / "docs" / "spa.md").read_text(encoding="utf-8")
    app = (EXAMPLE / "app.py").read_text(encoding="utf-8")

    assert all(
        f"(../examples/spa/{file.name})" in page for file in EXAMPLE.iterdir() if file.suffix in {".py", ".js", ".html"}
    )
    settings = page.partition("```python\napp.config.from_mapping(\n")[2].partition("\n)\n```")[0]
    assert all(line in app for line in settings.splitlines())


def test_library_is_the_one_that_the_tests_have():
    wanted = json.loads((EXAMPLE / "package.json").read_text())["dependencies"]

    assert wanted.items() <= json.loads((PACKAGES / "package.json").read_text())["dependencies"].items()
