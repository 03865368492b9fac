"""The client store: current at once, cached by version, exact."""

import json
import logging
import threading
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import create_engine, delete, event, insert, text, update

from flask_private_key_jwt.authorization_server.keys.client_keys import load_client_keys
from flask_private_key_jwt.authorization_server.registered_client import MEMBERS, RegisteredClient
from flask_private_key_jwt.authorization_server.stores.sql.clients import SQLAlchemyClientStore
from flask_private_key_jwt.authorization_server.stores.tables.client import build_columns
from flask_private_key_jwt.bounded_cache import BYTES_A_CLIENT, BYTES_OF_STRANGERS, ENTRY_BYTES, weigh
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.database.missing_tables import ADVICE
from flask_private_key_jwt.errors import StoreUnavailable
from tests.authorization_server.stores.example_client import build_client, public_values

GRANT = frozenset({"client_credentials"})
LESS = '{"grant_types": ["client_credentials"], "scope": "less"}'


def add(database: Any, *clients: RegisteredClient) -> None:
    with database.engine.begin() as connection:
        for client in clients:
            connection.execute(insert(database.tables.client).values(build_columns(client)))


def open_store(database: Any, cache_size: int = 100) -> SQLAlchemyClientStore:
    return SQLAlchemyClientStore(Database(lambda: database.engine), database.tables, cache_size)


@pytest.fixture
def statements(sqlite_database: Any) -> list[str]:
    """Every statement SQLite runs from here on, in the driver's own view; not how long it may wait for writers."""
    seen: list[str] = []

    def note(statement: str) -> None:
        if not statement.startswith("PRAGMA"):
            seen.append(statement)

    sqlite_database.engine.dispose()
    event.listen(sqlite_database.engine, "connect", lambda connection, _: connection.set_trace_callback(note))
    return seen


def test_a_client_is_found_as_it_was_registered(sql_database):
    add(sql_database, build_client())

    found = open_store(sql_database).find("console")

    assert public_values(found) == public_values(build_client())
    assert len(found.version) == 32


def test_a_client_with_the_least_is_found_with_the_defaults(sql_database):
    jwks = '{"keys": [{"kty": "OKP"}]}'
    with sql_database.engine.begin() as connection:
        connection.execute(insert(sql_database.tables.client).values(client_id="least", jwks=jwks))

    found = open_store(sql_database).find("least")

    assert public_values(found) == public_values(RegisteredClient("least", "", True, {"keys": [{"kty": "OKP"}]}))


def test_an_unknown_client_is_not_found(sql_database):
    add(sql_database, build_client())

    assert open_store(sql_database).find("other") is None


@pytest.mark.parametrize(
    "client_id", ["Console", "CONSOLE", "console ", " console", "cónsole", "consol", "%", "console\x00"]
)
def test_a_client_is_found_by_its_exact_id_only(sql_database, client_id):
    add(sql_database, build_client())
    store = open_store(sql_database)

    assert store.find(client_id) is None
    assert store.find("console") is not None
    assert store.find(client_id) is None


@pytest.mark.parametrize("client_id", ["", "\x00", "\ud800", "é", "a\nb", "x" * 256, "x" * 100_000])
def test_what_cannot_be_a_client_id_never_reaches_the_database(sqlite_database, statements, client_id):
    assert open_store(sqlite_database).find(client_id) is None
    assert statements == []


def test_the_longest_client_id_is_found(sql_database):
    add(sql_database, build_client("x" * 255))

    assert open_store(sql_database).find("x" * 255) is not None


def test_an_unchanged_client_is_the_very_same_object(sql_database):
    add(sql_database, build_client())
    store = open_store(sql_database)

    assert store.find("console") is store.find("console")


