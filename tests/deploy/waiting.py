"""Waiting for what other processes do, however busy the machine is."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

SECONDS = 120


def wait_until(is_so: Callable[[], bool], *, what: str = "it never happened") -> None:
    """Ask again and again; fails after two minutes."""
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def has_read_all(server_port: int, connection: socket.socket) -> bool:
    """Whether a server of this machine has taken a connection and read what was sent over it so far."""
    ours = connection.getsockname()[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, _, _, _, _, inode, *_ = line.split()
        if (int(local.partition(":")[2], 16), int(remote.partition(":")[2], 16)) == (server_port, ours):
            return inode != "0" and int(queues.partition(":")[2], 16) == 0
    return False
