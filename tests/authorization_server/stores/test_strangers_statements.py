"""What counts open pushed requests and finds unused clients, on every database."""

from dataclasses import replace

import pytest
from sqlalchemy import insert, select, update

from flask_private_key_jwt.authorization_server.stores.granted import PushedRequest
from flask_private_key_jwt.authorization_server.stores.sql.authorizations import SQLAlchemyAuthorizationStore
from flask_private_key_jwt.authorization_server.stores.sql.unused_clients import UnusedClients
from flask_private_key_jwt.authorization_server.stores.tables.client import build_columns
from flask_private_key_jwt.database.database import Database
from tests.authorization_server.stores.example_client import build_client
from tests.conftest import START

KEEP = 1000


@pytest.fixture
def authorizations(sql_database):
    return SQLAlchemyAuthorizationStore(
        Database(lambda: sql_database.engine), sql_database.tables.granted, keep_seconds=60
    )


@pytest.fixture
def unused(sql_database):
    return UnusedClients(Database(lambda: sql_database.engine), sql_database.tables, keep_seconds=KEEP)


@pytest.fixture
def add(sql_database):
    def add(name, key_used_at=None, **changes):
        client = replace(build_client(name), **{"registered_by": "client", **changes})
        key = {"client_id": name, "thumbprint": "t", "added_at": START, "last_used_at": key_used_at}
        with sql_database.engine.begin() as connection:
            connection.execute(insert(sql_database.tables.client).values(build_columns(client)))
            connection.execute(insert(sql_database.tables.client_key).values(key))

    return add


@pytest.fixture
def names(sql_database):
    def names(table="client"):
        with sql_database.engine.begin() as connection:
            return sorted(connection.scalars(select(getattr(sql_database.tables, table).c.client_id)))

    return names


def test_open_requests_are_those_neither_used_nor_expired(authorizations, clock):
    def push(name, pushed_by, lifetime=90):
        authorizations.push(name, PushedRequest("console", {}, START + lifetime, pushed_by=pushed_by))

    for number in range(4):
        push(f"mine {number}", "mine")
    push("short", "mine", lifetime=5)
    push("theirs", "theirs")

    assert (authorizations.count_open("mine", most=10), authorizations.count_open("mine", most=3)) == (5, 3)
    assert authorizations.use_pushed("mine 0")
    clock.move(5)
    assert authorizations.count_open("mine", most=10) == 3
    assert authorizations.count_open("nobody's", most=10) == 0


def test_unused_clients_and_their_keys_are_deleted(add, names, unused, clock):
    for number in range(5):
        add(f"unused {number}")
    add("used", key_used_at=START)
    add("mine", registered_by="operator")
    clock.move(KEEP)
    assert unused.purge() == 0
    clock.move(1)
    add("new")

    assert unused.purge(batch=2) == 5
    assert names() == names("client_key") == ["mine", "new", "used"]


def test_changed_client_stays(sql_database, add, names, unused, clock):
    add("changed")
    clock.move(1)
    with sql_database.engine.begin() as connection:
        connection.execute(update(sql_database.tables.client).values(owner="team 5"))
    clock.move(2 * KEEP)

    assert unused.purge() == 0
    assert names() == ["changed"]
