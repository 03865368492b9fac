"""``examples/atproto/``: the server and the app as their page starts them, and a person with a browser."""

import re
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from urllib.parse import urljoin

import pytest
import requests

from tests.checkout import CHECKOUT
from tests.faults.served import environment_of
from tests.servers.ports import free_port

EXAMPLE = CHECKOUT / "examples" / "atproto"
SECONDS = 30


@contextmanager
def running(command, folder, environment):
    with (folder / "errors.log").open("w+") as errors:
        process = subprocess.Popen(
            command, cwd=folder, env=environment_of(environment), stdout=subprocess.PIPE, stderr=errors, text=True
        )
        timer = threading.Timer(2 * SECONDS, process.kill)  # a test that reads what it says would wait for ever
        timer.start()
        try:
            yield process
        finally:
            timer.cancel()
            process.kill()
            process.wait()
            process.stdout.close()


def wait_for(url, process, folder):
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return requests.get(url, timeout=5)
        except requests.ConnectionError:
            assert process.poll() is None, (folder / "errors.log").read_text()
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.05)


@pytest.fixture
def origin(tmp_path):
    """The server, as ``flask run`` starts it."""
    folder, port = tmp_path / "pds", free_port()
    shutil.copytree(EXAMPLE, folder)
    environment = {"PORT": str(port), "FLASK_SECRET_KEY": "a secret for tests only, long enough"}
    command = [sys.executable, "-m", "flask", "--app", "pds", "run", "-p", str(port)]
    with running(command, folder, environment | {"PYTHONPATH": str(CHECKOUT)}) as process:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/.well-known/did.json", process, folder)
        yield url


@pytest.fixture
def app(tmp_path, origin, node):
    """The app, as ``node`` starts it, and the lines that it says."""
    folder = tmp_path / "app"
    folder.mkdir()
    shutil.copy(EXAMPLE / "client.mjs", folder)
    (folder / "node_modules").symlink_to(node.modules)
    environment = {"PDS": origin, "PORT": str(free_port()), "NODE_NO_WARNINGS": "1"}
    with running([node.program, "client.mjs"], folder, environment) as process:
        yield process


def answer_page(browser, page, **form):
    """Fill in the form of a page, and follow to where it leads."""
    action = re.search(r'action="([^"]*)"', page.text)
    token = re.search(r'name="decision_token" value="([^"]*)"', page.text)
    if token:
        form["decision_token"] = token[1]
    url = urljoin(page.url, action[1].replace("&amp;", "&") if action else "")
    return browser.post(url, data=form, timeout=SECONDS)


def test_person_signs_in_to_the_app_as_the_page_says(app):
    first = app.stdout.readline()
    assert first.startswith("open http://127.0.0.1:"), first

    with requests.Session() as browser:
        sign_in = browser.get(first.removeprefix("open ").strip(), timeout=SECONDS)
        assert "Password of alice" in answer_page(browser, sign_in, password="wrong").text
        consent = answer_page(browser, sign_in, password="wonderland")
        assert "http://localhost?redirect_uri=" in consent.text
        done = answer_page(browser, consent, decision="allow")

    assert done.text == "You are signed in; go back to the terminal."
    said = app.stdout.read().splitlines()
    assert app.wait(SECONDS) == 0
    did = re.fullmatch(r"signed in as (did:web:localhost%3A\d+)", said[0])[1]
    notes = f'200 {{"notes":["a note of {did}"]}}'
    assert said[1:] == [notes, "renewed", notes, "signed out"]


def test_document_of_the_account_names_the_server(origin):
    document = requests.get(f"{origin}/.well-known/did.json", timeout=SECONDS).json()

    assert document["service"][0]["serviceEndpoint"] == origin
    resource = requests.get(f"{origin}/.well-known/oauth-protected-resource", timeout=SECONDS).json()
    assert (resource["resource"], resource["authorization_servers"]) == (origin, [origin])
    assert resource["dpop_bound_access_tokens_required"] is True
