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
from flask_sqlalchemy import SQLAlchemy
from line import Line
from servers import server_url
from sqlalchemy import Engine, MetaData, Table, create_engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import DropTable

from flask_private_key_jwt.authorization_server.stores.tables.models import Tables, build_tables
from flask_private_key_jwt.database.sqlite import use_wal
from flask_private_key_jwt.replay.base import ASSERTION, Mark, ReplayStore
from flask_private_key_jwt.replay.loading import load_replay_store

SQL = ["sqlite", "postgres", "mariadb"]
STORES = ["memory", "redis", *SQL]


@contextmanager
def _own_database(url: str) -> Iterator[str]:
    """A database that only this worker uses, on the server at *url*."""
    name = f"pkjwt_{secrets.token_hex(4)}"
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(url).set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        force = " WITH (FORCE)" if server.dialect.name == "postgresql" else ""
        connection.execute(text(f"DROP DATABASE {name}{force}"))
    server.dispose()


def _drop_tables(url: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        for name in inspect(connection).get_table_names():
            connection.execute(DropTable(Table(name, MetaData())))


@pytest.fixture(scope="session")
def _postgres() -> Iterator[str]:
    with server_url("postgres") as url, _own_database(url) as own:
        yield own


@pytest.fixture(scope="session")
def _mariadb() -> Iterator[str]:
    with server_url("mariadb") as url, _own_database(url) as own:
        yield own


@pytest.fixture
def postgres_url(_postgres: str) -> str:
    """The URL of an empty PostgreSQL database."""
    _drop_tables(_postgres)
    return _postgres


@pytest.fixture
def mariadb_url(_mariadb: str) -> str:
    """The URL of an empty MariaDB database."""
    _drop_tables(_mariadb)
    return _mariadb


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with server_url("redis") as url:
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
    db = SQLAlchemy()
    tables = build_tables(db)
    engine = create_engine(url)
    use_wal(engine)
    db.metadata.create_all(engine)
    yield Database(engine, tables)
    engine.dispose()


@pytest.fixture
def sql_database(sql_url: str) -> Iterator[Database]:
    """A database of every kind, with the tables."""
    yield from _open_database(sql_url)


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[Database]:
    """A PostgreSQL database with the tables."""
    yield from _open_database(postgres_url)


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
