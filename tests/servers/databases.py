"""Databases to test the stores on, each worker's own; a store of every kind; a line that can be cut."""

import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, inspect, text
from sqlalchemy.schema import DropTable

from flask_private_key_jwt.authorization_server.stores.tables.all_tables import Tables
from flask_private_key_jwt.database.sqlite import use_wal
from flask_private_key_jwt.replay.base import ASSERTION, Mark, ReplayStore
from flask_private_key_jwt.replay.loading import load_replay_store
from tests.servers.line import Line
from tests.servers.throwaway import server_url
from tests.tables import create_tables, declare_tables

SQL = ["sqlite", "postgres", "mariadb"]
STORES = ["memory", "redis", "sentinel", "cluster", *SQL]


class OwnDatabases:
    """Two databases that only this worker uses: one that a test finds empty, and one that keeps its tables."""

    def __init__(self, server: str) -> None:
        self._server = create_engine(server, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
        self._opened: dict[str, Engine] = {}

    def empty(self) -> str:
        engine = self._open("empty")
        with engine.connect() as connection:
            _drop_tables(connection)
        return engine.url.render_as_string(hide_password=False)

    def with_tables(self) -> str:
        """The tables without a row; making them takes a server longer than a test does."""
        engine = self._open("tables")
        tables = declare_tables()[0].metadata.tables
        with engine.connect() as connection:
            if set(inspect(connection).get_table_names()) != set(tables):
                _drop_tables(connection)
                create_tables(engine)
            elif engine.dialect.name == "postgresql":
                connection.execute(text(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY"))
            else:
                for name in tables:  # TRUNCATE makes a table anew
                    connection.execute(text(f"DELETE FROM {name}"))
        return engine.url.render_as_string(hide_password=False)

    def drop(self) -> None:
        force = " WITH (FORCE)" if self._server.dialect.name == "postgresql" else ""
        for engine in self._opened.values():
            engine.dispose()
            with self._server.connect() as connection:
                connection.execute(text(f"DROP DATABASE {engine.url.database}{force}"))
        self._server.dispose()

    def _open(self, kind: str) -> Engine:
        if kind not in self._opened:
            name = f"pkjwt_{kind}_{secrets.token_hex(4)}"
            with self._server.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
            url = self._server.url.set(database=name)
            self._opened[kind] = create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
        return self._opened[kind]


def _drop_tables(connection: Connection) -> None:
    for name in inspect(connection).get_table_names():
        connection.execute(DropTable(Table(name, MetaData())))


@contextmanager
def _own_databases(name: str) -> Iterator[OwnDatabases]:
    with server_url(name) as url:
        own = OwnDatabases(url)
        yield own
        own.drop()


@pytest.fixture(scope="session")
def _postgres() -> Iterator[OwnDatabases]:
    with _own_databases("postgres") as own:
        yield own


@pytest.fixture(scope="session")
def _mariadb() -> Iterator[OwnDatabases]:
    with _own_databases("mariadb") as own:
        yield own


def _choose(own: OwnDatabases, request: pytest.FixtureRequest) -> str:
    wants_tables = {"sql_database", "postgres_database"} & set(request.fixturenames)
    return own.with_tables() if wants_tables else own.empty()


@pytest.fixture
def postgres_url(_postgres: OwnDatabases, request: pytest.FixtureRequest) -> str:
    """The URL of an empty PostgreSQL database; of one with the tables, if the test takes it as a database too."""
    return _choose(_postgres, request)


@pytest.fixture
def mariadb_url(_mariadb: OwnDatabases, request: pytest.FixtureRequest) -> str:
    """The same on MariaDB."""
    return _choose(_mariadb, request)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with server_url("redis") as url:
        yield url


@pytest.fixture(scope="session")
def sentinel_url() -> Iterator[str]:
    """A Redis that three sentinels watch over; it has a replica."""
    with server_url("sentinel") as url:
        yield url


@pytest.fixture(scope="session")
def cluster_url() -> Iterator[str]:
    """A Redis Cluster of three masters with a replica each."""
    with server_url("cluster") as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/test.sqlite"


@pytest.fixture(params=SQL)
def sql_url(request: pytest.FixtureRequest) -> Any:
    """The URL of an SQL database of every kind."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest) -> Any:
    """``OAUTH2_REPLAY_STORE`` for a store of every kind."""
    return "memory" if request.param == "memory" else request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def open_store() -> Iterator[Callable[[str], Any]]:
    """Opens replay stores, and closes them when the test is over."""
    opened: list[ReplayStore] = []

    def open_store(url: str) -> ReplayStore:
        store = load_replay_store(url)
        opened.append(store)
        return store

    yield open_store
    for store in opened:
        if hasattr(store, "close"):
            store.close()


@pytest.fixture
def store(store_url: str, open_store: Callable[[str], Any]) -> ReplayStore:
    replay_store: ReplayStore = open_store(store_url)
    return replay_store


@pytest.fixture
def mark(clock: Any) -> Callable[..., Mark]:
    """Builds marks that no other test has."""
    test = secrets.token_hex(4)

    def mark(
        jti: str = "jti",
        *,
        owner: str = "client",
        purpose: str = ASSERTION,
        server: str = "https://as.example",
        lifetime: int = 300,
        used_from: int | None = None,
    ) -> Mark:
        earliest = clock.now if used_from is None else used_from
        return Mark(purpose, server, f"{test}-{owner}", jti, clock.now + lifetime, earliest)

    return mark


@dataclass(frozen=True)
class Database:
    """An application's database: the tables in it and their engine."""

    engine: Engine
    tables: Tables


def _open_database(url: str) -> Iterator[Database]:
    engine = create_engine(url)
    use_wal(engine)
    if engine.dialect.name == "sqlite":
        create_tables(engine)
    engine.connect().close()  # what SQLAlchemy asks a server first is asked before threads use the engine
    yield Database(engine, declare_tables()[1])
    engine.dispose()


@pytest.fixture
def sql_database(sql_url: str) -> Iterator[Database]:
    """A database of every kind, with the tables."""
    yield from _open_database(sql_url)


@pytest.fixture
def postgres_database(_postgres: OwnDatabases) -> Iterator[Database]:
    """A PostgreSQL database with the tables."""
    yield from _open_database(_postgres.with_tables())


@pytest.fixture
def mariadb_database(_mariadb: OwnDatabases) -> Iterator[Database]:
    """A MariaDB database with the tables."""
    yield from _open_database(_mariadb.with_tables())


@pytest.fixture
def sqlite_database(sqlite_url: str) -> Iterator[Database]:
    """An SQLite database with the tables, for what does not depend on the kind."""
    yield from _open_database(sqlite_url)


@dataclass(frozen=True)
class RemoteStore:
    """A replay store behind a line, by its URL."""

    url: str
    line: Line


@pytest.fixture(params=["redis", "postgres", "mariadb"])
def remote_store(request: pytest.FixtureRequest) -> Iterator[RemoteStore]:
    """A store of every kind that can be away."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    line = Line(parts.hostname, parts.port)
    yield RemoteStore(url.replace(f"{parts.hostname}:{parts.port}", f"127.0.0.1:{line.port}"), line)
    line.cut()


@pytest.fixture
def remote_silence() -> Iterator[int]:
    """The port of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
