"""What ends with a person or a client, on every database: all that was granted up to then, whenever it is stored."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import event

from flask_private_key_jwt.authorization_server.stores.granted import (
    Consent,
    Granted,
    Holder,
    StoredCode,
    StoredRefreshToken,
)
from flask_private_key_jwt.authorization_server.stores.sql.authorizations import SQLAlchemyAuthorizationStore
from flask_private_key_jwt.authorization_server.stores.sql.refresh_tokens import SQLAlchemyRefreshTokenStore
from flask_private_key_jwt.authorization_server.stores.sql.revocations import SQLAlchemyRevocationStore
from flask_private_key_jwt.authorization_server.tokens.revoked import Revocations
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.settings.server import ServerSettings
from flask_private_key_jwt.signals.events import Actor
from tests.conftest import ISSUER, START

ALICE_AT_SHOP = Granted("late", "shop", "alice", ("read",), (), granted_at=START)
HOLDERS = [Holder(subject="alice"), Holder(client_id="shop"), Holder(subject="alice", client_id="shop")]
OTHERS = [Holder(subject="Alice"), Holder(client_id="alice"), Holder(subject="alice", client_id="other")]


def open_stores(database: Any) -> SimpleNamespace:
    opened, tables = Database(lambda: database.engine), database.tables.granted
    refresh_tokens = SQLAlchemyRefreshTokenStore(opened, tables)
    revoked = SQLAlchemyRevocationStore(opened, tables.revocation)
    return SimpleNamespace(
        authorizations=SQLAlchemyAuthorizationStore(opened, tables, keep_seconds=60),
        refresh_tokens=refresh_tokens,
        revocations=Revocations(ServerSettings(ISSUER=ISSUER), revoked, refresh_tokens),
    )


@pytest.fixture
def stores(sql_database, clock):
    return open_stores(sql_database)


def keep_code(stores: SimpleNamespace, granted: Granted = ALICE_AT_SHOP) -> Granted:
    """Store a code, and read back what it was granted for."""
    stored = StoredCode(granted, "https://app.example/", "c" * 43, None, START + 60)
    assert stores.authorizations.add_code(granted.grant_id, stored, reference=None)
    return stores.authorizations.find_code(granted.grant_id).granted


def keep_refresh_token(stores: SimpleNamespace, granted: Granted = ALICE_AT_SHOP) -> Granted:
    """Store a refresh token, and read back what it was granted for."""
    stores.refresh_tokens.add(granted.grant_id, StoredRefreshToken(granted, None, False, START + 100, START + 1000))
    return stores.refresh_tokens.find(granted.grant_id).granted


KEPT = pytest.mark.parametrize("keep", [keep_code, keep_refresh_token])


@KEPT
@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize(("granted_at", "revoked"), [(START - 1, True), (START, True), (START + 1, False)])
def test_what_is_stored_after_the_revocation_counts_by_when_it_was_granted(
    granted_at, revoked, holder, keep, stores, clock
):
    assert stores.revocations.revoke_all(holder) == 0
    clock.move(2)

    found = keep(stores, replace(ALICE_AT_SHOP, granted_at=granted_at))

    assert found.granted_at == granted_at
    assert stores.revocations.is_grant_revoked(found) is revoked


@KEPT
@pytest.mark.parametrize("holder", OTHERS)
def test_revocation_of_somebody_else_ends_nothing(holder, keep, stores):
    stores.revocations.revoke_all(holder)

    assert not stores.revocations.is_grant_revoked(keep(stores))


@KEPT
def test_row_older_than_the_column_ends_with_its_own_revocation_only(keep, stores, clock):
    """Nobody knows whether it was granted before a former one."""
    stores.revocations.revoke_all(Holder(subject="alice"))
    clock.move(1)
    found = keep(stores, replace(ALICE_AT_SHOP, granted_at=None))
    assert found.granted_at is None
    assert not stores.revocations.is_grant_revoked(found)

    assert stores.revocations.revoke_all(Holder(subject="alice")) == 1
    clock.move(1)

    assert stores.revocations.is_grant_revoked(found)


def test_whether_a_grant_is_revoked_is_one_statement(sql_database, stores):
    statements: list[str] = []
    event.listen(sql_database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    stores.revocations.is_grant_revoked(ALICE_AT_SHOP)

    assert len(statements) == 1


def test_consent_read_while_it_is_being_forgotten_gives_nothing(stores, clock, monkeypatch):
    """Between the two, a second passes."""
    forget = stores.refresh_tokens.forget_consents

    def forget_late(holder: Holder, *, by: Actor) -> None:
        clock.move(1)
        forget(holder, by=by)

    monkeypatch.setattr(stores.refresh_tokens, "forget_consents", forget_late)
    stores.revocations.revoke_all(Holder(subject="alice"))

    assert stores.revocations.is_grant_revoked(keep_code(stores, replace(ALICE_AT_SHOP, granted_at=START + 1)))
    fresh = replace(ALICE_AT_SHOP, grant_id="fresh", granted_at=START + 2)
    assert not stores.revocations.is_grant_revoked(keep_code(stores, fresh))


@pytest.mark.parametrize("fails", ["forget_consents", "find_grants", "remove_grant"])
def test_if_the_database_fails_in_between_everything_granted_has_ended(fails, stores, monkeypatch):
    code, refresh_token = keep_code(stores), keep_refresh_token(stores)
    stores.authorizations.save_consent("shop", "alice", Consent(frozenset(["read"]), frozenset(), 0))

    def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("database: gone", cause="database_unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(stores.refresh_tokens, fails, fail)
        with pytest.raises(StoreUnavailable):
            stores.revocations.revoke_all(Holder(subject="alice"))

    assert stores.revocations.is_grant_revoked(code)
    assert stores.revocations.is_grant_revoked(refresh_token)
    consent = stores.authorizations.find_consent("shop", "alice")
    assert (consent is None) is (fails != "forget_consents")
    assert stores.revocations.revoke_all(Holder(subject="alice")) == 1  # once more, when it is back
    assert stores.authorizations.find_consent("shop", "alice") is None
    assert stores.refresh_tokens.find("late") is None
