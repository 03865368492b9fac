"""A deployed token server that runs."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.conftest import Deployment
from tests.deploy.image import APP, read_instructions
from tests.faults.served import call
from tests.servers.ports import free_port

START_SECONDS = 120
WORKERS = 2
"""Instead of the four of the files: the tests' machines are small."""


@dataclass(frozen=True)
class Running:
    """A server, its port and its process."""

    port: int
    process: "subprocess.Popen[bytes]"
    is_read_only: bool
    log: Path


def read_dockerfile() -> list[tuple[str, str]]:
    return list(read_instructions((APP / "Dockerfile").read_text()))


def split_options(command: Sequence[str]) -> list[str]:
    """A command with ``--name=value`` as two words, so that both ways of writing it are equal."""
    return [part for word in command for part in (word.split("=", 1) if word.startswith("--") else [word])]


def adapt(command: Sequence[str], port: int) -> list[str]:
    """The shipped command with this test's port and number of workers, on loopback only."""
    words = split_options(command)
    for option, value in {"--host": "127.0.0.1", "--port": str(port), "--workers": str(WORKERS)}.items():
        words[words.index(option) + 1] = value
    return words


@contextmanager
def serve(
    deployment: Deployment, command: Sequence[str], *, port: int | None = None, writable: Sequence[str] = ()
) -> Iterator[Running]:
    """Run a shipped command in the image until the block ends; it starts once the server answers.

    :param writable: Run it on a read-only file system, with these paths as exceptions.
    """
    image, port = deployment.image, port or free_port()
    words = adapt(command, port)
    sandboxed = image.read_only(words, writable) if writable else []
    metrics = image.path("/run/metrics")
    with tempfile.TemporaryDirectory() as folder:
        if not sandboxed:
            metrics = Path(folder)
        log = image.root / f"log-{port}"
        environment = {**image.environment, **deployment.environment, "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
        with log.open("wb") as output:
            process = subprocess.Popen(
                sandboxed or words,
                cwd=image.path(image.workdir),
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        running = Running(port, process, bool(sandboxed), log)
        try:
            wait_until_live(running)
            yield running
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(40)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_live(running: Running) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert running.process.poll() is None, running.log.read_text()
        assert time.monotonic() < deadline, running.log.read_text()
        with suppress(OSError):
            if call(running.port, "GET", "/health/live").status == 200:
                return
        time.sleep(0.05)
