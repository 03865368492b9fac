"""The replay store: shared by all workers, atomic, durable, and it forgets nothing too early."""

import secrets
from typing import Any

from sqlalchemy import create_engine

from ... import clock
from ...database.database import Database
from ...database.sqlite import use_wal
from ...replay.base import READINESS, Mark, Replayed, ReplayStore, remember_once
from ...replay.contract import check_once_only
from ...replay.loading import is_import_path, kind_of, load_replay_store
from ...replay.sql import SQLAlchemyReplayStore
from .deployment import Deployment
from .finding import DeploymentRequirement, Finding, met, moot, unmet

_MARK_SECONDS = 60
_SHARE = "Set OAUTH2_REPLAY_STORE to sql, or to a database or Redis that every worker reaches."
_OWN = "The store is the application's own"


def check_shared(deployment: Deployment) -> Finding:
    """What one connection has written, another one of its own knows."""
    kind, store = _kind(deployment), deployment.state.replay
    if kind == "memory":
        return unmet("Each worker keeps its own marks: at another worker a used jti counts again.", _SHARE)
    if kind is None:
        return moot(f"{_OWN}, and cannot be seen into. --live shows one assertion to the workers many times.")
    if isinstance(store, SQLAlchemyReplayStore) and _is_in_memory(store.database):
        return unmet("The SQLite database is in memory, where each worker has its own.", _SHARE)
    other = _open_another(deployment, store)
    now = clock.now()
    mark = Mark(READINESS, deployment.settings.ISSUER, READINESS, secrets.token_urlsafe(16), now + _MARK_SECONDS, now)
    try:
        remember_once(store, [mark])
        try:
            remember_once(other, [mark])
        except Replayed:
            return met(_describe_shared(store))
    finally:
        _close(other)
    return unmet("A mark that one connection wrote is new to another one.", _SHARE)


def _describe_shared(store: ReplayStore) -> str:
    if isinstance(store, SQLAlchemyReplayStore) and store.database.engine.dialect.name == "sqlite":
        return "Two connections know each other's marks. It is a file: workers on other machines do not have it."
    return "Two connections know each other's marks."


def check_atomic(deployment: Deployment) -> Finding:
    """A mark counts once, also if threads use it at the same moment; of several marks all count or none."""
    store = deployment.state.replay
    all_or_none = getattr(store, "all_or_none", True)
    try:
        check_once_only(store, all_or_none=all_or_none)
    except AssertionError as problem:
        return unmet(f"The store breaks its contract: {problem}.", "Use one of the stores of this package.")
    kept = "All or none were kept." if all_or_none else "A refused request may use marks up: it is a cluster."
    return met(f"Eight threads that used one mark at the same moment: one was accepted. {kept}")


def check_durable(deployment: Deployment) -> Finding:
    """What was used is known after a restart."""
    kind, store = _kind(deployment), deployment.state.replay
    if kind == "memory":
        return unmet("A restart of the server forgets what was used.", _SHARE)
    if isinstance(store, SQLAlchemyReplayStore):
        return judge_sql(store.database)
    if (find_durable := getattr(store, "find_durable", None)) is None:
        return moot(
            f"{_OWN if kind is None else 'The store does not say'}; whether it survives a restart is not known."
        )
    if find_durable():
        return met("Every mark is on the disk of the store before it answers.")
    return unmet(
        "The store may forget marks when it restarts. With Redis the server notices, and refuses for a moment what may "
        "be a replay (503).",
        "In Redis, set appendonly yes and appendfsync always.",
    )


def judge_sql(database: Database) -> Finding:
    """Whether a commit of this database is on its disk."""
    dialect = database.engine.dialect.name
    found = {name: _ask(database, statement) for name, statement in _DURABILITY.get(dialect, {}).items()}
    if not found:
        return moot(f"When {dialect} writes a commit to its disk is not known here.")
    weak = [name for name, value in found.items() if value in _WEAK[name]]
    if weak:
        return unmet(
            f"{dialect} may lose what it has committed: {', '.join(f'{name} is {found[name]}' for name in weak)}.",
            "Set " + ", ".join(f"{name} to {_STRONG[name]}" for name in weak) + ".",
        )
    if found.get("synchronous") == "1":
        return met("A commit survives the end of a process; after a power cut the last ones may be missing.")
    return met("A commit is on the disk of the database before it answers.")


_DURABILITY = {
    "postgresql": {"fsync": "SHOW fsync", "synchronous_commit": "SHOW synchronous_commit"},
    "mysql": {"innodb_flush_log_at_trx_commit": "SELECT @@innodb_flush_log_at_trx_commit"},
    "mariadb": {"innodb_flush_log_at_trx_commit": "SELECT @@innodb_flush_log_at_trx_commit"},
    "sqlite": {"synchronous": "PRAGMA synchronous"},
}
"""Dialect -> what decides whether a commit is on the disk -> how to ask for it."""
_WEAK = {
    "fsync": ("off",),
    "synchronous_commit": ("off",),
    "innodb_flush_log_at_trx_commit": ("0", "2"),
    "synchronous": ("0",),
}
_STRONG = {
    "fsync": "on",
    "synchronous_commit": "on",
    "innodb_flush_log_at_trx_commit": "1",
    "synchronous": "NORMAL",
}


def check_evicts_nothing(deployment: Deployment) -> Finding:
    """A store with little memory refuses to write, and drops no mark that still counts."""
    find_eviction = getattr(deployment.state.replay, "find_eviction", None)
    if find_eviction is None:
        return moot("Only a store in Redis could drop marks to make room.")
    policy = find_eviction()
    if policy is None:
        return moot("Redis does not say what it drops when its memory is full.")
    if policy == "":
        return met("Redis drops nothing when its memory is full.")
    return unmet(
        f"When its memory is full, Redis drops keys ({policy}): a jti whose mark is dropped counts again.",
        "In Redis, set maxmemory-policy noeviction.",
    )


def _kind(deployment: Deployment) -> str | None:
    """The kind of store that the setting names; ``None``: the application's own."""
    setting = deployment.settings.REPLAY_STORE
    return kind_of(setting) if isinstance(setting, str) and not is_import_path(setting) else None


def _open_another(deployment: Deployment, store: ReplayStore) -> ReplayStore:
    """The same store, with connections of its own, as another worker has it."""
    if isinstance(store, SQLAlchemyReplayStore):
        engine = store.database.engine
        another = create_engine(engine.url, pool=engine.pool.recreate())
        use_wal(another)
        return store.through(Database(lambda: another))
    settings = deployment.settings
    return load_replay_store(settings.REPLAY_STORE, redis_replicas=settings.REPLAY_REDIS_REPLICAS)


def _close(store: Any) -> None:
    if callable(close := getattr(store, "close", None)):
        close()


def _is_in_memory(database: Database) -> bool:
    url = database.engine.url
    return url.get_backend_name() == "sqlite" and (url.database in (None, "", ":memory:") or "memory" in str(url.query))


def _ask(database: Database, statement: str) -> str:
    with database.begin() as connection:
        return str(connection.exec_driver_sql(statement).scalar_one()).lower()


REQUIREMENTS = (
    DeploymentRequirement("replay-store-shared", check_shared, needs=("migration",)),
    DeploymentRequirement("replay-store-atomic", check_atomic, needs=("migration",)),
    DeploymentRequirement("replay-store-durable", check_durable, needs=("database",)),
    DeploymentRequirement("replay-store-evicts-nothing", check_evicts_nothing),
)