def test_a_client_costs_one_statement_first_and_again(sqlite_database, statements):
    add(sqlite_database, build_client())
    store = open_store(sqlite_database)
    store.find("nobody")
    statements.clear()

    store.find("console")
    assert len(statements) == 1
    store.find("console")
    assert len(statements) == 2
    assert "jwks" in statements[0]
    assert "jwks" not in statements[1]


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"enabled": False}, "enabled", False),
        ({"jwks": '{"keys": [{"kty": "EC"}]}'}, "jwks", {"keys": [{"kty": "EC"}]}),
        ({"client_metadata": LESS}, "scope", frozenset({"less"})),
    ],
)
def test_a_change_through_another_connection_counts_at_once(sql_database, change, field, value):
    add(sql_database, build_client())
    store = open_store(sql_database)
    before = store.find("console")

    other = create_engine(sql_database.engine.url)
    with other.begin() as connection:
        connection.execute(update(sql_database.tables.client).values(change))
    other.dispose()

    after = store.find("console")
    assert getattr(after, field) == value
    assert after.version != before.version
    assert store.find("console") is after


def test_a_client_disabled_by_hand_in_sql_is_disabled_at_once(sql_database):
    add(sql_database, build_client())
    store = open_store(sql_database)
    assert store.find("console").enabled

    with sql_database.engine.begin() as connection:
        connection.execute(text("UPDATE oauth2_client SET enabled = :no"), {"no": False})

    assert not store.find("console").enabled
    assert store.find("console") is store.find("console")


def test_a_removed_client_is_gone_at_once(sql_database):
    add(sql_database, build_client())
    store = open_store(sql_database)
    store.find("console")

    with sql_database.engine.begin() as connection:
        connection.execute(delete(sql_database.tables.client))

    assert store.find("console") is None


def test_a_client_removed_and_registered_anew_is_the_new_one(sql_database):
    add(sql_database, build_client())
    store = open_store(sql_database)
    old = store.find("console")

    with sql_database.engine.begin() as connection:
        connection.execute(delete(sql_database.tables.client))
    add(sql_database, build_client(owner="someone else"))

    assert store.find("console").owner == "someone else"
    assert store.find("console").version != old.version


def test_the_clients_used_last_are_kept_and_no_more(sqlite_database):
    add(sqlite_database, *(build_client(name) for name in "abc"))
    store = open_store(sqlite_database, cache_size=2)
    first = {name: store.find(name) for name in "ab"}
    store.find("a")
    store.find("c")  # b, used longest ago, makes room

    assert store.find("a") is first["a"]
    assert store.find("b") is not first["b"]
    assert len(store._snapshots._vouched) == 2


@pytest.mark.parametrize("registered_by", ["client", "document"])
def test_a_stranger_is_kept_once_it_has_authenticated(sqlite_database, statements, registered_by):
    add(sqlite_database, build_client(registered_by=registered_by))
    store = open_store(sqlite_database)
    first = store.find("console")

    assert store.find("console") is not first
    store.confirm(first)
    assert store.find("console") is first
    assert "jwks" not in statements[-1]


def test_a_stranger_that_changes_has_to_authenticate_again(sqlite_database):
    add(sqlite_database, build_client(registered_by="client"))
    store = open_store(sqlite_database)
    store.confirm(store.find("console"))
    with sqlite_database.engine.begin() as connection:
        connection.execute(update(sqlite_database.tables.client).values(client_metadata=LESS))

    after = store.find("console")
    assert after.scope == {"less"}
    assert store.find("console") is not after


def test_strangers_push_no_client_of_the_operator_out(sqlite_database):
    add(sqlite_database, build_client(), *(build_client(str(number), registered_by="client") for number in range(9)))
    store = open_store(sqlite_database, cache_size=2)
    kept = store.find("console")
    for number in range(9):
        store.confirm(store.find(str(number)))

    assert store.find("console") is kept


@pytest.mark.parametrize("changes", [{}, {"token_endpoint_auth_method": "none", "jwks": None}])
def test_strangers_together_are_kept_within_a_few_megabytes(sqlite_database, changes):
    metadata = {"x": {str(number): "y" for number in range(300)}}
    store = open_store(sqlite_database, cache_size=16384)
    for number in range(200):
        store.confirm(build_client(str(number), registered_by="client", metadata=metadata, **changes))

    caches = (store._snapshots._vouched, store._snapshots._proven, store._snapshots._public)
    assert 0 < sum(cache.weight for cache in caches) <= BYTES_OF_STRANGERS


def test_an_ordinary_client_and_its_parsed_keys_weigh_less_than_their_share(client_key):
    jwks = {"keys": [client_key.public_jwk(use="sig", alg="ES256", kid="k" * 36)]}
    client = build_client(jwks=jwks)

    assert ENTRY_BYTES + weigh(client) + weigh(load_client_keys(client)) < BYTES_A_CLIENT


