"""Fixtures of the demo's tests."""

import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from demo.console_client.__main__ import main
from demo.token_server import create_app, users
from demo.token_server.database import db
from demo.token_server.users import add_user
from tests.demo.demo_program import Demo
from tests.demo.token_server_browser import CHEAP, Browser


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
    monkeypatch.setenv("COLUMNS", "1000")  # no sentence is broken into lines

    def run(*words: str) -> SimpleNamespace:
        code = main([*words, *site.where])
        out, err = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=out, stderr=err)

    return run


# --- the token server in this process ---------------------------------------------------------------------
@pytest.fixture
def cheap_hashes(monkeypatch):
    monkeypatch.setattr(users, "_METHOD", CHEAP)
    monkeypatch.setattr(users, "_NOBODYS_HASH", f"{CHEAP}$nobody${'0' * 64}")


@pytest.fixture
def make_token_server(tmp_path, monkeypatch, cheap_hashes):
    """Make the demo's token server, on one database each time: as workers do."""
    made = []

    def make(issuer="http://127.0.0.1:5001"):
        monkeypatch.setenv("FLASK_SECRET_KEY", "a secret for tests only, long enough")
        monkeypatch.setenv("FLASK_SQLALCHEMY_DATABASE_URI", f"sqlite:///{tmp_path}/people.sqlite")
        monkeypatch.setenv("FLASK_OAUTH2_ISSUER", issuer)
        made.append(create_app())
        return made[-1]

    yield make
    for app in made:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def app(make_token_server):
    app = make_token_server()
    with app.app_context():
        db.create_all()
        add_user("alice", "wonderland")
        add_user("bob", "builder")
    return app


@pytest.fixture
def browser(app):
    return Browser(app)
