"""A Redis of a test's own, which may be frozen, killed and started again."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis

from tests.servers.ports import free_port

START_SECONDS = 30
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


def find_redis() -> str | None:
    """The program, if it is installed."""
    return shutil.which("redis-server")


class RedisServer:
    """One Redis on a port of its own, whose folder outlives its processes.

    :param options: Of the command line: :data:`DURABLE`, or none for one that keeps nothing.
    """

    def __init__(self, folder: Path, options: tuple[str, ...] = DURABLE) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start a process on what the last one left, and wait until it answers.

        :param options: In the place of the usual ones.
        """
        binary = find_redis()
        assert binary is not None
        command = [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""]
        self._process = subprocess.Popen(
            [*command, *(options or self._options)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + START_SECONDS
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.RedisError:
                    assert time.monotonic() < deadline, "Redis does not start"
                    time.sleep(0.01)

    def kill(self) -> None:
        """End it as a lost machine would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def has_ended(self) -> bool:
        """Whether it has ended by itself, as it does where it cannot write what it has to keep."""
        assert self._process is not None
        return self._process.poll() is not None

    def freeze(self) -> None:
        """Let it take connections, and answer nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def settle(self, *, durable: bool = False) -> None:
        """Make it as if this process had been up for long: what it may have forgotten has ended.

        :param durable: Whether the process keeps what it confirms.
        """
        with redis.Redis.from_url(self.url) as client:
            server = client.info("server")["run_id"]
            state = {"epoch": f"{server}:0", "server": server, "durable": int(durable), "since": 0, "created": 0}
            client.hset("flask_private_key_jwt:replay", mapping=state)


@contextmanager
def redis_server(folder: Path, options: tuple[str, ...] = DURABLE) -> Iterator[RedisServer]:
    """A Redis that runs, until the block ends."""
    server = RedisServer(folder, options)
    server.start()
    try:
        yield server
    finally:
        with suppress(ProcessLookupError):
            server.thaw()
        server.kill()
