"""What befalls a server: workers die, databases go away, keys and clients change."""

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from flask_private_key_jwt.jose import jose
from tests.faults.database_servers import DatabaseServer
from tests.faults.redis_server import RedisServer
from tests.faults.served import Answer, Served
from tests.soak.callers import TOKEN, Client, World
from tests.soak.commands import run_command
from tests.soak.ledger import Interrupted

WORKERS = 4
_YOUNG_SECONDS = 8
"""Granian ends if one of its workers dies within 5.5 seconds of its start."""
_PATIENCE_SECONDS = 120
_MACHINE = {"grant_type": "client_credentials"}


@dataclass
class Place:
    """The server and what it stands on."""

    world: World
    served: Served
    environment: Mapping[str, str]
    database_url: str
    database: DatabaseServer
    redis: RedisServer
    changing: Client
    """A client that nobody else uses: its registration changes."""
    frozen_seconds: float
    """For how long a store that is frozen stays so: longer than a request waits."""
    seen: dict[int, float] = field(default_factory=dict)
    """The workers, and when each was seen first."""

    def command(self, *arguments: str, say: str = "") -> str:
        return run_command(self.environment, arguments, say=say)

    def ask(self, key: jose.PrivateKey | None = None) -> Answer:
        """A token request of the client that changes, sent again while nobody can answer."""
        usual = self.changing.key
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            self.changing.key = key or usual
            answer = self.world.post(TOKEN, self.changing.form(**_MACHINE))
            self.changing.key = usual
            if answer.status not in (0, 503):
                return answer
            assert time.monotonic() < deadline, f"no answer to {self.changing.client_id}, but {answer.status}"
            time.sleep(0.1)

    def find_workers(self) -> set[int]:
        """The workers, once there are all of them."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                found = self.served.workers()
            except OSError:  # the connection was with a worker that died
                found = set()
            if len(found) == WORKERS:
                self.seen = {worker: self.seen.get(worker, time.monotonic()) for worker in found}
                return found
            assert self.served.process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, f"there are {len(found)} workers only"
            time.sleep(0.2)


def kill_workers(place: Place) -> None:
    """Two of four die; others take their place."""
    place.find_workers()
    victims = sorted(place.seen, key=lambda worker: place.seen[worker])[:2]
    age = time.monotonic() - max(place.seen[victim] for victim in victims)
    time.sleep(max(0.0, _YOUNG_SECONDS - age))
    place.world.ledger.killed()
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while place.find_workers() & set(victims):
        assert time.monotonic() < deadline, "a killed worker answers"
    place.world.ledger.killed()  # until here a connection may have been with one of them


def freeze_database(place: Place) -> None:
    """PostgreSQL takes connections and answers nothing."""
    with place.world.ledger.absent("PostgreSQL"):
        place.database.freeze()
        time.sleep(place.frozen_seconds)
        place.database.thaw()


def restart_database(place: Place) -> None:
    """PostgreSQL is stopped, and started again."""
    with place.world.ledger.absent("PostgreSQL"):
        place.database.stop()
        time.sleep(1)
        place.database.start()


def cut_connections(place: Place) -> None:
    """Every connection to PostgreSQL is ended by its administrator."""
    with place.world.ledger.absent("PostgreSQL"), psycopg.connect(_plain(place.database.url)) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [_name(place.database_url)]
        )


def freeze_redis(place: Place) -> None:
    """Redis takes connections and answers nothing."""
    with place.world.ledger.absent("Redis"):
        place.redis.freeze()
        time.sleep(place.frozen_seconds)
        place.redis.thaw()


def restart_redis(place: Place) -> None:
    """Redis dies, and starts again with all it confirmed."""
    with place.world.ledger.absent("Redis"):
        place.redis.kill()
        time.sleep(1)
        place.redis.start()


def kill_worker_without_database(place: Place) -> None:
    """Workers die while PostgreSQL is frozen: the new ones find no database."""
    place.find_workers()
    with place.world.ledger.absent("PostgreSQL"):
        place.database.freeze()
        time.sleep(1)
        kill_workers(place)
        place.database.thaw()
    place.find_workers()


def rotate_keys(place: Place) -> None:
    """The server signs with a new key at once."""
    before = _signing_key(place.ask())
    place.command("key", "rotate", "--now")
    after = {_signing_key(place.ask()) for _ in range(8)}
    if before in after or len(after) != 1:
        place.world.ledger.fault(f"after a rotation {after} sign, before it {before} did")


def change_client_key(place: Place) -> None:
    """A client gets a second key, and loses the first one."""
    client, ledger = place.changing, place.world.ledger
    old, new = client.key, jose.generate_private_key("ES256")
    place.command("client", "add-key", client.client_id, "-", say=json.dumps({"keys": [new.public_jwk()]}))
    for key in (old, new):
        _expect(place, "a client with two keys", place.ask(key), good=True)
    client.key = new
    place.command("client", "retire-key", client.client_id, old.public.thumbprint, "--yes")
    for _ in range(WORKERS):
        _expect(place, "a key that was taken away", place.ask(old), good=False)
        _expect(place, "a client with a new key", place.ask(), good=True)
    ledger.counts["keys of clients changed"] += 1


def disable_client(place: Place) -> None:
    """A client is shut out, and let in again."""
    client = place.changing.client_id
    place.command("client", "disable", client)
    for _ in range(2 * WORKERS):
        _expect(place, "a client that was disabled", place.ask(), good=False)
    place.command("client", "update", client, "--enable")
    for _ in range(2 * WORKERS):
        _expect(place, "a client that was enabled again", place.ask(), good=True)


def revoke_client(place: Place) -> None:
    """Everything that a client holds is revoked; it may ask anew."""
    token = place.ask().json["access_token"]
    place.command("revoke", "--client", place.changing.client_id, "--yes")
    for _ in range(WORKERS):
        answer = place.world.send("GET", "/values", headers={"Authorization": f"Bearer {token}"})
        if answer.status not in (0, 503):
            _expect(place, "a token that was revoked with its client", answer, good=False)


def purge(place: Place) -> None:
    """What ended is deleted, beside everything else."""
    place.command("purge", "--json")


TROUBLES: tuple[Callable[[Place], None], ...] = (
    kill_workers,
    rotate_keys,
    freeze_database,
    change_client_key,
    restart_redis,
    disable_client,
    restart_database,
    purge,
    freeze_redis,
    revoke_client,
    cut_connections,
    kill_worker_without_database,
)


def _expect(place: Place, what: str, answer: Answer, *, good: bool) -> None:
    ledger = place.world.ledger
    try:
        ledger.good(what, answer) if good else ledger.refusal(what, answer)
    except Interrupted:
        return


def _signing_key(answer: Answer) -> str:
    assert answer.status == 200, f"{answer.status} {answer.body!r}"
    header, _ = jose.decode_unverified(answer.json["access_token"])
    return str(header["kid"])


def _plain(url: str) -> str:
    return url.replace("+psycopg", "")


def _name(url: str) -> str:
    return str(make_url(url).database)


def count_connections(place: Place) -> int:
    """How many connections PostgreSQL holds for the server."""
    with psycopg.connect(_plain(place.database.url)) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [_name(place.database_url)]
        ).fetchone()
    return int(row[0]) if row else 0


def count_rows(place: Place) -> dict[str, int]:
    """The rows of each table that has any."""
    with psycopg.connect(_plain(place.database_url)) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        counts = {}
        for (name,) in names:
            row = connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()  # type: ignore[arg-type]
            if row and row[0]:
                counts[str(name)] = int(row[0])
    return dict(sorted(counts.items()))


def memory_of(worker: int) -> int:
    """What a process has in memory, in bytes."""
    return int(Path(f"/proc/{worker}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
