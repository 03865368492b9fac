"""What the stores know of grants, on every database: exactly whose they are, and when they were last used."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from flask_private_key_jwt.authorization_server.stores.granted import (
    Consent,
    Granted,
    Holder,
    StoredCode,
    StoredRefreshToken,
)
from flask_private_key_jwt.authorization_server.stores.revocation_names import Revocation, grant_name, token_name
from flask_private_key_jwt.authorization_server.stores.sql.authorizations import SQLAlchemyAuthorizationStore
from flask_private_key_jwt.authorization_server.stores.sql.person_grants import CHUNK, SQLAlchemyPersonGrantStore
from flask_private_key_jwt.authorization_server.stores.sql.refresh_tokens import SQLAlchemyRefreshTokenStore
from flask_private_key_jwt.authorization_server.stores.sql.revocations import SQLAlchemyRevocationStore
from flask_private_key_jwt.database.database import Database
from tests.conftest import START

GRANTED = Granted("one", "shop", "alice", ("read", "write"), ("https://api.example",), granted_at=START - 5)


@pytest.fixture
def stores(sql_database, clock):
    opened, tables = Database(lambda: sql_database.engine), sql_database.tables.granted
    return SimpleNamespace(
        authorizations=SQLAlchemyAuthorizationStore(opened, tables, keep_seconds=60),
        refresh_tokens=SQLAlchemyRefreshTokenStore(opened, tables),
        revocations=SQLAlchemyRevocationStore(opened, tables.revocation),
        grants=SQLAlchemyPersonGrantStore(opened, tables),
    )


def keep_all(stores, granted):
    """A consent, a redeemed code and a refresh token of one grant."""
    allowed = Consent(frozenset(granted.scope), frozenset(granted.resources), START)
    stores.authorizations.save_consent(granted.client_id, granted.subject, allowed)
    code = StoredCode(granted, "https://app.example/", "c" * 43, None, START + 60)
    assert stores.authorizations.add_code(f"code {granted.grant_id}", code, reference=None)
    assert stores.authorizations.use_code(f"code {granted.grant_id}")
    token = StoredRefreshToken(granted, None, False, START + 100, START + 1000)
    stores.refresh_tokens.add(f"token {granted.grant_id}", token)


@pytest.mark.parametrize(
    "holder", [None, Holder(subject="alice"), Holder(client_id="shop"), Holder(subject="alice", client_id="shop")]
)
def test_every_trace_of_a_grant_is_found(holder, stores):
    keep_all(stores, GRANTED)

    consent, code, token = stores.grants.find_traces(holder)

    assert {(trace.subject, trace.client_id) for trace in (consent, code, token)} == {("alice", "shop")}
    assert {trace.scope for trace in (consent, code, token)} == {("read", "write")}
    assert (consent.kind, consent.allowed_at, consent.used_at, consent.ends_at) == ("consent", START, None, None)
    assert (code.kind, code.allowed_at, code.used_at, code.ends_at) == ("code", START - 5, START, START)
    assert (token.kind, token.allowed_at, token.used_at, token.ends_at) == (
        "refresh_token",
        START - 5,
        START,
        START + 100,
    )


@pytest.mark.parametrize(
    "holder", [Holder(subject="Alice"), Holder(client_id="SHOP"), Holder(subject="alice", client_id="Shop")]
)
def test_nobody_else_is_found(holder, stores):
    keep_all(stores, GRANTED)

    assert stores.grants.find_traces(holder) == []


def test_names_that_differ_by_case_are_kept_apart(stores):
    keep_all(stores, GRANTED)
    keep_all(stores, replace(GRANTED, grant_id="two", subject="Alice"))

    assert len(stores.grants.find_traces(Holder(subject="alice"))) == 3
    assert len(stores.grants.find_traces(Holder(client_id="shop"))) == 6


def test_use_of_a_refresh_token_is_noted(stores, clock):
    keep_all(stores, GRANTED)
    clock.move(40)

    stores.refresh_tokens.keep_alive("token one", idle_until=START + 200)

    *_, token = stores.grants.find_traces(None)
    assert (token.used_at, token.ends_at) == (START + 40, START + 200)
    assert stores.grants.find_last_uses() == {"shop": START + 40}


def test_of_a_replaced_refresh_token_its_successor_is_found(stores, clock):
    keep_all(stores, GRANTED)
    clock.move(40)
    successor = StoredRefreshToken(GRANTED, None, False, START + 300, START + 1000)

    assert stores.refresh_tokens.replace("token one", "token two", successor)

    *_, token = stores.grants.find_traces(None)
    assert [trace.kind for trace in stores.grants.find_traces(None)] == ["consent", "code", "refresh_token"]
    assert (token.used_at, token.ends_at) == (START + 40, START + 300)


def test_what_is_over_is_not_found(stores, clock):
    keep_all(stores, GRANTED)
    clock.move(100)

    assert [trace.kind for trace in stores.grants.find_traces(None)] == ["consent", "code"]


def test_code_that_nobody_redeemed_in_time_is_not_found(stores, clock):
    code = StoredCode(GRANTED, "https://app.example/", "c" * 43, None, START + 60)
    stores.authorizations.add_code("code", code, reference=None)
    assert [trace.used_at for trace in stores.grants.find_traces(None)] == [None]

    clock.move(60)

    assert stores.grants.find_traces(None) == []


def test_revoked_names_are_found_among_many(stores):
    stores.revocations.add(Revocation(grant_name("one"), START + 100))
    stores.revocations.add(Revocation(token_name("x"), START + 100, issued_until=START))
    others = {grant_name(str(number)) for number in range(2 * CHUNK)}

    found = stores.grants.find_revoked({grant_name("one"), token_name("x"), *others})

    assert found == {grant_name("one"): None, token_name("x"): START}


def test_nothing_is_known_of_an_empty_database(stores):
    assert (stores.grants.find_traces(None), stores.grants.find_revoked(()), stores.grants.find_last_uses()) == (
        [],
        {},
        {},
    )