def test_threads_that_load_a_client_together_get_the_same_object(sqlite_database):
    add(sqlite_database, build_client())
    store, gate, found = open_store(sqlite_database), threading.Barrier(8), []

    def find() -> None:
        gate.wait()
        found.append(store.find("console"))

    threads = [threading.Thread(target=find) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(client) for client in found}) == 1


@pytest.mark.parametrize("column", ["jwks", "client_metadata"])
@pytest.mark.parametrize("broken", ["{", "[1]", "null ", '"keys"', "[" * 60_000, "NaN"])
def test_a_row_with_broken_json_authenticates_nobody_and_says_so(sqlite_database, caplog, column, broken):
    add(sqlite_database, build_client())
    with sqlite_database.engine.begin() as connection:
        connection.execute(update(sqlite_database.tables.client).values({column: broken}))

    with caplog.at_level(logging.ERROR):
        found = open_store(sqlite_database).find("console")

    assert found.jwks == {"keys": []}
    assert caplog.messages == [f"client 'console' cannot authenticate: its {column} is not a JSON object"]


KEPT = {"grant_types": ["client_credentials"], "scope": "read"}
WRONG = [
    ("client_name", 5, "is not a string"),
    ("token_endpoint_auth_signing_alg", ["ES256"], "is not a string"),
    ("grant_types", "client_credentials", "is not a list of grant types"),
    ("grant_types", [5], "is not a list of grant types"),
    ("scope", ["read"], "is not a string of scopes with spaces between"),
    ("default_scope", 5, "is not a string of scopes with spaces between"),
    ("redirect_uris", "https://app.example/", "is not a list of strings"),
    ("redirect_uris", [5], "is not a list of strings"),
    ("require_pushed_authorization_requests", "true", "is not true or false"),
    ("require_signed_request_object", 1, "is not true or false"),
    ("request_object_signing_alg", 5, "is not a string"),
    ("post_logout_redirect_uris", {}, "is not a list of strings"),
    ("default_max_age", "60", "is not a whole number of seconds"),
    ("default_max_age", True, "is not a whole number of seconds"),
    ("default_max_age", -1, "is not a whole number of seconds"),
    ("require_auth_time", None, "is not true or false"),
    ("introspection_resources", "https://api.example", "is not a list of strings"),
    ("client_uri", 5, "is not a string"),
    ("logo_uri", ["https://app.example/"], "is not a string"),
    ("tos_uri", 5, "is not a string"),
    ("policy_uri", 5, "is not a string"),
    ("software_id", 5, "is not a string"),
    ("software_version", 5, "is not a string"),
    ("contacts", "ops@example.com", "is not a list of strings"),
    ("id_token_signed_response_alg", 5, "is not a string"),
]


def test_every_member_without_a_column_has_its_wrong_type():
    assert {name for name, _, _ in WRONG} == {name for name, member in MEMBERS.items() if not member.has_column}


@pytest.mark.parametrize(("name", "value", "fault"), WRONG)
def test_a_member_of_another_type_leaves_a_client_that_authenticates_nobody(
    sqlite_database, caplog, name, value, fault
):
    add(sqlite_database, build_client())
    store, table = open_store(sqlite_database), sqlite_database.tables.client
    for members, is_good in ((KEPT, True), ({**KEPT, name: value}, False)):
        with sqlite_database.engine.begin() as connection:
            connection.execute(update(table).values(client_metadata=json.dumps(members)))
        found = store.find("console")
        assert found.is_public is False
        assert (found.jwks == build_client().jwks) is is_good
        assert (found.grant_types, found.scope) == ((GRANT, {"read"}) if is_good else (frozenset(), frozenset()))

    assert caplog.messages == [f"client 'console' cannot authenticate: its {name} {fault}"]


