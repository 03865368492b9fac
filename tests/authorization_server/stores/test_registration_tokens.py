"""The store of registration tokens: hashed, counted in one statement, on every kind of database."""

from hashlib import sha256

import pytest
from sqlalchemy import select

from flask_private_key_jwt.authorization_server.stores.sql.registration_tokens import RegistrationTokens
from flask_private_key_jwt.database.batches import KEEP_ENDED_SECONDS
from flask_private_key_jwt.database.database import Database


@pytest.fixture
def tokens(sql_database):
    return RegistrationTokens(Database(lambda: sql_database.engine), sql_database.tables)


@pytest.fixture
def consume(tokens, sql_database):
    """Use a token once, in a transaction of its own, which *fails* or not."""

    def consume(kept, *, fails=False):
        with sql_database.engine.connect() as connection:
            consumed = tokens.consume(kept, connection)
            if not fails:
                connection.commit()
        return consumed

    return consume


def test_token_is_found_as_it_was_made(tokens, clock):
    token, kept = tokens.create(uses=3, lifetime=60, label="ACME ✓", may_choose_client_id=True)

    assert tokens.find(token) == kept
    assert (kept.label, kept.uses_left, kept.may_choose_client_id) == ("ACME ✓", 3, True)
    assert (kept.created_at, kept.expires_at) == (clock.now, clock.now + 60)


def test_token_is_not_kept_and_neither_shown(tokens, sql_database):
    token, kept = tokens.create(uses=1, lifetime=60)

    with sql_database.engine.connect() as connection:
        row = connection.execute(select(sql_database.tables.registration_token)).one()
    assert row.digest == kept.digest == sha256(token.encode()).digest()
    assert token not in str(row)
    assert kept.digest.hex() not in repr(kept)
    assert kept.id == kept.digest.hex()[:12]


def test_tokens_are_long_and_differ(tokens):
    made = {tokens.create(uses=1, lifetime=60)[0] for _ in range(5)}

    assert {len(token) for token in made} == {43}
    assert len(made) == 5


@pytest.mark.parametrize("token", ["", "x", "\ud800", "é" * 43])
def test_what_is_no_token_is_not_found(tokens, token):
    tokens.create(uses=1, lifetime=60)

    assert tokens.find(token) is None


def test_finding_uses_nothing_up(tokens):
    token, _ = tokens.create(uses=1, lifetime=60)

    assert tokens.find(token) == tokens.find(token) is not None


def test_token_is_consumed_as_often_as_it_says(tokens, consume):
    token, kept = tokens.create(uses=2, lifetime=60)

    assert consume(kept)
    assert tokens.find(token).uses_left == 1
    assert consume(kept)
    assert tokens.find(token) is None
    assert not consume(kept)
    assert [other.uses_left for other in tokens.all()] == [0]


def test_transaction_that_fails_gives_the_use_back(tokens, consume):
    token, kept = tokens.create(uses=1, lifetime=60)

    assert consume(kept, fails=True)

    assert tokens.find(token).uses_left == 1


def test_token_is_good_until_it_expires(tokens, consume, clock):
    token, kept = tokens.create(uses=5, lifetime=60)

    clock.move(59)
    assert tokens.find(token) is not None
    assert consume(kept)
    clock.move(1)
    assert tokens.find(token) is None
    assert not consume(kept)


def test_revoked_token_is_gone(tokens, consume):
    token, kept = tokens.create(uses=5, lifetime=60)
    other, _ = tokens.create(uses=5, lifetime=60)

    assert tokens.revoke(kept)

    assert tokens.find(token) is None
    assert not consume(kept)
    assert not tokens.revoke(kept)
    assert tokens.find(other) is not None


def test_purge_deletes_expired_tokens_only(tokens, clock):
    tokens.create(uses=1, lifetime=60)
    longer, _ = tokens.create(uses=1, lifetime=61 + KEEP_ENDED_SECONDS)
    clock.move(60 + KEEP_ENDED_SECONDS)

    assert tokens.purge() == 1
    assert tokens.purge() == 0
    assert tokens.find(longer) is not None


def test_tokens_are_listed_by_the_time_they_were_made(tokens, clock):
    for label in ("first", "second", "third"):
        tokens.create(uses=1, lifetime=60, label=label)
        clock.move(1)

    assert [token.label for token in tokens.all()] == ["first", "second", "third"]
