"""Fixtures of the demo's tests."""

import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from demo_program import Demo

from demo.console_client.__main__ import main


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> Iterator[None]:
    """A test run in the background ignores Ctrl-C, and so would every program it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def real_time(clock, monkeypatch):
    """The servers are programs of their own and know nothing of the clock that other tests move."""
    monkeypatch.setattr("flask_private_key_jwt.clock.now", lambda: int(time.time()))


@pytest.fixture(scope="session")
def prepared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys, database and registrations, made once."""
    folder = tmp_path_factory.mktemp("prepared") / "demo folder"
    done = Demo(folder).run("demo.prepare")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def demo(prepared_folder: Path, tmp_path: Path) -> Iterator[Demo]:
    """A demo that is prepared and not started; the test fails if it leaves a process behind."""
    demo = Demo(shutil.copytree(prepared_folder, tmp_path / "demo folder"))
    yield demo
    assert demo.is_gone(), demo.processes()


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    """A socket of somebody else's."""
    with socket.socket() as other:
        yield other


@pytest.fixture(scope="module")
def site(prepared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Both servers, each started by hand."""
    demo = Demo(shutil.copytree(prepared_folder, tmp_path_factory.mktemp("site") / "demo folder"))
    with (
        demo.serving("flask", "demo.token_server", demo.as_port),
        demo.serving("granian", "demo.resource_server", demo.api_port),
    ):
        yield demo
    assert demo.is_gone(), demo.processes()


@pytest.fixture
def console(site, monkeypatch, capsys):
    """The console client, called in this process."""
    monkeypatch.setattr("demo.clients.FOLDER", site.folder)

    def run(*words: str) -> SimpleNamespace:
        code = main([*words, *site.where])
        out, err = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=out, stderr=err)

    return run
