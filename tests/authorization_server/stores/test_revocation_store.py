"""The store of revocations, by one contract on every database: what is revoked stays so, whoever writes at once."""

import threading
from typing import Any

import pytest
from sqlalchemy import insert, select

from flask_private_key_jwt.authorization_server.stores.granted import Holder
from flask_private_key_jwt.authorization_server.stores.revocation_names import (
    Revocation,
    grant_name,
    holder_name,
    token_name,
)
from flask_private_key_jwt.authorization_server.stores.sql import revocations as sqlalchemy_revocations
from flask_private_key_jwt.authorization_server.stores.sql.revocations import SQLAlchemyRevocationStore, revoke_within
from flask_private_key_jwt.database.batches import KEEP_ENDED_SECONDS
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.database.missing_tables import ADVICE
from flask_private_key_jwt.errors import StoreUnavailable
from tests.conftest import START

GRANT = grant_name("g")
CLIENT = holder_name(Holder(client_id="console"))
LATER = START + 1000


def open_store(database: Any) -> SQLAlchemyRevocationStore:
    return SQLAlchemyRevocationStore(Database(lambda: database.engine), database.tables.granted.revocation)


@pytest.fixture
def table(sql_database):
    return sql_database.tables.granted.revocation


@pytest.fixture
def store(sql_database):
    return open_store(sql_database)


def rows(database: Any) -> list[tuple[Any, ...]]:
    with database.engine.connect() as connection:
        table = database.tables.granted.revocation
        query = select(table.c.issued_until, table.c.expires_at).order_by(table.c.expires_at)
        return [tuple(row) for row in connection.execute(query)]


# --- one name -----------------------------------------------------------------------------------------------------
def test_nothing_is_revoked_at_first(store):
    assert not store.covers([GRANT, CLIENT], issued_at=START)
    assert not store.covers([GRANT], issued_at=0)


@pytest.mark.parametrize("issued_at", [0, START, 4_000_000_000])
def test_every_token_of_a_name_is_revoked(issued_at, store):
    store.add(Revocation(GRANT, LATER))

    assert store.covers([GRANT], issued_at=issued_at)


@pytest.mark.parametrize(("issued_at", "covered"), [(0, True), (START, True), (START + 1, False)])
def test_tokens_of_a_name_are_revoked_up_to_a_second(issued_at, covered, store):
    store.add(Revocation(CLIENT, LATER, issued_until=START))

    assert store.covers([CLIENT], issued_at=issued_at) is covered


@pytest.mark.parametrize("names", [[GRANT], [CLIENT, GRANT], [GRANT, CLIENT], [token_name("a"), GRANT, CLIENT]])
def test_one_revoked_name_of_a_token_is_enough(names, store):
    store.add(Revocation(GRANT, LATER))

    assert store.covers(names, issued_at=START)
    assert not store.covers([CLIENT, token_name("a")], issued_at=START)


def test_names_of_different_kinds_are_different():
    names = [
        token_name("x"),
        grant_name("x"),
        holder_name(Holder(client_id="x")),
        holder_name(Holder(subject="x")),
        holder_name(Holder(subject="x", client_id="x")),
        holder_name(Holder(subject="x\x00x")),
        holder_name(Holder(subject="X")),
        token_name("\ud800"),
    ]

    assert len(set(names)) == len(names)
    assert {len(name) for name in names} == {32}


def test_holder_is_somebody():
    with pytest.raises(ValueError, match="name a subject, a client_id or both"):
        Holder()


# --- the same name again --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("order", [1, -1])
def test_of_two_revocations_of_a_name_the_later_counts(order, store, sql_database):
    for revocation in [Revocation(CLIENT, LATER, issued_until=START), Revocation(CLIENT, LATER + 9, START + 9)][
        ::order
    ]:
        store.add(revocation)

    assert rows(sql_database) == [(START + 9, LATER + 9)]


def test_longer_memory_of_an_earlier_revocation_stays(store, sql_database):
    store.add(Revocation(CLIENT, LATER + 9, issued_until=START))
    store.add(Revocation(CLIENT, LATER, issued_until=START + 9))

    assert rows(sql_database) == [(START + 9, LATER + 9)]


def test_revocation_for_good_stays_for_good(store, sql_database):
    store.add(Revocation(GRANT, LATER))
    store.add(Revocation(GRANT, LATER + 9))
    store.add(Revocation(GRANT, LATER, issued_until=START))

    assert rows(sql_database) == [(None, LATER + 9)]


