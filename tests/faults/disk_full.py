"""A database whose disk is full: 503 with ``Retry-After``, nothing issued, and service again once there is room.

SQLite is held to a number of pages; the others lie on a small file system in memory, which root may mount.

    python -m tests.faults.disk_full
"""

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import event

from tests.faults.database_servers import DatabaseServer, database_server, find_binary
from tests.faults.redis_server import find_redis, redis_server
from tests.faults.report import report, report_in_folder
from tests.faults.served import Answer, Caller, Load, ask_token, check_never_twice, create_app, serving, set_up

SERVERS = {"postgres": "160m", "mariadb": "320m", "redis": "16m"}
"""What needs how much of a disk, to begin with."""
FULL_SECONDS = 60
"""Longest time until a database notices that there is no room: it has some in its files yet."""
BACK_SECONDS = 15
"""Longest time until it works again: PostgreSQL may have to recover first."""


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    name: str
    answers: "Counter[int]"
    replayed: int

    def __str__(self) -> str:
        return f"{self.name}: answers {dict(self.answers)}, {self.replayed} spent assertions refused"


def check_answers(answers: list[Answer]) -> "Counter[int]":
    """Hold the answers of the time before, while and after the disk was full to what is promised.

    :raises AssertionError: It is not kept.
    """
    unavailable = [answer for answer in answers if answer.status == 503]
    counts = Counter(answer.status for answer in answers)
    assert unavailable, f"the disk was never full: {dict(counts)}"
    assert set(counts) == {200, 503}, dict(counts)
    for answer in unavailable:
        assert answer.json["error"] == "temporarily_unavailable", answer
        assert any(name.lower() == "retry-after" for name in answer.headers), answer
    return counts


# --- SQLite -----------------------------------------------------------------------------------------------------------
def run_sqlite(folder: Path) -> Outcome:
    """An SQLite file that may not grow, in this process.

    :raises AssertionError: What is promised is not kept.
    """
    caller = set_up(environment := {"FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/as.sqlite"})
    os.environ.update(environment)
    try:
        app = create_app()
    finally:
        for name in environment:
            del os.environ[name]
    db, _ = app.extensions["tests"]

    def ask(form: bytes) -> Answer:
        answer = app.test_client().post("/oauth2/token", data=form, content_type="application/x-www-form-urlencoded")
        return Answer(answer.status_code, answer.data, dict(answer.headers), 0, 0)

    def hold_size(connection: object, _record: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]  # type: ignore[attr-defined]
        connection.execute(f"PRAGMA max_page_count = {pages}")  # type: ignore[attr-defined]

    with app.app_context():
        engine = db.engine
    answers = [_ask_until(ask, caller, 200)]
    engine.dispose()
    event.listen(engine, "connect", hold_size)
    answers += [_ask_until(ask, caller, 503), ask(caller.build_form())]
    event.remove(engine, "connect", hold_size)
    engine.dispose()
    answers.append(_ask_until(ask, caller, 200))
    engine.dispose()
    return Outcome("sqlite", check_answers(answers), 0)


def _ask_until(ask: Callable[[bytes], Answer], caller: Caller, status: int) -> Answer:
    give_up = time.monotonic() + FULL_SECONDS
    while True:
        answer = ask(caller.build_form())
        if answer.status == status:
            return answer
        assert time.monotonic() < give_up, answer


# --- servers ----------------------------------------------------------------------------------------------------------
@contextmanager
def small_disk(size: str) -> Iterator[Path | None]:
    """A folder on a file system of its own; ``None`` where none may be mounted.

    :param size: As ``mount`` takes it: ``160m``.
    """
    with tempfile.TemporaryDirectory(prefix="pkjwt-disk-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", folder]
        try:
            is_mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
        except FileNotFoundError:
            is_mounted = False
        try:
            yield Path(folder) if is_mounted else None
        finally:
            if is_mounted:
                subprocess.run(["umount", "--lazy", folder], check=True)


def run_server(database: DatabaseServer, kind: str = "granian") -> Outcome:
    """Fill the disk of a database while a token server is under load, and make room again.

    :raises AssertionError: What is promised is not kept.
    """

    def start_again() -> None:
        if database.process.poll() is not None:  # PostgreSQL ends itself when its log has no room
            database.start()

    environment = {"FLASK_SQLALCHEMY_DATABASE_URI": database.url}
    return _run(database.name, kind, environment, database.folder / "filler", start_again)


def run_redis(folder: Path, kind: str = "granian") -> Outcome:
    """Fill the disk of a Redis that has to write each mark before it confirms it, and make room again.

    :raises AssertionError: What is promised is not kept.
    """
    with tempfile.TemporaryDirectory() as app_folder, redis_server(folder) as redis:
        redis.settle(durable=True)

        def start_again() -> None:
            if redis.has_ended():  # it gives up rather than confirm what it cannot keep
                redis.start()

        environment = {
            "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{app_folder}/as.sqlite",
            "FLASK_OAUTH2_REPLAY_STORE": redis.url,
        }
        return _run("redis", kind, environment, folder / "filler", start_again)


def _run(name: str, kind: str, environment: dict[str, str], filler: Path, start_again: Callable[[], None]) -> Outcome:
    caller = set_up(environment)
    with tempfile.TemporaryDirectory() as folder, serving(kind, Path(folder), environment) as served:
        with Load(served, caller, pause_seconds=0) as load:
            _wait_for(load, 200, since=0)
            _fill(filler)
            _wait_for(load, 503, since=time.monotonic())
            filler.unlink()
            start_again()
            _wait_for(load, 200, since=time.monotonic(), seconds=BACK_SECONDS)
        counts = check_answers([answer for _, answer in load.answers])
        assert ask_token(served.port, caller.build_form()).status == 200
        return Outcome(name, counts, check_never_twice(served, load.answers))


def _fill(path: Path) -> None:
    """Take what room there is, to the last byte."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue


def _wait_for(load: Load, status: int, *, since: float, seconds: float = FULL_SECONDS) -> None:
    give_up = time.monotonic() + seconds
    while not any(answer.status == status and answer.sent_at >= since for _, answer in tuple(load.answers)):
        assert time.monotonic() < give_up, f"no {status} but {[a.status for _, a in load.answers[-8:]]}"
        time.sleep(0.02)


def main() -> int:
    kept = report_in_folder(run_sqlite, "sqlite")
    for name, size in SERVERS.items():
        if not is_installed(name):
            print(f"{name}: SKIPPED, it is not installed", flush=True)
            continue
        with small_disk(size) as disk:
            if disk is None:
                print(f"{name}: SKIPPED, no file system may be mounted here", flush=True)
                continue
            kept &= report(partial(run_on, disk, name), name)
    return 0 if kept else 1


def is_installed(name: str) -> bool:
    """Whether a server can be started."""
    return (find_redis() if name == "redis" else find_binary(name)) is not None


def run_on(disk: Path, name: str) -> Outcome:
    """Run one of :data:`SERVERS` on a small disk, and fill that.

    :raises AssertionError: What is promised is not kept.
    """
    if name == "redis":
        return run_redis(disk)
    with database_server(name, home=disk) as database:
        return run_server(database)


if __name__ == "__main__":
    sys.exit(main())
