"""Starts the measured servers, one worker each, on one core, and stops them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

HOST = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 10.0

COMMANDS = {
    "granian": (
        "granian --interface wsgi --workers 1 --blocking-threads 4 "
        "--host {host} --port {port} --factory {module}:create_app"
    ),
    "gunicorn": "gunicorn --workers 1 --bind {host}:{port} {module}:create_app()",
}
"""What follows ``python -m``: one worker each, otherwise as the README recommends them."""


class NotStarted(Exception):
    """A server did not start; the message holds the end of its log."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    server: str, module: str, port: int, settings: Mapping[str, str], *, core: int, folder: Path
) -> Iterator[int]:
    """Run a server for the length of the block; gives its process id.

    :param server: A key of :data:`COMMANDS`.
    :param module: The module whose ``create_app`` makes the app.
    :param settings: What it gets in its environment, beside this process's.
    :param folder: Where its log goes.
    :raises NotStarted: It does not answer.
    """
    log = folder / f"{server}-{module}.log"
    command = COMMANDS[server].format(host=HOST, port=port, module=module).split(" ")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=Path(__file__).parent.parent,
            env={**os.environ, **settings},
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C reaches us alone, and we stop it
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
    try:
        _wait_for(process, port, log)
        yield process.pid
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):  # whoever of its workers is left
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.05)
    raise NotStarted(f"the server does not answer; its log ends with\n{log.read_text(errors='replace')[-2000:]}")
