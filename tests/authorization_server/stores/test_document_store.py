"""The store of fetched documents: what every implementation promises, the one the tests use in memory included."""

import threading

import pytest

from flask_private_key_jwt.authorization_server.stores.contracts import (
    LONGEST_COOLDOWN_SECONDS,
    NEVER_HAD_SECONDS,
    UNUSED_SECONDS,
    DocumentKey,
    StoredDocument,
)
from flask_private_key_jwt.authorization_server.stores.sql.documents import SQLAlchemyFetchedDocumentStore
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.errors import StoreUnavailable
from tests.authorization_server.keys.memory_documents import MemoryDocumentStore

URL = "https://keys.client.example/jwks"
KEY = DocumentKey("jwks", URL)
NOW = 1_800_000_000


@pytest.fixture(params=["memory", "sqlite", "postgres", "mariadb"])
def open_document_store(request):
    """Opens stores that share one database, as several processes do."""
    if request.param == "memory":
        shared = MemoryDocumentStore()
        return lambda: shared
    database = request.getfixturevalue(f"{request.param}_database")
    return lambda: SQLAlchemyFetchedDocumentStore(Database(lambda: database.engine), database.tables)


@pytest.fixture
def document_store(open_document_store):
    return open_document_store()


def test_nothing_is_known_of_a_new_url(document_store):
    assert document_store.load(KEY) is None


def test_a_claimed_url_has_no_document_yet(document_store):
    assert document_store.claim(KEY, now=NOW, not_before=NOW - 30)

    assert document_store.load(KEY) == StoredDocument(URL, None, 0, 0, NOW)


def test_a_saved_document_is_loaded_by_every_process(open_document_store):
    one, other = open_document_store(), open_document_store()
    one.claim(KEY, now=NOW, not_before=NOW - 30)
    one.save(KEY, '{"a": "é😀"}', fetched_at=NOW + 1, fresh_until=NOW + 601)

    assert other.load(KEY) == StoredDocument(URL, '{"a": "é😀"}', NOW + 1, NOW + 601, NOW)


def test_a_large_document_is_kept_whole(document_store):
    body = '{"a": "' + "x" * (1 << 18) + '"}'
    document_store.claim(KEY, now=NOW, not_before=NOW - 30)
    document_store.save(KEY, body, fetched_at=NOW, fresh_until=NOW)

    assert document_store.load(KEY).body == body


@pytest.mark.parametrize(("after", "is_free"), [(0, False), (29, False), (30, True), (31, True)])
def test_a_url_is_free_again_when_the_cooldown_is_over(after, is_free, document_store):
    document_store.claim(KEY, now=NOW, not_before=NOW - 30)

    assert document_store.claim(KEY, now=NOW + after, not_before=NOW + after - 30) is is_free
    assert document_store.load(KEY).attempted_at == NOW + (after if is_free else 0)


def test_a_claim_leaves_the_document_as_it_is(document_store):
    document_store.claim(KEY, now=NOW, not_before=NOW - 30)
    document_store.save(KEY, "{}", fetched_at=NOW, fresh_until=NOW + 600)
    document_store.claim(KEY, now=NOW + 30, not_before=NOW)

    assert document_store.load(KEY) == StoredDocument(URL, "{}", NOW, NOW + 600, NOW + 30)


def test_a_url_that_was_never_claimed_is_not_saved(document_store):
    document_store.save(KEY, "{}", fetched_at=NOW, fresh_until=NOW)

    assert document_store.load(KEY) is None


def test_a_released_document_may_be_fetched_at_once_and_stays(document_store, clock):
    document_store.claim(KEY, now=clock.now, not_before=0)
    document_store.save(KEY, "{}", fetched_at=clock.now, fresh_until=clock.now + 600)

    document_store.release(KEY)

    assert document_store.load(KEY).body == "{}"
    assert document_store.claim(KEY, now=clock.now, not_before=clock.now - LONGEST_COOLDOWN_SECONDS)


def test_releasing_twice_changes_nothing(document_store, clock):
    document_store.claim(KEY, now=clock.now, not_before=0)
    document_store.release(KEY)
    clock.move(10)
    before = document_store.load(KEY)
    document_store.release(KEY)

    assert document_store.load(KEY) == before


