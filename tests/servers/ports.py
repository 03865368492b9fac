"""Ports for servers that are told their port, because they cannot say which one they took."""

import random
import socket
from pathlib import Path

_FIRST = 10_000
_LAST_AT_MOST = 32_000


def free_port() -> int:
    """A port of 127.0.0.1 that nobody holds, below those that the kernel gives to outgoing connections.

    Between this answer and the server's ``bind`` a port of the kernel's own range may be given to somebody else.
    """
    below = _first_of_the_kernel()
    while True:
        port = random.SystemRandom().randrange(_FIRST, below)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _first_of_the_kernel() -> int:
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        return _LAST_AT_MOST
    return first if _FIRST < first < _LAST_AT_MOST else _LAST_AT_MOST
