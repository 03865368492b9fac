"""The unit of ``deploy/token-server.service``: what its command survives, and what it takes a supervisor for."""

import configparser
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.checkout import CHECKOUT
from tests.faults.served import FACTORY, ask_token, call, environment_of, set_up
from tests.servers.ports import free_port
from tests.servers.processes import children_of

UNIT = CHECKOUT / "deploy" / "token-server.service"


@pytest.fixture
def unit() -> configparser.SectionProxy:
    parsed = configparser.ConfigParser(interpolation=None, delimiters=("=",), strict=False)
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read(UNIT)
    return parsed["Service"]


def command_of(unit: configparser.SectionProxy, port: int, *, without: str | None = None) -> list[str]:
    """What the unit starts, with this test's program, app and port, and two workers."""
    program, *options = shlex.split(unit["ExecStart"])
    assert program.endswith("/granian")
    options = [option for option in options if option != without]
    ours = {"myapp:create_app": FACTORY, "8000": str(port), "4": "2"}
    return [sys.executable, "-m", "granian", *(ours.get(option, option) for option in options)]


@contextmanager
def started(command: list[str], environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def find_workers(port: int, count: int, *, besides: frozenset[int] = frozenset()) -> set[int]:
    deadline, found = time.monotonic() + 60, set[int]()
    while len(found) < count and time.monotonic() < deadline:
        with suppress(OSError):
            found.add(int(call(port, "GET", "/worker").body))
            found -= besides
    assert len(found) == count
    return found


def wait_for_child(process: "subprocess.Popen[bytes]", *, besides: set[int]) -> int:
    """The worker that takes the place of another, as soon as it was started."""
    deadline = time.monotonic() + 60
    while not (new := children_of(process) - besides):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return new.pop()


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        yield {"FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/as.sqlite"}


def test_a_worker_that_dies_is_replaced(unit, environment):
    caller, port = set_up(environment), free_port()

    with started(command_of(unit, port), environment_of(environment)) as process:
        victim = min(find_workers(port, 2))
        os.kill(victim, signal.SIGKILL)
        find_workers(port, 2, besides=frozenset({victim}))

        assert process.poll() is None
        assert ask_token(port, caller.build_form()).status == 200


def test_without_the_option_the_server_ends_with_its_worker(unit, environment):
    set_up(environment)
    port = free_port()

    with started(command_of(unit, port, without="--respawn-failed-workers"), environment_of(environment)) as process:
        os.kill(min(find_workers(port, 2)), signal.SIGKILL)

        assert process.wait(60) is not None


def test_a_server_that_ends_is_started_again_by_its_supervisor(unit, environment):
    caller, port = set_up(environment), free_port()
    assert (unit["Restart"], unit["RestartSec"]) == ("always", "1")
    command = command_of(unit, port)

    with started(command, environment_of(environment)) as process:
        first = find_workers(port, 2)
        os.kill(min(first), signal.SIGKILL)
        os.kill(wait_for_child(process, besides=first), signal.SIGKILL)  # twice within 5.5 s
        process.wait(60)
    with started(command, environment_of(environment)):  # as Restart=always does
        find_workers(port, 2)

        assert ask_token(port, caller.build_form()).status == 200
