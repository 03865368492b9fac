"""Servers in processes of their own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.checkout import CHECKOUT

_SECONDS = 60


@contextmanager
def running(arguments: list[str], port: int, folder: Path, variables: Mapping[str, str]) -> Iterator[str]:
    """A Python program that serves *port*; its URL."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1", **variables}
    log = folder / f"log-{port}"
    with log.open("w") as writing:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, env=environment, stdout=writing, stderr=writing
        )
        try:
            _wait_for(port, process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(_SECONDS)


def children_of(process: "subprocess.Popen[bytes]") -> set[int]:
    """The process ids of what a process has started: the workers of a server or of a proxy."""
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    return {int(child) for task in tasks for child in (task / "children").read_text().split()}


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(f"nobody serves the port: {log.read_text()}")
