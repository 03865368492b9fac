"""Two cores, the CPU time of a process tree, and ``cal``: the machine's speed right now. Linux only."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

MESSAGE = bytes(300)
_ES256 = ec.ECDSA(hashes.SHA256())
_RS256 = (padding.PKCS1v15(), hashes.SHA256())


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where. With one core both are the same, and the server's caches suffer from the load."""

    server: int
    load: int


def choose_cores() -> Cores:
    """The first two cores this process may use."""
    usable = sorted(os.sched_getaffinity(0))
    return Cores(server=usable[0], load=usable[min(1, len(usable) - 1)])


@contextmanager
def pinned_to(core: int) -> Iterator[None]:
    """Run the block on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def time_once(action: Callable[[], object], *, seconds: float) -> float:
    """CPU time of one *action* in microseconds, from repeating it for *seconds*."""
    count, start, end = 0, time.process_time(), time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(25):
            action()
        count += 25
    return (time.process_time() - start) / count * 1e6


class Calibration:
    """Measures ``cal``: what one ES256 verification costs on a core at this moment, in microseconds.

    A shared machine's speed changes by half within a minute; what a request costs in ``cal`` changes little.
    """

    def __init__(self, core: int, *, seconds: float = 0.03) -> None:
        self._core = core
        self._seconds = seconds
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._public_key = self._key.public_key()
        self._signature = self._key.sign(MESSAGE, _ES256)

    def measure(self) -> float:
        """``cal`` now."""
        with pinned_to(self._core):
            return time_once(self._verify, seconds=self._seconds)

    def bare_signatures(self) -> dict[str, float]:
        """What signing and verifying cost by themselves, in ``cal``; by name, e.g. ``RS256 verify``."""
        rsa_key = rsa.generate_private_key(65537, 2048)
        rsa_public_key, rsa_signature = rsa_key.public_key(), rsa_key.sign(MESSAGE, *_RS256)
        actions: dict[str, Callable[[], object]] = {
            "ES256 verify": self._verify,
            "ES256 sign": lambda: self._key.sign(MESSAGE, _ES256),
            "RS256 verify": lambda: rsa_public_key.verify(rsa_signature, MESSAGE, *_RS256),
        }
        with pinned_to(self._core):
            cal = time_once(self._verify, seconds=self._seconds)
            return {name: time_once(action, seconds=self._seconds) / cal for name, action in actions.items()}

    def _verify(self) -> None:
        self._public_key.verify(self._signature, MESSAGE, _ES256)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and its descendants so far, all threads, user and system.

    From the scheduler's count in nanoseconds. The time of a thread that has ended is lost, so measure while no thread
    ends: warm servers keep their threads.
    """
    total = 0
    for process in _tree(pid):
        for statistics in Path(f"/proc/{process}/task").glob("*/schedstat"):
            try:
                total += int(statistics.read_text().split()[0])
            except OSError:  # ended since
                continue
    return total / 1e9


def worker_megabytes(pid: int) -> tuple[float, float]:
    """Memory of the largest process among *pid* and its descendants: of a server with one worker, that worker.

    :return: Its share (what several processes use, such as a library, is divided among them), and all that is resident.
    """
    largest = 0.0, 0.0
    for process in _tree(pid):
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:  # ended since
            continue
        found = {line.split()[0]: int(line.split()[1]) / 1024 for line in rollup.splitlines()[1:]}
        largest = max(largest, (found["Pss:"], found["Rss:"]))
    return largest


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found = children.read_text().split()
        except OSError:
            continue
        for child in found:
            yield from _tree(int(child))
