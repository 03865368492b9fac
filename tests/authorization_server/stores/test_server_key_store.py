"""The store of the server's own keys: of several makers one wins."""

import threading
from dataclasses import replace
from typing import Any

import pytest

from flask_private_key_jwt.authorization_server.stores.contracts import StoredKey, sum_versions
from flask_private_key_jwt.authorization_server.stores.sql.server_keys import SQLAlchemyServerKeyStore
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.errors import StoreUnavailable

KEY = StoredKey(
    slot=1,
    kid="k1",
    alg="ES256",
    public_jwk='{"kty": "EC"}',
    encrypted_private_jwk="gAAAA" * 4000,
    created_at=1,
    signs_from=1,
)


def open_store(database: Any) -> SQLAlchemyServerKeyStore:
    return SQLAlchemyServerKeyStore(Database(lambda: database.engine), database.tables)


def test_keys_are_loaded_as_they_were_added_by_slot(sql_database):
    store = open_store(sql_database)
    assert store.load() == []

    second = replace(KEY, slot=2, kid="k2")
    assert store.add(second)
    assert store.add(KEY)

    assert open_store(sql_database).load() == [KEY, second]


def test_a_taken_slot_is_not_given_again(sql_database):
    store = open_store(sql_database)
    store.add(KEY)

    assert not store.add(replace(KEY, kid="other"))
    assert store.load() == [KEY]


def test_of_ten_threads_one_adds_the_first_key(sql_database):
    store, gate, answers = open_store(sql_database), threading.Barrier(10), []

    def add(number: int) -> None:
        gate.wait()
        answers.append(store.add(replace(KEY, kid=f"k{number}")))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False] * 9 + [True]
    assert len(store.load()) == 1


@pytest.mark.parametrize("change", [{"slot": 0}, {"kid": ""}, {"encrypted_private_jwk": ""}, {"created_at": -1}])
def test_a_key_that_must_not_be_is_not_taken_for_a_lost_race(sql_database, change):
    store = open_store(sql_database)

    with pytest.raises(StoreUnavailable) as refused:
        store.add(replace(KEY, **change))
    assert "constraint" in refused.value.reason.lower()
    assert store.load() == []


def test_a_database_without_the_tables_is_unavailable(sqlite_database):
    store = open_store(sqlite_database)
    sqlite_database.tables.server_key.drop(sqlite_database.engine)

    with pytest.raises(StoreUnavailable):
        store.load()
    with pytest.raises(StoreUnavailable):
        store.add(KEY)


def test_every_change_gives_another_version(sql_database):
    store, other_process = open_store(sql_database), open_store(sql_database)
    second = replace(KEY, slot=2, kid="k2")
    seen = [store.find_version()]

    for change in (
        lambda: store.add(KEY),
        lambda: store.add(second),
        lambda: store.change(replace(KEY, retired_at=5), "retired"),
        lambda: store.change(replace(KEY, retired_at=5), "retired"),
        lambda: store.remove(KEY),
    ):
        change()
        seen.append(other_process.find_version())
        assert sum_versions(store.load()) == seen[-1]

    assert len(set(seen)) == len(seen)


def test_a_refused_key_leaves_the_version(sql_database):
    store = open_store(sql_database)
    store.add(KEY)
    before = store.find_version()

    assert not store.add(replace(KEY, kid="other"))
    assert store.find_version() == before
