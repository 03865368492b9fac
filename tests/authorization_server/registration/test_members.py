"""A member of a registration is declared once: that one field is all that it takes."""

import dataclasses
import json
import re
from typing import Annotated

import pytest
from sqlalchemy import insert, select, update

from flask_private_key_jwt.authorization_server import registered_client
from flask_private_key_jwt.authorization_server.client_members import SECONDS, Member
from flask_private_key_jwt.authorization_server.registered_client import MEMBERS, RegisteredClient, find_declared
from flask_private_key_jwt.authorization_server.registration import metadata as registration
from flask_private_key_jwt.authorization_server.stores.sql.clients import SQLAlchemyClientStore
from flask_private_key_jwt.authorization_server.stores.tables import client as storage
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.errors import InvalidClientMetadata
from flask_private_key_jwt.settings.reading import read
from flask_private_key_jwt.settings.server import ServerSettings
from tests.checkout import CHECKOUT

PACKAGE = CHECKOUT / "flask_private_key_jwt"
DECLARED = "authorization_server/registered_client.py"
FORMER = "authorization_server/stores/tables/former_columns.py"
"""History: it names the columns of a former version."""


@pytest.fixture
def tomorrow(monkeypatch):
    """The package with one member more, of which nothing is written but its field."""
    field = ("patience", Annotated[int | None, Member(SECONDS)], None)
    client = dataclasses.make_dataclass("Tomorrow", [field], bases=(RegisteredClient,), frozen=True, eq=False)
    members = {**MEMBERS, **find_declared(client)}
    for module in (registration, storage):
        monkeypatch.setattr(module, "RegisteredClient", client)
        monkeypatch.setattr(module, "MEMBERS", members)
    return client


@pytest.fixture
def build(client_key):
    def build(**changes):
        metadata = {"client_id": "console", "jwks": {"keys": [client_key.public_jwk()]}, **changes}
        settings = read({"OAUTH2_ISSUER": "https://as.example"}, ServerSettings)
        return registration.build_client(metadata, settings=settings, grant_types=["client_credentials"], version="1")

    return build


def test_today_it_is_not_known(build):
    assert registration.unknown_members({"patience": 5}) == ["patience"]
    assert "patience" not in registration.describe_client(build(patience=5))


def test_a_new_member_is_registered_described_stored_and_found(tomorrow, build, sqlite_database):
    client = build(patience=5)
    assert (client.patience, registration.describe_client(client)["patience"]) == (5, 5)
    assert registration.unknown_members({"patience": 5}) == []
    with sqlite_database.engine.begin() as connection:
        connection.execute(insert(sqlite_database.tables.client).values(storage.build_columns(client)))
        kept = json.loads(connection.scalar(select(sqlite_database.tables.client.c.client_metadata)))

    found = SQLAlchemyClientStore(Database(lambda: sqlite_database.engine), sqlite_database.tables, 10).find("console")

    assert kept == {"grant_types": ["client_credentials"], "patience": 5}
    assert (type(found), found.patience) == (tomorrow, 5)


def test_a_new_member_is_absent_from_the_clients_there_were(tomorrow, build, sqlite_database):
    with sqlite_database.engine.begin() as connection:
        connection.execute(insert(sqlite_database.tables.client).values(storage.build_columns(build())))
    store = SQLAlchemyClientStore(Database(lambda: sqlite_database.engine), sqlite_database.tables, 10)

    assert store.find("console").patience is None
    assert "patience" not in registration.describe_client(store.find("console"))


def test_a_new_member_of_another_type_is_refused_and_never_read(tomorrow, build, sqlite_database, caplog):
    with pytest.raises(InvalidClientMetadata) as refused:
        build(patience="long")
    assert refused.value.reason == "patience is not a whole number of seconds"
    table = sqlite_database.tables.client
    with sqlite_database.engine.begin() as connection:
        connection.execute(insert(table).values(storage.build_columns(build(patience=5))))
        connection.execute(update(table).values(client_metadata='{"grant_types": [], "patience": "long"}'))

    found = SQLAlchemyClientStore(Database(lambda: sqlite_database.engine), sqlite_database.tables, 10).find("console")

    assert found.jwks == {"keys": []}
    assert caplog.messages == ["client 'console' cannot authenticate: its patience is not a whole number of seconds"]


def files_that_spell(name):
    files = PACKAGE.rglob("*.py")
    found = {str(file.relative_to(PACKAGE)) for file in files if re.search(rf"\b{name}\b", file.read_text("utf-8"))}
    return found - {FORMER}


@pytest.mark.parametrize("name", ["software_id", "software_version", "contacts", "id_token_signed_response_alg"])
def test_a_member_that_nothing_acts_on_is_spelt_in_one_file(name):
    assert name in MEMBERS
    assert files_that_spell(name) == {DECLARED}


@pytest.mark.parametrize("name", ["default_max_age", "require_auth_time"])
def test_a_member_is_spelt_where_it_is_declared_and_where_it_acts(name):
    assert name in MEMBERS
    assert files_that_spell(name) == {DECLARED, "authorization_server/authorization/parameters.py"}


def test_every_field_is_a_member_or_what_the_server_keeps_of_a_client():
    fields = {field.name for field in dataclasses.fields(RegisteredClient)}

    assert fields - MEMBERS.keys() == {"version", "metadata", "registered_by", "jwks_not_before"}
    assert {name for name, member in MEMBERS.items() if member.has_attribute} <= fields
    assert registered_client.OPERATOR_MEMBERS == (
        "client_id",
        "enabled",
        "default_scope",
        "introspection_resources",
        "assertion_audience",
        "owner",
    )
