"""Start the demo's servers, wait until they answer, and stop them whatever happens."""

import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import requests

from .folder import FOLDER
from .run_mark import HEADER, VARIABLE

HOST = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 5.0
STOP_EVERY_SECONDS = 0.1
WATCH_EVERY_SECONDS = 0.5
LOG_LINES = 30
ASKED_TO_SEE_WHO_ANSWERS = 20
"""The kernel distributes connections at random: with so many, a second server is missed once in a million times."""


class DemoFailed(Exception):
    """The demo cannot go on; the message is for the person at the keyboard."""


@dataclass(frozen=True, slots=True)
class Server:
    """One of the demo's servers."""

    name: str
    module: str
    port: int
    port_variable: str
    """What chooses the port: ``make demo AS_PORT=…``."""
    workers: int = 2
    """How many processes serve it."""
    target: str = "demo"
    """The target of the Makefile that starts it."""

    @property
    def url(self) -> str:
        """Its origin."""
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """What it prints."""
        return FOLDER / f"{self.name.replace(' ', '_')}.log"

    def end_of_log(self) -> str:
        """What it printed last, for a person who must find out what went wrong."""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join([f"The end of {self.log}:", *(f"    {line}" for line in lines)])

    def command(self) -> list[str]:
        """Granian, or Flask's development server where there is no granian."""
        where = ["--host", HOST, "--port", str(self.port)]
        if importlib.util.find_spec("granian"):
            options = ["--interface", "wsgi", "--factory", "--blocking-threads", "4", "--no-ws"]
            workers = ["--workers", str(self.workers), "--respawn-failed-workers"]
            return [sys.executable, "-m", "granian", *options, *workers, *where, f"{self.module}:create_app"]
        return [sys.executable, "-m", "flask", "--app", self.module, "run", *where]

    def check_port(self) -> None:
        """Say which port is taken before anything starts.

        :raises DemoFailed: Something listens there already, or the port is not to be had.
        """
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just left is free
            try:
                probe.bind((HOST, self.port))
            except OSError as error:
                raise DemoFailed(
                    f"Port {self.port} is not free ({error.strerror}), so the {self.name} cannot start.\n"
                    f"Stop what uses it, or choose another: make {self.target} {self.port_variable}={self.port + 100}"
                ) from None

    def answers(self) -> bool:
        """Whether it answers a request, whatever it says."""
        return self.ask_mark() is not None

    def ask_mark(self) -> str | None:
        """The mark of the run that an answer belongs to, empty for a stranger's; ``None``: there is no answer."""
        try:
            with requests.Session() as session:
                session.trust_env = False  # on this machine: no proxy
                return session.get(f"{self.url}/", timeout=1, allow_redirects=False).headers.get(HEADER, "")
        except requests.RequestException:
            return None


class Running:
    """Servers as child processes, each in a process group of its own, for the length of a ``with`` block.

    :param environment: What they get beside this process's environment.
    """

    def __init__(self, servers: Sequence[Server], environment: Mapping[str, str]) -> None:
        self._servers = servers
        self._mark = secrets.token_hex(8)
        self._environment = {**os.environ, **environment, VARIABLE: self._mark}
        self._processes: dict[Server, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Running":
        try:
            for server in self._servers:
                self._start(server)
            for server in self._servers:
                self._wait_for(server)
                for _ in range(ASKED_TO_SEE_WHO_ANSWERS):
                    self._check_alone(server)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        self.stop()

    def wait(self, until: Callable[[], bool]) -> None:
        """Go on until a signal says otherwise.

        :param until: Whether one did, if it did not raise ``KeyboardInterrupt``.
        :raises DemoFailed: A server ended by itself.
        """
        while not until():
            for server, process in self._processes.items():
                if process.poll() is not None:
                    raise DemoFailed(f"The {server.name} has ended.\n{server.end_of_log()}")
                self._check_alone(server)
            time.sleep(WATCH_EVERY_SECONDS)

    def _check_alone(self, server: Server) -> None:
        """See that it is our server that answers.

        :raises DemoFailed: Another one listens on the same port and takes a part of the requests.
        """
        if server.ask_mark() not in (self._mark, None):
            raise DemoFailed(
                f"Another server answers on port {server.port} too, and takes a part of the {server.name}'s requests.\n"
                f"Stop it, or choose another port: make {server.target} {server.port_variable}={server.port + 100}"
            )

    def _start(self, server: Server) -> None:
        with server.log.open("wb") as log:
            self._processes[server] = subprocess.Popen(
                server.command(),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches us alone; we stop them in order
            )

    def _wait_for(self, server: Server) -> None:
        give_up = time.monotonic() + START_SECONDS
        while not server.answers():
            if self._processes[server].poll() is not None:
                raise DemoFailed(f"The {server.name} did not start.\n{server.end_of_log()}")
            if time.monotonic() > give_up:
                raise DemoFailed(
                    f"The {server.name} did not answer within {START_SECONDS:.0f} seconds.\n{server.end_of_log()}"
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """End all servers and every process of theirs; a second Ctrl-C does not stop the stopping."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
        processes = list(self._processes.values())
        give_up = time.monotonic() + STOP_SECONDS
        while any(process.poll() is None for process in processes) and time.monotonic() < give_up:
            # Repeated, because a granian worker that is just starting may miss the first signal.
            for process in processes:
                _signal_group(process, signal.SIGTERM)
            time.sleep(STOP_EVERY_SECONDS)
        for process in processes:
            _signal_group(process, signal.SIGKILL)  # whoever of the group is left
            process.wait()
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # all gone; macOS says so by the second
        os.killpg(process.pid, number)
