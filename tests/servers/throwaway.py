"""Throwaway PostgreSQL, MariaDB and Redis servers for the tests: one of each per test run, shared by xdist's workers.
Of Redis also one with sentinels, and a cluster.

A server is named by ``TEST_POSTGRES_URL``, ``TEST_REDIS_URL`` or ``TEST_MARIADB_URL``, or else started from
the machine's own binaries: on loopback, in a folder that goes away with it. The machine's own cluster is
never touched. What is missing skips, and fails where ``CI`` is ``true``.

Each server has a keeper, this file run as a program. Every user holds a shared lock on a file of the
folder; the keeper waits to have that lock alone, which it gets when the last user has ended, however it
ended. Then it stops the server and removes the folder.
"""

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import pymysql
import pytest
import redis
from sqlalchemy.engine import make_url

from tests.checkout import CHECKOUT
from tests.servers.ports import free_port

START_SECONDS = 60


@dataclass(frozen=True)
class Program:
    """How to run one kind of server."""

    find: Callable[[], Path | None]
    command: Callable[[Path, Path, int], list[str]]
    """Builds the command line from the binary, the folder and the port; prepares the folder."""
    url: str
    """With ``{port}``; empty: the program writes it into the file ``group`` of the folder."""
    check: Callable[[str], None]
    """Raises while the server does not answer yet."""
    stop_signal: int
    is_unprivileged: bool = True
    """Whether it runs as somebody else where we are root."""


@dataclass(frozen=True)
class Kind:
    """A kind of server: the variable that names one, and the program that we start ourselves otherwise."""

    title: str
    variable: str
    program: Program


def _find_postgres() -> Path | None:
    if in_path := shutil.which("postgres"):
        return Path(in_path).resolve()  # the real one has initdb beside it
    return max(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]), default=None)


