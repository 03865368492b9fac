"""The demo for real: programs of their own, on free ports, in a temporary folder instead of ``.demo``."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask_private_key_jwt.fetching.exchange import NoAnswer, exchange
from tests.checkout import CHECKOUT
from tests.servers.ports import free_port

SECONDS = 60
SERVERS = {
    kind: command.split()
    for kind, command in {
        "granian": (
            "granian --interface wsgi --factory {module}:create_app --port {port} --workers 2 --respawn-failed-workers"
        ),
        "gunicorn": "gunicorn {module}:create_app() --bind 127.0.0.1:{port} --workers 2",
        "flask": "flask --app {module} run -p {port}",
    }.items()
}
"""How the README starts a server."""


class Demo:
    """One demo: its folder, its ports, and the programs a person would start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.as_port = free_port()
        self.api_port = free_port()
        self.web_port = free_port()
        self.issuer = f"http://127.0.0.1:{self.as_port}"
        self.api = f"http://127.0.0.1:{self.api_port}"
        self.web = f"http://127.0.0.1:{self.web_port}"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("FLASK_")}
        self.environment |= {
            "DEMO_FOLDER": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "1000",  # no sentence is broken into lines
            "FLASK_OAUTH2_ISSUER": self.issuer,
            "FLASK_OAUTH2_RESOURCES": self.api,
            "FLASK_OAUTH2_RESOURCE": self.api,
        }

    def start(self, *words: str, **environment: str) -> "subprocess.Popen[str]":
        """A Python module as a program of its own: ``start("demo.run", …)``."""
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=CHECKOUT,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        process = self.start(*words, **environment)
        out, err = process.communicate(timeout=SECONDS)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    @contextmanager
    def serving(self, kind: str, module: str, port: int) -> Iterator[None]:
        """A server as the README starts it, for the length of a ``with`` block."""
        command = [word.format(module=module, port=port) for word in SERVERS[kind]]
        with (self.folder / f"{module}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=CHECKOUT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            while not answers(port):
                assert process.poll() is None, (self.folder / f"{module}.log").read_text()
                time.sleep(0.05)
            yield
        finally:
            while process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                time.sleep(0.1)

    @property
    def ports(self) -> list[str]:
        return ["--as-port", str(self.as_port), "--api-port", str(self.api_port), "--web-port", str(self.web_port)]

    @property
    def where(self) -> list[str]:
        return ["--issuer", self.issuer, "--api", self.api]

    def is_listening(self) -> bool:
        return any(accepts(port) for port in (self.as_port, self.api_port, self.web_port))

    def processes(self) -> list[str]:
        """The command lines of all processes of this demo that still run: they carry its folder's name."""
        return list(self._find_processes().values())

    def process_ids(self, word: str) -> list[int]:
        """Those whose command line holds *word*."""
        return [number for number, command in self._find_processes().items() if word in command]

    def _find_processes(self) -> dict[int, str]:
        mark = f"DEMO_FOLDER={self.folder}\0".encode()
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes():
                    command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(process.name)] = command
            except OSError:  # ended meanwhile, or another user's
                continue
        return found

    def is_gone(self, seconds: float = 10) -> bool:
        """Whether all of it has ended, soon."""
        give_up = time.monotonic() + seconds
        while self.processes() or self.is_listening():
            if time.monotonic() > give_up:
                return False
            time.sleep(0.05)
        return True


def answers(port: int) -> bool:
    try:
        exchange("GET", f"http://127.0.0.1:{port}/", timeout=2)
    except NoAnswer:
        return False
    return True


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
