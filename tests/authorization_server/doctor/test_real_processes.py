"""The command in a process of its own, against workers in processes of theirs."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import requests
from sqlalchemy import create_engine, text

from tests.checkout import CHECKOUT
from tests.servers.ports import free_port
from tests.servers.processes import running
from tests.tables import create_tables

APP = "tests.authorization_server.doctor.token_server"
SECONDS = 60


@pytest.fixture
def environment(tmp_path):
    """What server and command are started with."""
    port = free_port()
    return port, {
        "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path}/as.sqlite",
        "FLASK_OAUTH2_ISSUER": f"http://127.0.0.1:{port}",
        "FLASK_OAUTH2_RESOURCES": "https://api.example",
        "NO_PROXY": "127.0.0.1",
    }


@pytest.fixture
def engine(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/as.sqlite")
    create_tables(engine)
    yield engine
    engine.dispose()


@contextmanager
def serve(tmp_path, environment, *, workers=2, **further):
    """The server, once every worker has answered a request."""
    port, variables = environment
    granian = ["-m", "granian", "--interface", "wsgi", "--factory", "--no-ws", "--workers", str(workers)]
    where = ["--host", "127.0.0.1", "--port", str(port), f"{APP}:create_app"]
    with running([*granian, *where], port, tmp_path, {**variables, **further}) as url:
        seen, give_up = set(), time.monotonic() + SECONDS
        while len(seen) < workers:
            assert time.monotonic() < give_up, seen
            with requests.Session() as session:
                session.trust_env = False
                seen.add(session.get(f"{url}/", timeout=SECONDS).headers["Worker"])
        yield


def start(environment, *words):
    arguments = [sys.executable, "-m", "flask", "--app", APP, "oauth2", "doctor", *words]
    variables = {**os.environ, "PYTHONPATH": str(CHECKOUT), **environment[1]}
    return subprocess.Popen(arguments, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def examine(environment, *words):
    process = start(environment, "--json", *words)
    said, errors = process.communicate(timeout=SECONDS)
    assert said, errors
    return {row["id"]: row for row in json.loads(said)}, process.returncode


def test_two_workers_with_one_store_are_right(tmp_path, engine, environment):
    with serve(tmp_path, environment):
        rows, exit_code = examine(environment, "--live", "--accept", "issuer-https")

    assert [name for name, row in rows.items() if row["ok"] is False] == ["issuer-https"]
    assert rows["issuer-https"]["accepted"] is True
    assert exit_code == 0


def test_two_workers_that_each_remember_for_themselves_are_found_out(tmp_path, engine, environment):
    environment[1]["FLASK_OAUTH2_REPLAY_STORE"] = "memory"
    with serve(tmp_path, environment):
        rows, exit_code = examine(environment, "--live")

    assert exit_code == 1
    assert rows["replay-store-shared"]["ok"] is False
    for name in ("attempt-reuse-client-assertion", "dpop-negative-tests-jti-again"):
        assert rows[name]["ok"] is False
        assert "Received: 200 and a token" in rows[name]["why"]
        assert "OAUTH2_REPLAY_STORE" in rows[name]["change"]
    assert rows["live-clean-up"]["ok"]
    assert rows["ensure-client-assertion-with-wrong-aud-fails"]["ok"]


def count_clients(engine):
    with engine.connect() as connection:
        return connection.execute(text("SELECT count(*) FROM oauth2_client")).scalar_one()


def test_client_is_removed_when_the_command_is_ended(tmp_path, engine, environment):
    with serve(tmp_path, environment, workers=1, FLASK_REST="0.3"):
        process = start(environment, "--live")
        give_up = time.monotonic() + SECONDS
        while not count_clients(engine):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < give_up
            time.sleep(0.02)

        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == 1
    assert count_clients(engine) == 0
    assert "live-clean-up" in said
    assert "happy-flow" not in said