def test_releasing_what_is_not_known_is_no_error(document_store):
    document_store.release(KEY)

    assert document_store.load(KEY) is None


def test_every_process_learns_of_a_fetch_that_failed(open_document_store):
    one, other = open_document_store(), open_document_store()
    one.claim(KEY, now=NOW, not_before=0)
    one.fail(KEY, claimed_at=NOW)

    assert other.load(KEY) == StoredDocument(URL, None, 0, 0, NOW, NOW)


def test_a_fetch_that_was_overtaken_changes_nothing(document_store):
    document_store.claim(KEY, now=NOW, not_before=0)
    document_store.claim(KEY, now=NOW + 30, not_before=NOW)
    document_store.save(KEY, '{"second": 1}', fetched_at=NOW + 30, fresh_until=NOW + 630)
    document_store.save(KEY, '{"first": 1}', fetched_at=NOW, fresh_until=NOW + 631)

    assert document_store.load(KEY) == StoredDocument(URL, '{"second": 1}', NOW + 30, NOW + 630, NOW + 30)


@pytest.mark.parametrize("kind", ["operator-jwks", "client"])
def test_documents_of_another_kind_at_the_same_url_are_others(kind, document_store, clock):
    other = DocumentKey(kind, URL)
    document_store.claim(KEY, now=clock.now, not_before=0)
    document_store.save(KEY, "{}", fetched_at=clock.now, fresh_until=clock.now + 600)
    assert document_store.load(other) is None
    assert document_store.claim(other, now=clock.now, not_before=clock.now - 30)
    before = document_store.load(KEY)

    document_store.release(other)
    document_store.save(other, '{"other": 1}', fetched_at=clock.now, fresh_until=clock.now)

    assert document_store.load(KEY) == before


@pytest.mark.parametrize(("body", "kept_for"), [("{}", UNUSED_SECONDS), (None, NEVER_HAD_SECONDS)])
def test_what_nobody_fetches_any_more_is_purged(body, kept_for, document_store, clock):
    used = DocumentKey("jwks", URL + "/used")
    for key, now in ((KEY, clock.now), (used, clock.now + 1)):
        document_store.claim(key, now=now, not_before=0)
        if body is not None:
            document_store.save(key, body, fetched_at=now, fresh_until=now + 600)

    clock.move(kept_for)
    assert document_store.purge() == 0
    clock.move(1)
    assert document_store.purge() == 1

    assert document_store.load(KEY) is None
    assert document_store.load(used) is not None


@pytest.mark.parametrize("other", [URL + "/", URL.upper(), URL + " ", "", URL + "é", URL + "e\u0301"])
def test_urls_that_differ_are_kept_apart(other, document_store):
    document_store.claim(KEY, now=NOW, not_before=NOW - 30)

    assert document_store.load(DocumentKey("jwks", other)) is None
    document_store.release(DocumentKey("jwks", other))
    assert document_store.load(KEY).attempted_at == NOW


@pytest.mark.parametrize("is_known", [False, True])
def test_of_many_workers_one_gets_the_claim(is_known, open_document_store):
    if is_known:
        open_document_store().claim(KEY, now=NOW - 30, not_before=NOW - 60)
    gate, answers = threading.Barrier(8), []

    def claim():
        store = open_document_store()
        gate.wait()
        answers.append(store.claim(KEY, now=NOW, not_before=NOW - 30))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [False] * 7 + [True]


def test_a_database_without_the_tables_is_unavailable(sqlite_database):
    store = SQLAlchemyFetchedDocumentStore(Database(lambda: sqlite_database.engine), sqlite_database.tables)
    sqlite_database.tables.fetched_document.drop(sqlite_database.engine)

    for use in (
        lambda: store.load(KEY),
        lambda: store.claim(KEY, now=NOW, not_before=NOW - 30),
        lambda: store.save(KEY, "{}", fetched_at=NOW, fresh_until=NOW),
        lambda: store.release(KEY),
        lambda: store.fail(KEY, claimed_at=NOW),
        store.purge,
    ):
        with pytest.raises(StoreUnavailable):
            use()
