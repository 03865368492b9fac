"""Groups of Redis servers of a test's own: one that sentinels watch over, and a cluster. Their servers may be frozen
and killed, and come back.

As a program it runs one group until it is ended: ``redis_groups.py sentinel|cluster FOLDER``.
"""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.servers.ports import free_port

START_SECONDS = 60
STATE = "flask_private_key_jwt:replay"
SERVICE = "main"
FAST = ("--appendonly", "no")
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
MISSED_MILLISECONDS = 1500
"""How long a server must be silent before others take it for lost, where one is to be lost."""
PATIENT_MILLISECONDS = 120_000
"""The same where none is: on a busy machine all are silent for a while."""


def find_redis() -> str | None:
    """The program, if it is installed."""
    return shutil.which("redis-server")


def wait_until(is_so: Callable[[], Any], what: str, seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with suppress(redis.RedisError, OSError):
            if is_so():
                return
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class Server:
    """One process on a port of its own, whose folder outlives it."""

    def __init__(
        self, folder: Path, options: Sequence[str], *, configuration: str = "", password: str | None = None
    ) -> None:
        self.port = free_port()
        self._password = password
        self._folder = folder / str(self.port)
        self._folder.mkdir(exist_ok=True)
        self._options = options
        self._configuration = self._folder / "own.conf"
        self._configuration.write_text(configuration)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        binary = find_redis()
        assert binary is not None
        common = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""]
        command = [binary, str(self._configuration), *common, *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.ask("PING"), f"the server at {self.port} does not start")

    def ask(self, *command: Any) -> Any:
        one_try = Retry(NoBackoff(), 0)
        with redis.Redis(port=self.port, password=self._password, socket_timeout=5, retry=one_try) as client:
            return client.execute_command(*command)

    def info(self, section: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("INFO", section)
        return found

    def kill(self) -> None:
        """End it as a lost machine would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def freeze(self) -> None:
        """Let it take connections, and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def is_master(self) -> bool:
        return bool(self.info("replication")["role"] == "master")


class Group:
    """Servers that know of each other.

    :param folder: For what they keep.
    :param missed_milliseconds: How long a server must be silent before others take it for lost.
    """

    def __init__(self, folder: Path, missed_milliseconds: int = MISSED_MILLISECONDS) -> None:
        self.folder = folder
        self.missed_milliseconds = missed_milliseconds
        self.servers: list[Server] = []
        """Those that have the marks, first the masters."""
        self.sentinels: list[Server] = []
        self.url = ""
        """``OAUTH2_REPLAY_STORE``."""

    def add(self, *options: str) -> Server:
        self.servers.append(Server(self.folder, options))
        return self.servers[-1]

    def add_sentinel(self, master: Server) -> Server:
        configuration = (
            f"sentinel monitor {SERVICE} 127.0.0.1 {master.port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} {self.missed_milliseconds}\n"
            f"sentinel failover-timeout {SERVICE} 2000\n"
        )
        self.sentinels.append(Server(self.folder, ["--sentinel"], configuration=configuration))
        return self.sentinels[-1]

    def masters(self) -> list[Server]:
        """Those that say that they are one; a lost one says nothing."""
        found = []
        for server in self.servers:
            with suppress(redis.RedisError):
                if server.is_master():
                    found.append(server)
        return found

    def end(self) -> None:
        for server in [*self.sentinels, *self.servers]:
            with suppress(Exception):
                server.thaw()
                server.kill()


def start_sentinels(group: Group, options: Sequence[str]) -> None:
    """A master, a replica and three sentinels."""
    master, replica = (group.add("--repl-diskless-sync-delay", "0", *options) for _ in range(2))
    master.start()
    replica.start()
    replica.ask("REPLICAOF", "127.0.0.1", master.port)
    for _ in range(3):
        group.add_sentinel(master).start()
    hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in group.sentinels)
    group.url = f"redis+sentinel://{hosts}/{SERVICE}/0"
    wait_until_watched(group)


