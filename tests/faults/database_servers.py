"""Private database servers, which a program of this folder may freeze, stop and start again."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.servers.ports import free_port
from tests.servers.throwaway import KINDS, Program, _unprivileged, _wait_until_up


@dataclass
class DatabaseServer:
    """One server, with all of its processes."""

    name: str
    """``postgres``, ``mariadb`` or ``redis``."""
    url: str
    """As SQLAlchemy, or redis-py, reads it."""
    program: Program
    command: list[str]
    folder: Path
    process: "subprocess.Popen[bytes]"

    def new_database(self) -> str:
        """The URL of an empty database on this server."""
        name = f"fault_{secrets.token_hex(4)}"
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def freeze(self) -> None:
        """Stop every process where it stands: connections stay, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop the server as its administrator does in a hurry; what it committed stays."""
        self.process.send_signal(signal.SIGINT if self.name == "postgres" else signal.SIGTERM)
        self.process.wait()

    def start(self) -> None:
        """Start it again; returns once it answers."""
        self.process = _run(self.command, self.folder)
        _wait_until_up(lambda: self.program.check(self.url), self.process)

    def end(self) -> None:
        """Kill all of it."""
        self.thaw()
        self.process.send_signal(self.program.stop_signal)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self._signal(signal.SIGKILL)
        self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        # Twice: a process that was just being made when the first signal came is there by now.
        for _ in range(2):
            for process in _family(self.process.pid):
                with suppress(ProcessLookupError):
                    os.kill(process, number)


def find_binary(kind: str) -> Path | None:
    """Where a server's program is, if it is installed."""
    program = KINDS[kind].program
    return program.find() if program and Path("/proc").exists() else None


@contextmanager
def database_server(kind: str, *, home: Path | None = None) -> Iterator[DatabaseServer]:
    """A server that runs until the block ends.

    :param kind: ``postgres``, ``mariadb`` or ``redis``.
    :param home: Where it keeps its files; a folder of its own that goes away with it, unless it is given.
    """
    program, binary = KINDS[kind].program, find_binary(kind)
    assert program is not None
    assert binary is not None, f"{kind} is not installed"
    folder = home or Path(tempfile.mkdtemp(prefix="pkjwt-fault-", dir="/tmp"))
    try:
        if as_user := _unprivileged():
            shutil.chown(folder, **as_user)
        port = free_port()
        command = program.command(binary, folder, port)
        server = DatabaseServer(kind, program.url.format(port=port), program, command, folder, _run(command, folder))
        try:
            _wait_until_up(lambda: program.check(server.url), server.process)
            yield server
        finally:
            server.end()
    finally:
        if home is None:
            shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], folder: Path) -> "subprocess.Popen[bytes]":
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **_unprivileged()
        )


def _family(process: int) -> list[int]:
    """A process and what came of it, parents first. PostgreSQL's each lead a session of their own."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    family = [process]
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return family