def _postgres_command(binary: Path, folder: Path, port: int) -> list[str]:
    data = str(folder / "data")
    initdb = [str(binary.with_name("initdb")), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    subprocess.run([*initdb, "--locale=C", "--no-sync"], check=True, stdout=subprocess.DEVNULL, **_unprivileged())
    settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=16MB", "fsync=off"]
    settings.append("max_connections=300")  # a statement that nobody waits for any more holds its connection
    return [str(binary), "-D", data, "-p", str(port), *(f"--{setting}" for setting in settings)]


def _check_postgres(url: str) -> None:
    psycopg.connect(url.replace("+psycopg", "")).close()


def _find_mariadb() -> Path | None:
    # Debian keeps the server where only root's PATH looks.
    in_path = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin")
    return Path(in_path).resolve() if in_path else None


def _mariadb_command(binary: Path, folder: Path, port: int) -> list[str]:
    """A server that reads none of the machine's option files; without grant tables everybody is root."""
    data, account = folder / "data", _unprivileged()
    options = ["--no-defaults", f"--datadir={data}", f"--tmpdir={folder}"]
    install = shutil.which("mariadb-install-db") or str(binary.with_name("mariadb-install-db"))
    subprocess.run([install, *options, "--skip-test-db"], check=True, stdout=subprocess.DEVNULL, **account)
    return [
        *[str(binary), *options, f"--port={port}", "--bind-address=127.0.0.1", "--socket=mariadb.sock"],
        *["--skip-grant-tables", "--skip-networking=0", "--innodb-buffer-pool-size=32M"],
        *["--innodb-flush-log-at-trx-commit=0", "--performance-schema=OFF", "--max-connections=300"],
    ]


def _check_mariadb(url: str) -> None:
    there = make_url(url)
    pymysql.connect(host=there.host, port=there.port or 0, user=there.username, database=there.database).close()


def _find_redis() -> Path | None:
    in_path = shutil.which("redis-server")
    return Path(in_path) if in_path else None


def _redis_command(binary: Path, folder: Path, port: int) -> list[str]:
    return [str(binary), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]


def _check_redis(url: str) -> None:
    """As if it had been up for long: a Redis that has just started refuses what may have been used before."""
    with redis.Redis.from_url(url) as client:
        state = {"epoch": "tests", "server": client.info("server")["run_id"], "durable": 0, "since": 0, "created": 0}
        client.hset("flask_private_key_jwt:replay", mapping=state)


def _group(kind: str) -> Kind:
    """Several servers of Redis, which a program of ours starts."""

    def command(binary: Path, folder: Path, port: int) -> list[str]:
        return [sys.executable, "-m", "tests.servers.redis_groups", kind, str(folder)]

    program = Program(_find_redis, command, "", lambda url: None, signal.SIGTERM, is_unprivileged=False)
    return Kind(f"Redis for a {kind}", f"TEST_REDIS_{kind.upper()}_URL", program)


KINDS = {
    "sentinel": _group("sentinel"),
    "cluster": _group("cluster"),
    "postgres": Kind(
        "PostgreSQL",
        "TEST_POSTGRES_URL",
        Program(
            _find_postgres,
            _postgres_command,
            "postgresql+psycopg://postgres@127.0.0.1:{port}/postgres",
            _check_postgres,
            signal.SIGQUIT,  # at once: nobody needs this data
        ),
    ),
    "redis": Kind(
        "Redis",
        "TEST_REDIS_URL",
        Program(_find_redis, _redis_command, "redis://127.0.0.1:{port}/0", _check_redis, signal.SIGKILL),
    ),
    "mariadb": Kind(
        "MariaDB",
        "TEST_MARIADB_URL",
        Program(
            _find_mariadb,
            _mariadb_command,
            "mysql+pymysql://root@127.0.0.1:{port}/mysql",
            _check_mariadb,
            signal.SIGKILL,
        ),
    ),
}


@contextmanager
def server_url(name: str) -> Iterator[str]:
    """The URL of a server that stays up at least as long as the block; skips where there is none.

    :param name: One of :data:`KINDS`.
    """
    kind = KINDS[name]
    if given := os.environ.get(kind.variable):
        yield given
        return
    binary = kind.program.find()
    if binary is None:
        miss(f"no {kind.title}: {kind.variable} is not set, nor is it installed")
    folder = _folder(name)
    folder.mkdir(exist_ok=True)
    with (folder / "users").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        with (folder / "start").open("a") as start:
            fcntl.flock(start, fcntl.LOCK_EX)  # the first comer starts it, the others wait here
            if not (folder / "url").exists():
                _start_keeper(name, folder, binary)
        yield (folder / "url").read_text()


def miss(what: str) -> NoReturn:
    """Skip the test for want of a program; fail where CI has to have installed it."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(what)


def _folder(name: str) -> Path:
    """One folder per test run, where an unprivileged server may enter."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))[:8]
    return Path("/tmp" if os.getuid() == 0 else tempfile.gettempdir()) / f"pkjwt-{run}-{name}"


_keepers: list[subprocess.Popen[bytes]] = []  # so that none is collected while it runs


def _start_keeper(name: str, folder: Path, binary: Path) -> None:
    with tempfile.TemporaryFile() as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.throwaway", name, folder, binary],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is pytest's; the keeper ends when pytest has ended
        )
        _keepers.append(keeper)
        while not (folder / "url").exists():
            if keeper.poll() is not None:
                log.seek(0)
                pytest.fail(f"{KINDS[name].title} does not start:\n{log.read().decode(errors='replace')}")
            time.sleep(0.02)


def keep(name: str, folder: Path, binary: Path) -> None:
    """Start a server, publish its URL, and stop it when nobody uses it any more."""
    program = KINDS[name].program
    port = free_port()
    url = program.url.format(port=port)
    try:
        as_user = _unprivileged() if program.is_unprivileged else {}
        if as_user:
            shutil.chown(folder, **as_user)
        cwd = folder if program.url else CHECKOUT
        server = subprocess.Popen(program.command(binary, folder, port), cwd=cwd, **as_user)
        try:
            _wait_until_up(lambda: program.check(url) if url else _check_said(folder), server)
            (folder / "url.new").write_text(url or (folder / "group").read_text())
            (folder / "url.new").rename(folder / "url")
            with (folder / "users").open("a") as users:
                fcntl.flock(users, fcntl.LOCK_EX)
        finally:
            server.send_signal(program.stop_signal)
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> dict[str, Any]:
    """The account for a server when we are root: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    names = {account.pw_name for account in pwd.getpwall()}
    account = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": account.pw_uid, "group": account.pw_gid}


def _check_said(folder: Path) -> None:
    """Raise while a program has not said its URL."""
    (folder / "group").stat()


def _wait_until_up(check: Callable[[], None], server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            check()
        except (psycopg.Error, pymysql.Error, redis.RedisError, FileNotFoundError):
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    keep(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
