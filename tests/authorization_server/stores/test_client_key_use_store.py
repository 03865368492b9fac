"""The store of key use, by one contract on every database: rows that come and go with keys, one writer an hour."""

import subprocess
import sys
import threading
from typing import Any

import pytest
from sqlalchemy import insert

from flask_private_key_jwt.authorization_server.stores.contracts import KeyUse
from flask_private_key_jwt.authorization_server.stores.sql.client_key_use import SQLAlchemyClientKeyUseStore
from flask_private_key_jwt.authorization_server.stores.tables.client import build_columns
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.database.missing_tables import ADVICE
from flask_private_key_jwt.errors import StoreUnavailable
from tests.authorization_server.stores.example_client import build_client
from tests.checkout import CHECKOUT
from tests.conftest import START

HOUR = 3600


def open_store(database: Any) -> SQLAlchemyClientKeyUseStore:
    return SQLAlchemyClientKeyUseStore(Database(lambda: database.engine), database.tables)


def mark(store: SQLAlchemyClientKeyUseStore, now: int, thumbprint: str = "old") -> bool:
    return store.mark_used("console", thumbprint, now=now, not_after=now - HOUR)


def test_keys_are_known_from_when_they_came(sql_database):
    store = open_store(sql_database)
    store.replace("console", {"old"}, now=START)
    store.replace("console", {"old", "new"}, now=START + 5)

    assert store.load("console") == {"old": KeyUse("old", START), "new": KeyUse("new", START + 5)}


def test_last_use_of_a_client_is_that_of_its_key_used_last(sql_database):
    store = open_store(sql_database)
    for client_id in ("console", "Console", "silent"):
        store.replace(client_id, {"old", "new"} if client_id == "console" else {"other"}, now=START)
    mark(store, START + 7, "new")
    mark(store, START + 1, "old")
    store.mark_used("Console", "other", now=START + 3, not_after=START)

    uses = store.find_last_uses()

    assert (uses["console"], uses.get("Console"), uses.get("silent")) == (START + 7, START + 3, None)


def test_key_that_left_is_forgotten_and_comes_back_as_a_new_one(sql_database):
    store = open_store(sql_database)
    store.replace("console", {"old", "new"}, now=START)
    mark(store, START)

    store.replace("console", {"new"}, now=START + 5)
    assert store.load("console") == {"new": KeyUse("new", START)}

    store.replace("console", {"new", "old"}, now=START + 9)
    assert store.load("console")["old"] == KeyUse("old", START + 9)


def test_key_that_stays_keeps_its_times(sql_database):
    store = open_store(sql_database)
    store.replace("console", {"old"}, now=START)
    mark(store, START + 1)

    store.replace("console", {"old", "new"}, now=START + 5)

    assert store.load("console")["old"] == KeyUse("old", START, START + 1)


def test_no_keys_are_kept_of_a_client_without_any(sql_database):
    store = open_store(sql_database)
    store.replace("console", {"old"}, now=START)
    store.replace("other", {"old"}, now=START)

    store.replace("console", set(), now=START)

    assert store.load("console") == {}
    assert store.load("other") != {}


@pytest.mark.parametrize("other", ["CONSOLE", "console ", "consol"])
def test_client_of_a_similar_name_has_keys_of_its_own(sql_database, other):
    """MariaDB folds case and trailing spaces; its table of clients refuses two such names."""
    store = open_store(sql_database)
    store.replace("console", {"old"}, now=START)

    assert store.load(other) == {}


def test_first_use_is_recorded(sql_database):
    store = open_store(sql_database)
    store.replace("console", {"old", "new"}, now=START)

    assert mark(store, START + 7)

    assert store.load("console") == {"old": KeyUse("old", START, START + 7), "new": KeyUse("new", START)}


@pytest.mark.parametrize(("later", "recorded"), [(0, False), (HOUR - 1, False), (HOUR, True), (100 * HOUR, True)])
def test_use_is_recorded_once_an_hour(sql_database, later, recorded):
    store = open_store(sql_database)
    store.replace("console", {"old"}, now=START)
    mark(store, START)

    assert mark(store, START + later) is recorded

    assert store.load("console")["old"].last_used_at == START + later * recorded


def test_use_is_never_set_back(sql_database):
    store = open_store(sql_database)
    store.replace("console", {"old"}, now=START)
    mark(store, START)

    assert not mark(store, START - HOUR)


def test_use_of_an_unknown_key_is_not_recorded(sql_database):
    store = open_store(sql_database)
    store.replace("console", {"old"}, now=START)

    assert not mark(store, START, "other")
    assert not store.mark_used("nobody", "old", now=START, not_after=START - HOUR)

    assert store.load("console") == {"old": KeyUse("old", START)}


@pytest.mark.parametrize(("added", "used", "stays"), [(5, None, False), (6, None, True), (4, 5, False), (4, 6, True)])
def test_old_keys_of_unregistered_clients_are_purged(sql_database, added, used, stays):
    store = open_store(sql_database)
    store.replace("https://client.example", {"key"}, now=added)
    if used:
        store.mark_used("https://client.example", "key", now=used, not_after=used)

    assert store.purge(not_after=5) == (not stays)

    assert bool(store.load("https://client.example")) is stays


def test_keys_of_registered_clients_are_not_purged(sql_database):
    store = open_store(sql_database)
    with sql_database.engine.begin() as connection:
        connection.execute(insert(sql_database.tables.client).values(build_columns(build_client())))
    store.replace("console", {"key"}, now=1)

    assert store.purge(not_after=START) == 0


def test_of_ten_threads_one_records_the_use(sql_database):
    store, gate, answers = open_store(sql_database), threading.Barrier(10), []
    store.replace("console", {"old"}, now=START)

    def use(number: int) -> None:
        gate.wait()
        answers.append(mark(store, START + number % 2))

    threads = [threading.Thread(target=use, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False] * 9 + [True]


def test_threads_that_meet_the_same_new_keys_add_each_once(sql_database):
    store, gate, problems = open_store(sql_database), threading.Barrier(6), []
    thumbprints = {f"key {number}" for number in range(5)}

    def replace() -> None:
        gate.wait()
        try:
            store.replace("console", thumbprints, now=START)
        except StoreUnavailable as problem:
            problems.append(problem.reason)

    threads = [threading.Thread(target=replace) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert store.load("console").keys() == thumbprints


def test_of_eight_processes_one_records_the_use(sql_url, sql_database):
    open_store(sql_database).replace("console", {"old"}, now=START)

    racers = subprocess.run(
        [sys.executable, "-m", "tests.authorization_server.stores.key_use_racer", sql_url],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert racers.stderr == ""
    assert sorted(racers.stdout.split()) == ["False"] * 7 + ["True"]


def test_a_database_without_the_table_is_unavailable(sqlite_database):
    store = open_store(sqlite_database)
    sqlite_database.tables.client_key.drop(sqlite_database.engine)

    for use in (
        lambda: store.load("console"),
        lambda: store.replace("console", {"old"}, now=START),
        lambda: mark(store, START),
    ):
        with pytest.raises(StoreUnavailable) as refused:
            use()
        assert refused.value.reason == f"database: OperationalError 'no such table: oauth2_client_key'; {ADVICE}"