def wait_until_watched(group: Group) -> None:
    """Wait until every sentinel knows the others and the replica, and the replica is linked."""

    def knows_all(sentinel: Server) -> bool:
        with redis.Redis(port=sentinel.port, socket_timeout=5) as client:
            state: dict[str, Any] = client.sentinel_master(SERVICE)  # type: ignore[no-untyped-call, unused-ignore]
            seen = client.sentinel_slaves(SERVICE)  # type: ignore[no-untyped-call, unused-ignore]
        linked = [replica for replica in seen if replica["master-link-status"] == "ok"]
        return state["num-other-sentinels"] == 2 and len(linked) == 1

    wait_until(lambda: all(map(knows_all, group.sentinels)), "the sentinels do not find each other")


def start_cluster(group: Group, options: Sequence[str]) -> None:
    """Three masters with a replica each."""
    for _ in range(6):
        limits = ("--cluster-node-timeout", str(group.missed_milliseconds), "--repl-diskless-sync-delay", "0")
        group.add("--cluster-enabled", "yes", "--cluster-port", str(free_port()), *limits, *options).start()
    cli = shutil.which("redis-cli")
    assert cli is not None
    hosts = [f"127.0.0.1:{server.port}" for server in group.servers]
    made = [cli, "--cluster", "create", *hosts, "--cluster-replicas", "1", "--cluster-yes"]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL, timeout=START_SECONDS)
    group.url = f"redis+cluster://{','.join(hosts[:3])}"
    wait_until(lambda: all(map(is_whole, group.servers)), "the cluster does not come together")


def is_whole(server: Server) -> bool:
    """Whether a node of a cluster sees three masters, and is linked with its replica or master."""
    with redis.Redis(port=server.port, socket_timeout=5) as client:
        cluster: dict[str, Any] = client.execute_command("CLUSTER INFO")
        replication = client.info("replication")
    linked = (
        int(replication["connected_slaves"]) == 1
        if replication["role"] == "master"
        else replication["master_link_status"] == "up"
    )
    return cluster["cluster_state"] == "ok" and cluster["cluster_known_nodes"] == "6" and linked


def settle(group: Group, *, epoch: str = "tests", created: int = 0) -> None:
    """Make it as if these processes had been up for long: what they may have forgotten has ended."""
    for server in group.masters():
        key = STATE
        if group.url.startswith("redis+cluster"):
            key = f"{STATE}:{{{_home(server)}}}"
        run_id = server.info("server")["run_id"]
        state = {"epoch": epoch, "server": run_id, "durable": 0, "since": 0, "created": created}
        server.ask("HSET", key, *(part for pair in state.items() for part in pair))


def _home(server: Server) -> str:
    """The first of the tags that this node serves."""
    from flask_private_key_jwt.replay.redis_cluster_map import TAGS, build_tag

    for tag in map(build_tag, range(TAGS)):
        try:
            server.ask("GET", b"{%b}" % tag)
        except redis.exceptions.MovedError:
            continue
        return tag.decode()
    raise AssertionError(f"the node at {server.port} serves no slot")


START: dict[str, Callable[[Group, Sequence[str]], None]] = {"sentinel": start_sentinels, "cluster": start_cluster}


@contextmanager
def redis_group(
    kind: str, folder: Path, options: Sequence[str] = FAST, *, missed_milliseconds: int = MISSED_MILLISECONDS
) -> Iterator[Group]:
    """A group that runs until the block ends."""
    group = Group(folder, missed_milliseconds)
    try:
        START[kind](group, options)
        yield group
    finally:
        group.end()


def main(kind: str, folder: str) -> None:
    """Run a group until this process is told to end; say its URL in a file."""
    ended = Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with redis_group(kind, Path(folder), missed_milliseconds=PATIENT_MILLISECONDS) as group:
        settle(group)
        (Path(folder) / "group.new").write_text(f"{group.url}?socket_timeout=10")
        (Path(folder) / "group.new").rename(Path(folder) / "group")
        ended.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