def test_of_ten_threads_that_revoke_one_name_the_latest_counts(store, sql_database):
    gate, problems = threading.Barrier(10), []

    def revoke(number: int) -> None:
        gate.wait()
        try:
            for step in range(5):
                store.add(Revocation(CLIENT, LATER + number, issued_until=START + 10 * step + number))
        except StoreUnavailable as problem:
            problems.append(problem.reason)

    threads = [threading.Thread(target=revoke, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert rows(sql_database) == [(START + 49, LATER + 9)]


def test_purge_at_the_same_time_loses_nothing(store, sql_database, monkeypatch):
    """The row is refused because it is there, and gone when it is to be changed."""
    update, calls = store._database.update, []

    def update_after_a_purge(*arguments: Any) -> int:
        calls.append(arguments)
        if len(calls) == 1:
            with sql_database.engine.begin() as connection:
                connection.execute(sql_database.tables.granted.revocation.delete())
        return update(*arguments)

    store.add(Revocation(CLIENT, 1, issued_until=1))
    monkeypatch.setattr(store._database, "update", update_after_a_purge)
    store.add(Revocation(CLIENT, LATER, issued_until=START))

    assert len(calls) == 1
    assert rows(sql_database) == [(START, LATER)]


# --- within a transaction -------------------------------------------------------------------------------------------
def test_revocations_are_a_part_of_the_transaction(sql_database, table, store):
    def fail() -> None:
        with sql_database.engine.begin() as connection:
            connection.execute(insert(table), {"digest": token_name("a"), "expires_at": LATER})
            revoke_within(connection, table, [Revocation(GRANT, LATER)])
            raise LookupError

    with pytest.raises(LookupError):
        fail()

    assert rows(sql_database) == []


@pytest.mark.parametrize("chunk", [1, 2, 500])
def test_names_that_were_revoked_before_are_no_obstacle(chunk, sql_database, table, store, monkeypatch):
    monkeypatch.setattr(sqlalchemy_revocations, "CHUNK", chunk)
    names = [grant_name(str(number)) for number in range(5)]
    store.add(Revocation(names[2], LATER))
    store.add(Revocation(CLIENT, LATER, issued_until=START))

    with sql_database.engine.begin() as connection:
        connection.execute(insert(table), {"digest": token_name("a"), "expires_at": 1})
        revocations = [Revocation(CLIENT, LATER + 9, START + 9), *(Revocation(name, LATER) for name in names)]
        revoke_within(connection, table, revocations)

    assert all(store.covers([name], issued_at=LATER) for name in names)
    assert store.covers([CLIENT], issued_at=START + 9)
    assert len(rows(sql_database)) == 7


def test_transaction_waits_for_another_one_that_revokes_the_same(postgres_database):
    table, store = postgres_database.tables.granted.revocation, open_store(postgres_database)
    problems = []

    def revoke() -> None:
        try:
            with postgres_database.engine.begin() as connection:
                revoke_within(connection, table, [Revocation(CLIENT, LATER, issued_until=START)])
        except Exception as problem:
            problems.append(problem)

    thread = threading.Thread(target=revoke)
    with postgres_database.engine.begin() as connection:
        revoke_within(connection, table, [Revocation(CLIENT, LATER + 9, issued_until=START + 9)])
        thread.start()
    thread.join()

    assert problems == []
    assert rows(postgres_database) == [(START + 9, LATER + 9)]
    assert store.covers([CLIENT], issued_at=START + 9)


# --- the end --------------------------------------------------------------------------------------------------------
def test_purge_forgets_what_has_expired_and_nothing_else(store, sql_database, clock):
    store.add(Revocation(GRANT, START - 1))
    store.add(Revocation(CLIENT, START, issued_until=START))

    clock.move(KEEP_ENDED_SECONDS)
    assert store.purge() == 1
    assert rows(sql_database) == [(START, START)]
    clock.move(1)
    assert store.purge() == 1


def test_database_without_the_table_is_unavailable(sqlite_database):
    store = open_store(sqlite_database)
    sqlite_database.tables.granted.revocation.drop(sqlite_database.engine)

    for use in (
        lambda: store.add(Revocation(GRANT, LATER)),
        lambda: store.covers([GRANT], issued_at=START),
        store.purge,
    ):
        with pytest.raises(StoreUnavailable) as refused:
            use()
        assert refused.value.reason == f"database: OperationalError 'no such table: oauth2_revocation'; {ADVICE}"


def test_row_that_a_constraint_refuses_for_good_is_unavailable(store):
    with pytest.raises(StoreUnavailable):
        store.add(Revocation(GRANT, -1))
