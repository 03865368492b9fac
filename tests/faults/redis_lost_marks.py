"""What a failover of Redis loses: marks that were confirmed and are gone, and marks that are accepted a second time.

Two stores, as those of two processes, use marks as fast as they can. The master of one service, or of a third of a
cluster, is lost in one of three ways. When a replica has taken over and marks are accepted again, each mark that was
accepted is looked for in the new master, and used once more. A server that was killed comes back at once, as a replica:
where one has to confirm, there is none before.

    python -m tests.faults.redis_lost_marks [sentinel] [cluster]
"""

import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import redis

from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.replay.base import ASSERTION, Mark, Replayed, ReplayStore
from flask_private_key_jwt.replay.loading import load_replay_store
from flask_private_key_jwt.replay.redis_cluster_map import build_tag
from flask_private_key_jwt.replay.redis_marks import PREFIX
from tests.faults.report import report
from tests.servers.redis_groups import (
    MISSED_MILLISECONDS,
    SERVICE,
    Group,
    Server,
    find_redis,
    is_whole,
    redis_group,
    settle,
    wait_until,
    wait_until_watched,
)

THREADS = 4
STORES = 2
LIFETIME_SECONDS = 300


@dataclass(frozen=True)
class Trial:
    """What is tried, and how often."""

    kind: str
    """``sentinel`` or ``cluster``."""
    way: str
    """How the master is lost: one of :data:`WAYS`."""
    replicas: int
    """``OAUTH2_REPLAY_REDIS_REPLICAS``."""
    rounds: int = 3
    skew_seconds: int = 10
    """``OAUTH2_CLOCK_SKEW_SECONDS``: a mark may have been used that much earlier than it was, as a server reckons."""
    before_seconds: float = 1.0
    """How long marks are used before the failover."""

    def __str__(self) -> str:
        return f"{self.kind}, master {self.way}, {self.replicas} replicas confirm"


@dataclass
class Outcome:
    """What came of all rounds of a trial."""

    trial: Trial
    accepted: int = 0
    gone: list[int] = field(default_factory=list)
    """For each round, how many accepted marks the servers do not have any more."""
    twice: int = 0
    """How many marks were accepted twice."""
    away_seconds: list[float] = field(default_factory=list)
    """For each round, how long no mark was accepted; in a cluster, of those of the lost node."""
    slowest_seconds: float = 0.0

    def __str__(self) -> str:
        away = f"{min(self.away_seconds):.1f} to {max(self.away_seconds):.1f} s"
        return (
            f"{self.trial}: {self.accepted} accepted in {len(self.gone)} rounds, gone {self.gone}, "
            f"accepted twice {self.twice}, away for {away}, slowest answer {self.slowest_seconds:.2f} s"
        )


def kill(group: Group, master: Server) -> None:
    """Lose its machine."""
    master.kill()
    _wait_for_another(group, master)


def freeze(group: Group, master: Server) -> None:
    """Let it stand still until a replica has taken over; then it goes on, and does not know it."""
    master.freeze()
    try:
        _wait_for_another(group, master)
    finally:
        master.thaw()


def switch(group: Group, master: Server) -> None:
    """Let an operator make the replica the master, with the command that is for it."""
    if group.sentinels:
        group.sentinels[0].ask("SENTINEL", "FAILOVER", SERVICE)
    else:
        _find_replica(group, master).ask("CLUSTER", "FAILOVER")
    _wait_for_another(group, master)


WAYS: dict[str, Callable[[Group, Server], None]] = {"killed": kill, "frozen": freeze, "switched": switch}


def _find_replica(group: Group, master: Server) -> Server:
    port = master.info("replication")["slave0"]["port"]
    return next(server for server in group.servers if server.port == port)


def _wait_for_another(group: Group, lost: Server) -> None:
    """Wait until the other servers have as many masters as all had."""
    count = 1 if group.sentinels else 3
    others = [server for server in group.servers if server is not lost]

    def is_served() -> bool:
        if group.sentinels:
            said = group.sentinels[0].ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
            return int(said[1]) != lost.port and any(server.port == int(said[1]) for server in others)
        return sum(server.is_master() for server in others) == count

    wait_until(is_served, "no replica takes over")


class User:
    """A thread that uses one new mark after the other, and notes which were accepted."""

    def __init__(self, store: ReplayStore, stop: threading.Event, skew_seconds: int) -> None:
        self._store = store
        self._skew_seconds = skew_seconds
        self._stop = stop
        self.accepted: list[tuple[Mark, float]] = []
        """Each mark, and when it was accepted."""
        self.slowest = 0.0
        self.errors: list[str] = []
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.is_set():
            mark, started = build_mark(self._skew_seconds), time.monotonic()
            try:
                self._store.remember([mark])
            except StoreUnavailable:
                time.sleep(0.01)
            except Exception as error:  # a new mark is never a replay
                self.errors.append(repr(error))
                return
            else:
                self.accepted.append((mark, time.monotonic()))
            self.slowest = max(self.slowest, time.monotonic() - started)
            time.sleep(0.002)


