"""The store of refresh tokens, by one contract on every database: replaced once, and found for whom they are."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String, create_engine, func, select

from flask_private_key_jwt.authorization_server.stores.granted import (
    Consent,
    Granted,
    Holder,
    PushedRequest,
    StoredRefreshToken,
)
from flask_private_key_jwt.authorization_server.stores.sql import refresh_tokens as sqlalchemy_refresh_tokens
from flask_private_key_jwt.authorization_server.stores.sql.authorizations import SQLAlchemyAuthorizationStore
from flask_private_key_jwt.authorization_server.stores.sql.refresh_tokens import (
    SQLAlchemyRefreshTokenStore,
    forget_client,
)
from flask_private_key_jwt.authorization_server.stores.tables.all_tables import build_tables
from flask_private_key_jwt.database.database import Database
from tests.conftest import START

AT_ONCE = 20


def build_stored(grant_id: str = "g", *, subject: str = "alice", client_id: str = "shop") -> StoredRefreshToken:
    granted = Granted(grant_id, client_id, subject, ("read",), (), None)
    return StoredRefreshToken(granted, "jkt", True, START + 100, START + 1000)


def open_store(database: Any) -> SQLAlchemyRefreshTokenStore:
    return SQLAlchemyRefreshTokenStore(Database(lambda: database.engine), database.tables.granted)


@pytest.fixture
def store(sql_database):
    return open_store(sql_database)


def count_rows(database: Any) -> int:
    with database.engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(database.tables.granted.refresh_token))


# --- replaced once ------------------------------------------------------------------------------------------------
def test_token_is_replaced_by_what_was_given(store, clock):
    stored = build_stored()
    store.add("first", stored)

    assert store.replace("first", "second", stored)

    assert store.find("first").used_at == clock.now
    assert store.find("second") == stored


@pytest.mark.parametrize("token", ["first", "unknown"])
def test_token_that_is_replaced_or_unknown_gets_no_successor(token, store, sql_database):
    store.add("first", build_stored())
    assert store.replace("first", "second", build_stored())

    assert not store.replace(token, "third", build_stored())

    assert store.find("third") is None
    assert count_rows(sql_database) == 2


def test_of_twenty_at_once_one_replaces_a_token(sql_database):
    stored = build_stored()
    stores = [open_store(sql_database) for _ in range(AT_ONCE)]
    stores[0].add("first", stored)
    together = threading.Barrier(AT_ONCE)

    def replace(number: int) -> bool:
        together.wait()
        return stores[number].replace("first", f"second {number}", stored)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        winners = list(pool.map(replace, range(AT_ONCE)))

    assert winners.count(True) == 1
    assert stores[0].find(f"second {winners.index(True)}") == stored
    assert count_rows(sql_database) == 2


def test_grant_ends_with_all_its_tokens_and_no_others(store, sql_database, monkeypatch):
    monkeypatch.setattr(sqlalchemy_refresh_tokens, "CHUNK", 2)
    for number in range(5):
        store.add(f"token {number}", build_stored())
    store.add("another", build_stored("another"))

    store.remove_grant("g")

    assert count_rows(sql_database) == 1
    assert store.find("another") is not None


def remove_client(database: Any, client_id: str) -> None:
    with database.engine.begin() as connection:
        forget_client(connection, database.tables.granted, client_id, until=START + 1000)


@pytest.mark.parametrize("end", ["grant", "client"])
def test_tokens_end_while_they_are_replaced(end, sql_database):
    """Neither waits for the other for ever, nor fails."""
    stores = [open_store(sql_database) for _ in range(2)]
    stored = [build_stored(f"g{number}", client_id=f"c{number}") for number in range(AT_ONCE)]
    for number in range(AT_ONCE):
        stores[0].add(f"first {number}", stored[number])
    together = threading.Barrier(2)

    def replace() -> None:
        together.wait()
        for number in range(AT_ONCE):
            stores[0].replace(f"first {number}", f"second {number}", stored[number])

    def remove() -> None:
        together.wait()
        for number in range(AT_ONCE):
            if end == "grant":
                stores[1].remove_grant(f"g{number}")
            else:
                remove_client(sql_database, f"c{number}")

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(replace), pool.submit(remove)]:
            future.result()

    assert all(stores[0].find(f"first {number}") is None for number in range(AT_ONCE))


# --- whose they are -----------------------------------------------------------------------------------------------
@pytest.fixture(params=["sqlite", "postgres", "mariadb", "caseless"])
def named_database(request: Any) -> Iterator[Any]:
    """A database of every kind, and one that compares names as MariaDB does by default: "Alice" is "alice"."""
    if request.param != "caseless":
        yield request.getfixturevalue(f"{request.param}_database")
        return
    db = SQLAlchemy()
    tables = build_tables(db)
    for table in (tables.granted.authorization_code, tables.granted.refresh_token, tables.granted.consent):
        table.c.subject.type = table.c.client_id.type = String(255, collation="NOCASE")
    engine = create_engine(request.getfixturevalue("sqlite_url"))
    db.metadata.create_all(engine)
    yield SimpleNamespace(engine=engine, tables=tables)
    engine.dispose()


@pytest.mark.parametrize(
    ("holder", "grants"),
    [
        (Holder(subject="alice"), {"small"}),
        (Holder(subject="Alice"), {"tall"}),
        (Holder(subject="ALICE"), set()),
        (Holder(subject="alice", client_id="SHOP"), set()),
        (Holder(client_id="shop"), {"small", "tall"}),
    ],
)
def test_grants_are_found_by_exactly_their_holder(holder, grants, named_database):
    store = open_store(named_database)
    store.add("small", build_stored("small", subject="alice"))
    store.add("tall", build_stored("tall", subject="Alice"))

    assert store.find_grants(holder) == grants


def test_consents_are_forgotten_by_exactly_their_holder(named_database):
    database = named_database
    consents = SQLAlchemyAuthorizationStore(
        Database(lambda: database.engine), database.tables.granted, keep_seconds=1800
    )
    for subject in ("alice", "Alice"):
        consents.save_consent("shop", subject, Consent(frozenset({"read"}), frozenset(), 0))

    open_store(database).forget_consents(Holder(subject="alice"), by="operator")

    assert consents.find_consent("shop", "alice") is None
    assert consents.find_consent("shop", "Alice") is not None


def test_client_that_is_removed_takes_its_own_with_it_and_nothing_else(named_database, monkeypatch):
    monkeypatch.setattr(sqlalchemy_refresh_tokens, "CHUNK", 2)
    store = open_store(named_database)
    pushed = SQLAlchemyAuthorizationStore(
        Database(lambda: named_database.engine), named_database.tables.granted, keep_seconds=1800
    )
    for client_id in ("shop", "Shop"):
        for number in range(3):
            store.add(f"{client_id} {number}", build_stored(f"{client_id} {number}", client_id=client_id))
        pushed.push(f"of {client_id}", PushedRequest(client_id, {}, START + 90))
        pushed.save_consent(client_id, "alice", Consent(frozenset({"read"}), frozenset(), 0))

    remove_client(named_database, "shop")

    assert [store.find(f"shop {number}") for number in range(3)] == [None] * 3
    assert pushed.find_pushed("of shop") is None
    assert pushed.find_consent("shop", "alice") is None
    assert all(store.find(f"Shop {number}") is not None for number in range(3))
    assert pushed.find_pushed("of Shop") is not None
    assert pushed.find_consent("Shop", "alice") is not None