@pytest.mark.parametrize(
    "change",
    [
        {"jwks_uri": "https://app.example/jwks", "jwks": None},
        {"token_endpoint_auth_method": "none", "jwks": None},
    ],
)
def test_a_client_whose_metadata_cannot_be_read_may_do_nothing_wherever_its_keys_are(sqlite_database, caplog, change):
    add(sqlite_database, build_client(**change))
    store = open_store(sqlite_database)
    assert store.find("console").redirect_uris
    with sqlite_database.engine.begin() as connection:
        connection.execute(update(sqlite_database.tables.client).values(client_metadata="{"))

    found = store.find("console")

    assert (found.jwks_uri, found.grant_types, found.redirect_uris) == (None, frozenset(), ())
    assert found.jwks == (None if found.is_public else {"keys": []})
    assert caplog.messages == ["client 'console' cannot authenticate: its client_metadata is not a JSON object"]


def test_nobody_changes_the_client_that_all_share(sqlite_database):
    add(sqlite_database, build_client())
    found = open_store(sqlite_database).find("console")

    with pytest.raises(TypeError):
        found.metadata["client_uri"] = "https://evil.example"


def test_metadata_never_takes_the_place_of_a_column(sqlite_database):
    add(sqlite_database, build_client(enabled=False, metadata={}))
    forged = {
        **KEPT,
        "enabled": True,
        "client_id": "other",
        "jwks": {"keys": []},
        "assertion_audience": "compatibility",
    }
    with sqlite_database.engine.begin() as connection:
        changed = {"client_metadata": json.dumps(forged), "assertion_audience": "issuer"}
        connection.execute(update(sqlite_database.tables.client).values(changed))

    found = open_store(sqlite_database).find("console")

    assert (found.client_id, found.enabled, found.assertion_audience) == ("console", False, "issuer")
    assert found.jwks == build_client().jwks
    assert found.metadata == {}


def test_a_database_without_the_tables_is_unavailable(sqlite_database):
    store = open_store(sqlite_database)
    sqlite_database.tables.client.drop(sqlite_database.engine)

    with pytest.raises(StoreUnavailable) as refused:
        store.find("console")
    assert refused.value.reason == f"database: OperationalError 'no such table: oauth2_client'; {ADVICE}"


def test_a_refused_login_is_unavailable_and_the_password_is_not_told(postgres_database):
    url = postgres_database.engine.url.set(username="hunter2", password="hunter2", database="hunter2")
    engine = create_engine(url)
    store = SQLAlchemyClientStore(Database(lambda: engine), postgres_database.tables, 10)

    with pytest.raises(StoreUnavailable) as refused:
        store.find("console")
    assert "OperationalError" in refused.value.reason
    assert "hunter2" not in refused.value.reason
    assert refused.value.__cause__ is None


def test_the_engine_is_asked_for_at_first_use_and_once(sqlite_database):
    add(sqlite_database, build_client())
    engine_source = Mock(return_value=sqlite_database.engine)
    store = SQLAlchemyClientStore(Database(engine_source), sqlite_database.tables, 10)
    engine_source.assert_not_called()

    store.find("console")
    store.find("console")

    engine_source.assert_called_once_with()


def test_a_host_that_begins_a_transaction_when_it_connects_is_no_obstacle(postgres_database):
    """The common listener that sets something on each new connection, and does not commit."""
    add(postgres_database, build_client())
    postgres_database.engine.dispose()
    event.listen(
        postgres_database.engine, "connect", lambda connection, _: connection.execute("SET search_path = public")
    )

    assert open_store(postgres_database).find("console") is not None


def test_the_hosts_connections_keep_their_isolation_level(sql_database):
    add(sql_database, build_client())
    store = open_store(sql_database)
    with sql_database.engine.connect() as connection:
        before = connection.get_isolation_level()

    store.find("console")

    with sql_database.engine.connect() as connection:
        assert connection.get_isolation_level() == before
        connection.execute(delete(sql_database.tables.client))
        connection.rollback()
    assert store.find("console") is not None


@pytest.mark.parametrize("name", ["\u3164", "Bank\x1b[2J", "\u202eknab", " "])
def test_name_that_nobody_can_see_is_none(sqlite_database, name):
    """From before it was refused, or written by hand."""
    add(sqlite_database, build_client(client_name=name), build_client(client_id="other", client_name="Bank"))
    store = open_store(sqlite_database)

    assert store.find(build_client().client_id).client_name is None
    assert store.find("other").client_name == "Bank"