def build_mark(skew_seconds: int) -> Mark:
    now, jti = int(time.time()), secrets.token_hex(9)
    return Mark(ASSERTION, "https://as.example", "owner", jti, now + LIFETIME_SECONDS, now - skew_seconds)


def run(trial: Trial) -> Outcome:
    """Lose the master of a group several times, and see what is lost.

    :raises AssertionError: A mark was accepted twice.
    """
    outcome = Outcome(trial)
    with tempfile.TemporaryDirectory() as name, redis_group(trial.kind, Path(name)) as group:
        settle(group)
        for _ in range(trial.rounds):
            _run_once(group, trial, outcome)
            _repair(group)
    assert outcome.twice == 0, str(outcome)
    return outcome


def _run_once(group: Group, trial: Trial, outcome: Outcome) -> None:
    stores = [load_replay_store(group.url, redis_replicas=trial.replicas) for _ in range(STORES + 1)]
    *busy, seldom = stores
    stop = threading.Event()
    before = group.masters()
    master = before[0]
    seldom.remember([build_mark(trial.skew_seconds)])  # it has a connection to this master
    users = [User(store, stop, trial.skew_seconds) for store in busy for _ in range(THREADS)]
    for user in users:
        user.thread.start()
    time.sleep(trial.before_seconds)
    lost_at = time.monotonic()
    WAYS[trial.way](group, master)
    early = [mark for user in users for mark, _ in user.accepted[-20:]]
    twice = [mark for mark in early if _is_accepted(seldom, mark)]  # who asked long ago may still know the old master
    new = next(server for server in group.masters() if server not in before)
    _restart(group)
    used_again_at = _wait_for_mark(group, busy[0], new, trial.skew_seconds)
    time.sleep(0.3)
    stop.set()
    for user in users:
        user.thread.join()
    assert not [error for user in users for error in user.errors], users[0].errors
    accepted = [mark for user in users for mark, _ in user.accepted]
    _wait_until_agreed(group)
    outcome.accepted += len(accepted)
    outcome.gone.append(_count_gone(group, accepted))
    outcome.away_seconds.append(used_again_at - lost_at)
    outcome.slowest_seconds = max([outcome.slowest_seconds, *(user.slowest for user in users)])
    again = load_replay_store(group.url, redis_replicas=trial.replicas)
    outcome.twice += len(twice) + sum(_is_accepted(again, mark) for mark in accepted)
    for store in [*stores, again]:
        store.close()  # type: ignore[attr-defined]


def _wait_for_mark(group: Group, store: ReplayStore, new: Server, skew_seconds: int) -> float:
    """When the new master accepted a mark."""
    while True:
        mark = build_mark(skew_seconds)
        with suppress(StoreUnavailable):
            store.remember([mark])
            if _look(new, [mark], is_cluster=not group.sentinels) == [True]:
                return time.monotonic()
        time.sleep(0.01)


def _is_accepted(store: ReplayStore, mark: Mark) -> bool:
    try:
        store.remember([mark])
    except (Replayed, StoreUnavailable):
        return False
    return True


def _wait_until_agreed(group: Group) -> None:
    """Wait until the old master, if it lives, knows that it is none."""
    wait_until(lambda: len(group.masters()) == (1 if group.sentinels else 3), "the old master stays one")


def _count_gone(group: Group, marks: list[Mark]) -> int:
    """How many of the marks no master has."""
    there = [False] * len(marks)
    for server in group.masters():
        for number, is_here in enumerate(_look(server, marks, is_cluster=not group.sentinels)):
            there[number] |= is_here
    return there.count(False)


def _look(server: Server, marks: list[Mark], *, is_cluster: bool) -> list[bool]:
    """Whether a server has each of the marks; in a cluster another one may serve its slot."""
    with redis.Redis(port=server.port, socket_timeout=5) as client:
        questions = client.pipeline(transaction=False)
        for mark in marks:
            digest = mark.digest()
            tag = b"{%b}:" % build_tag(int.from_bytes(digest[:2], "big")) if is_cluster else b""
            questions.exists(PREFIX + tag + digest)
        return [answer == 1 for answer in questions.execute(raise_on_error=False)]


def _restart(group: Group) -> None:
    """Let a killed server come back as a replica."""
    for server in group.servers:
        if server.has_ended():
            server.start()
            if group.sentinels:  # which would tell it so after some seconds
                server.ask("REPLICAOF", "127.0.0.1", group.masters()[0].port)


def _repair(group: Group) -> None:
    """Wait until all is as before, with other roles."""
    if group.sentinels:
        wait_until_watched(group)
    else:
        wait_until(lambda: all(map(is_whole, group.servers)), "the cluster does not come together again")


def main(kinds: list[str]) -> int:
    if find_redis() is None:
        print("SKIPPED: Redis is not installed", flush=True)
        return 0
    print(f"a server counts as lost after {MISSED_MILLISECONDS} ms; {STORES * THREADS} threads use marks", flush=True)
    trials = [
        Trial(kind, way, replicas) for kind in kinds or ["sentinel", "cluster"] for way in WAYS for replicas in (0, 1)
    ]
    kept = [report(partial(run, trial), str(trial)) for trial in trials]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
