"""The store of client secrets, by one contract on every database."""

import dataclasses
from typing import Any

import pytest

from flask_private_key_jwt.authorization_server.stores.contracts import StoredClientSecret
from flask_private_key_jwt.authorization_server.stores.sql.client_secrets import SQLAlchemyClientSecretStore
from flask_private_key_jwt.database.batches import KEEP_ENDED_SECONDS
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.errors import StoreUnavailable
from tests.conftest import START

HOUR = 3600
ONE = StoredClientSecret("console", "one", "client_secret_basic", "x" * 3000, START)
TWO = StoredClientSecret("console", "two", "client_secret_basic", "two", START + 1, expires_at=START + 100)
POST = StoredClientSecret("console", "post", "client_secret_post", "post", START + 2)


@pytest.fixture
def store(sql_database: Any) -> SQLAlchemyClientSecretStore:
    return SQLAlchemyClientSecretStore(Database(lambda: sql_database.engine), sql_database.tables)


def test_secrets_are_found_by_their_client_the_oldest_first(store):
    other = dataclasses.replace(ONE, client_id="Console2", kept="other")
    for secret in (POST, TWO, other, ONE):
        store.add(secret)

    assert list(store.load("console")) == [ONE, TWO, POST]
    assert list(store.load("CONSOLE")) == []
    assert {secret.client_id for secret in store.all()} == {"console", "Console2"}
    assert len(store.all()) == 4


def test_new_secret_ends_those_for_the_same_method(store):
    for secret in (ONE, TWO, POST):
        store.add(secret)

    store.add(dataclasses.replace(ONE, name="new", created_at=START + 9), others_end_at=START + 500)

    assert {secret.name: secret.expires_at for secret in store.load("console")} == {
        "one": START + 500,
        "two": START + 100,
        "post": None,
        "new": None,
    }


def test_name_is_the_clients_own(store):
    store.add(ONE)
    store.add(dataclasses.replace(ONE, client_id="other"))

    with pytest.raises(StoreUnavailable):
        store.add(ONE, others_end_at=START)
    assert [secret.expires_at for secret in store.load("console")] == [None]


@pytest.mark.parametrize("change", [{"client_id": ""}, {"name": ""}, {"method": ""}, {"kept": ""}, {"created_at": -1}])
def test_database_refuses_what_must_never_be(change, store):
    with pytest.raises(StoreUnavailable):
        store.add(dataclasses.replace(ONE, **change))


def test_use_is_recorded_once_for_several_who_see_it_due(store):
    store.add(ONE)

    assert store.mark_used(ONE, now=START, not_after=START - HOUR)
    assert not store.mark_used(ONE, now=START + 1, not_after=START + 1 - HOUR)
    assert store.mark_used(ONE, now=START + HOUR, not_after=START)
    assert [secret.last_used_at for secret in store.load("console")] == [START + HOUR]
    assert not store.mark_used(TWO, now=START, not_after=START)


def test_what_is_kept_is_replaced_unless_it_has_changed(store):
    store.add(ONE)

    store.keep_anew(ONE, "new")
    store.keep_anew(ONE, "newer")

    assert [secret.kept for secret in store.load("console")] == ["new"]


def test_one_or_all_of_a_client_are_ended_and_removed(store):
    for secret in (ONE, TWO, POST, dataclasses.replace(ONE, client_id="other")):
        store.add(secret)

    assert store.end("console", "one", expires_at=START + 7) == 1
    assert store.end("console", None, expires_at=None) == 3
    assert store.remove("console", "one") == 1
    assert store.remove("console", "one") == 0
    assert store.remove("console", None) == 2
    assert [secret.client_id for secret in store.all()] == ["other"]


def test_purge_deletes_what_ended_an_hour_ago(store, clock):
    for secret in (ONE, TWO, POST):
        store.add(secret)
    clock.move(100 + KEEP_ENDED_SECONDS - 1)
    assert store.purge() == 0

    clock.move(1)

    assert store.purge(batch=1) == 1
    assert {secret.name for secret in store.all()} == {"one", "post"}
