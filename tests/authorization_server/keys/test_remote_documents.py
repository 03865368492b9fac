"""keys/remote_documents.py: when a document is fetched, by whom, and for how long it serves."""

import json
import logging
import threading
from contextlib import contextmanager

import pytest

from flask_private_key_jwt.authorization_server.keys.remote_documents import (
    CachePolicy,
    DocumentUnavailable,
    RemoteDocuments,
)
from flask_private_key_jwt.authorization_server.stores.contracts import DocumentKey
from flask_private_key_jwt.errors import FetchBusy, StoreUnavailable
from flask_private_key_jwt.fetching.safe_fetch import FetchedDocument, FetchFailed, FetchRefused
from tests.authorization_server.keys.memory_documents import MemoryDocumentStore

URL = "https://keys.client.example/jwks"
OTHER_URL = "https://keys.other.example/jwks"
KEY = DocumentKey("jwks", URL)


class Site:
    """Answers fetches with ``members``, or with a problem when it is down."""

    def __init__(self):
        self.members = {"keys": [1]}
        self.fresh_for = None
        self.problem = None
        self.fetched = []

    def fetch(self, url):
        self.fetched.append(url)
        if self.problem is not None:
            raise self.problem
        return FetchedDocument(self.members, json.dumps(self.members), self.fresh_for)


@pytest.fixture
def site():
    return Site()


@pytest.fixture
def store():
    return MemoryDocumentStore()


@pytest.fixture
def waits():
    """For how many seconds a worker waited for another one, each time."""
    return []


@pytest.fixture
def start_worker(site, store, waits):
    """One process of many that share the store: ``start_worker(fetcher=…, min_seconds=…)``."""

    def wait(seconds):
        waits.append(seconds)

    def start(fetcher=site, wait=wait, read=read, store=store, kind="jwks", **options):
        policy = {name: value for name, value in options.items() if name.endswith("_seconds")}
        others = {name: value for name, value in options.items() if name not in policy}
        defaults = {"size": 10, "max_bytes": 1 << 20, "take_slot": free_slot, "wait": wait}
        return RemoteDocuments(store, fetcher, CachePolicy(**policy), read, kind=kind, **{**defaults, **others})

    return start


@pytest.fixture
def documents(start_worker):
    return start_worker()


@contextmanager
def free_slot(_host, *, is_known):
    yield


def read(url, members):
    """What is made of a document here: its list of keys."""
    assert url in (URL, OTHER_URL)
    if not isinstance(members.get("keys"), list):
        raise ValueError("no list of keys")
    return members["keys"]


def down(site):
    site.problem = FetchFailed("status 500, not 200")


def up(site, **members):
    site.problem = None
    site.members = members or site.members


# --- fresh ----------------------------------------------------------------------------------------------
def test_a_document_is_fetched_at_first_use_and_then_kept(documents, site):
    first = documents.load(URL)

    assert first.value == [1]
    assert documents.load(URL) is first
    assert site.fetched == [URL]


def test_another_worker_uses_what_one_has_fetched(start_worker, site):
    start_worker().load(URL)
    other = start_worker()

    document = other.load(URL)

    assert document.value == [1]
    assert other.load(URL) is document
    assert site.fetched == [URL]


@pytest.mark.parametrize(
    ("fresh_for", "used_for"),
    [(None, 600), (0, 60), (59, 60), (61, 61), (300, 300), (600, 600), (601, 600), (10**9, 600)],
)
def test_a_document_is_used_for_as_long_as_it_says_between_a_floor_and_a_cap(
    fresh_for, used_for, documents, site, clock
):
    site.fresh_for = fresh_for
    documents.load(URL)

    clock.move(used_for - 1)
    documents.load(URL)
    assert len(site.fetched) == 1

    clock.move(1)
    documents.load(URL)
    assert len(site.fetched) == 2


def test_floor_and_cap_are_settings(start_worker, site, clock):
    documents = start_worker(min_seconds=10, max_seconds=20)
    site.fresh_for = 0
    documents.load(URL)
    clock.move(9)
    documents.load(URL)
    assert len(site.fetched) == 1


def test_a_lower_cap_counts_for_what_was_fetched_before(start_worker, site, clock):
    start_worker(max_seconds=600).load(URL)
    clock.move(100)

    start_worker(max_seconds=100).load(URL)

    assert len(site.fetched) == 2


def test_a_key_that_has_left_the_set_is_gone_with_the_next_fetch_on_every_worker(start_worker, site, clock):
    one, other = start_worker(), start_worker()
    one.load(URL)
    other.load(URL)
    up(site, keys=[2])
    clock.move(600)

    assert one.load(URL).value == [2]
    assert other.load(URL).value == [2]
    assert len(site.fetched) == 2


def test_documents_of_different_urls_are_kept_apart(documents, site):
    documents.load(URL)
    up(site, keys=[2])

    assert documents.load(OTHER_URL).value == [2]
    assert documents.load(URL).value == [1]


def test_only_so_many_documents_are_kept_parsed_and_the_others_still_serve(start_worker, site):
    documents = start_worker(size=1)
    first = documents.load(URL)
    documents.load(OTHER_URL)

    again = documents.load(URL)

    assert again is not first
    assert again.value == first.value
    assert len(site.fetched) == 2


# --- something is missing in it -------------------------------------------------------------------------
def test_a_newer_document_is_fetched_once_the_cooldown_is_over(documents, site, clock):
    old = documents.load(URL)
    up(site, keys=[1, 2])
    clock.move(30)

    newer = documents.newer(old)

    assert newer.value == [1, 2]
    assert documents.load(URL) is newer


def test_no_newer_document_is_fetched_in_the_cooldown(documents, site, clock, waits):
    old = documents.load(URL)
    clock.move(29)

    assert documents.newer(old) is None
    assert len(site.fetched) == 1
    assert waits == []


def test_the_cooldown_holds_for_all_workers_together(start_worker, site, clock):
    workers = [start_worker() for _ in range(3)]
    seen = [worker.load(URL) for worker in workers]
    clock.move(30)

    for worker, old in zip(workers, seen, strict=True):
        worker.newer(old)
        worker.newer(worker.load(URL))

    assert len(site.fetched) == 2


def test_what_another_worker_fetched_since_is_newer(start_worker, site, clock):
    one, other = start_worker(), start_worker()
    old = other.load(URL)
    clock.move(30)
    up(site, keys=[2])
    one.newer(one.load(URL))
    clock.move(30)

    assert other.newer(old).value == [2]
    assert len(site.fetched) == 2


def test_the_same_document_fetched_again_counts_as_newer_and_starts_a_cooldown(documents, site, clock):
    old = documents.load(URL)
    clock.move(30)

    again = documents.newer(old)

    assert again is not old
    assert again.value is old.value
    assert documents.newer(again) is None
    assert len(site.fetched) == 2


def test_a_claim_is_not_even_tried_in_the_cooldown(documents, store):
    old = documents.load(URL)
    for _ in range(5):
        documents.newer(old)

    assert store.claims == 1


# --- it cannot be fetched -------------------------------------------------------------------------------
def test_a_warm_document_serves_while_it_cannot_be_fetched_and_no_longer(documents, site, clock):
    documents.load(URL)
    down(site)

    clock.move(600 + 3599)
    assert documents.load(URL).value == [1]

    clock.move(1)
    with pytest.raises(DocumentUnavailable):
        documents.load(URL)


def test_how_long_a_warm_document_serves_is_a_setting(start_worker, site, clock):
    documents = start_worker(stale_seconds=0)
    documents.load(URL)
    down(site)
    clock.move(600)

    with pytest.raises(DocumentUnavailable):
        documents.load(URL)


def test_a_document_that_fails_is_not_asked_for_again_in_the_cooldown_by_any_worker(start_worker, site, clock):
    workers = [start_worker() for _ in range(3)]
    workers[0].load(URL)
    down(site)
    clock.move(600)

    for _ in range(3):
        for worker in workers:
            worker.load(URL)
    assert len(site.fetched) == 2

    clock.move(30)
    workers[2].load(URL)
    assert len(site.fetched) == 3


def test_a_document_never_had_is_a_refusal_and_not_asked_for_again_in_the_cooldown(documents, site, clock, waits):
    down(site)
    for _ in range(3):
        with pytest.raises(DocumentUnavailable) as refused:
            documents.load(URL)
        assert refused.value.reason == f"{URL!r} cannot be had"
    assert len(site.fetched) == 1
    assert waits == []

    up(site)
    clock.move(30)
    assert documents.load(URL).value == [1]


def test_a_site_that_is_up_again_serves_at_the_next_attempt(documents, site, clock):
    documents.load(URL)
    down(site)
    clock.move(600)
    documents.load(URL)
    up(site, keys=[2])
    clock.move(30)

    assert documents.load(URL).value == [2]


def test_a_newer_document_that_cannot_be_fetched_leaves_the_old_one(documents, site, clock):
    old = documents.load(URL)
    down(site)
    clock.move(30)

    assert documents.newer(old) is None
    assert documents.load(URL) is old


@pytest.mark.parametrize(
    "problem", [FetchFailed("status 500, not 200"), FetchRefused("the URL is not https", cause="not_https")]
)
def test_the_log_says_why_and_the_exception_does_not(problem, documents, site, caplog):
    site.problem = problem

    with pytest.raises(DocumentUnavailable) as refused:
        documents.load(URL)

    assert caplog.messages == [f"{URL!r} is not used: {problem.reason}"]
    assert problem.reason not in refused.value.reason


def test_a_document_of_the_wrong_kind_never_replaces_a_good_one(start_worker, site, clock, caplog):
    documents = start_worker()
    documents.load(URL)
    up(site, error="maintenance")
    clock.move(600)

    assert documents.load(URL).value == [1]
    assert caplog.messages == [f"{URL!r} is not used: no list of keys"]


@pytest.mark.parametrize("body", ["", "[]", "{", "null", "{}"])
def test_a_stored_document_that_cannot_be_read_is_fetched_anew(body, documents, store, site, clock, caplog):
    caplog.set_level(logging.ERROR)
    documents.load(URL)
    store.save(KEY, body, fetched_at=clock.now, fresh_until=clock.now + 600)
    clock.move(30)

    assert documents.load(URL).value == [1]
    assert "is fetched anew" in caplog.text


def test_a_store_that_is_away_is_said_so(start_worker, store, monkeypatch):
    documents = start_worker()

    def away(_url):
        raise StoreUnavailable("database: gone")

    monkeypatch.setattr(store, "load", away)
    with pytest.raises(StoreUnavailable):
        documents.load(URL)


def turn_away(_url):
    raise FetchBusy("not now")


# --- new ones are let in at a pace ------------------------------------------------------------------------
def test_a_document_nobody_had_is_fetched_only_when_it_is_let_in(start_worker, store, site, waits):
    documents = start_worker(admit=turn_away)

    with pytest.raises(FetchBusy) as refused:
        documents.load(URL)
    assert refused.value.reason == "not now"

    assert store.load(KEY) is None
    assert site.fetched == []
    assert waits == []


def test_a_document_that_was_never_had_is_let_in_each_time(start_worker, site, clock):
    asked = []
    documents = start_worker(admit=asked.append)
    down(site)
    for _ in range(2):
        with pytest.raises(DocumentUnavailable):
            documents.load(URL)
        clock.move(30)

    assert asked == site.fetched == [URL, URL]


def test_a_document_that_was_had_needs_no_letting_in(start_worker, site, clock):
    start_worker().load(URL)
    clock.move(600)

    start_worker(admit=turn_away).load(URL)

    assert len(site.fetched) == 2


# --- what was fetched before a moment is passed over --------------------------------------------------------
def test_a_kept_document_is_passed_over_for_who_wants_a_later_one_and_serves_the_others(
    start_worker, store, site, clock
):
    one, other = start_worker(), start_worker()
    old = one.load(URL)
    up(site, keys=[2])
    clock.move(30)

    assert one.load(URL) is old
    assert other.load(URL, not_before=clock.now - 1).value == [2]
    assert one.load(URL).value == [2]
    assert len(site.fetched) == 2


def test_in_the_cooldown_who_wants_a_later_one_is_told_when_to_come_again(documents, site, clock):
    old = documents.load(URL)
    moment = clock.now
    clock.move(12)

    with pytest.raises(FetchBusy) as refused:
        documents.load(URL, not_before=moment)
    assert refused.value.reason == f"{URL!r} is in its cool-down"
    assert refused.value.retry_after_seconds == 18
    assert documents.load(URL) is old
    assert len(site.fetched) == 1

    clock.move(18)
    assert documents.load(URL, not_before=moment).fetched_at > moment


def test_a_released_document_is_fetched_in_the_same_second(documents, store, site, clock):
    documents.load(URL)
    up(site, keys=[2])

    store.release(KEY)

    assert documents.load(URL, not_before=clock.now).value == [2]
    assert documents.load(URL, not_before=clock.now).value == [2]
    assert len(site.fetched) == 2


def test_a_document_that_is_passed_over_never_serves_as_a_stale_one(documents, site, clock):
    documents.load(URL)
    moment = clock.now
    down(site)
    clock.move(600)

    with pytest.raises(DocumentUnavailable):
        documents.load(URL, not_before=moment)
    assert documents.load(URL).value == [1]


def test_a_fetch_that_began_before_the_moment_is_passed_over_too(start_worker, clock):
    gate = Gate()
    documents = start_worker(fetcher=gate)
    threads, results = run_threads(1, lambda: documents.load(URL))
    assert gate.is_asked.wait(60)
    late, refused = run_threads(1, lambda: documents.load(URL, not_before=clock.now))
    gate.may_answer.set()
    for thread in threads + late:
        thread.join()

    assert results[0].value == [1]
    assert isinstance(refused[0], FetchBusy)


# --- several kinds at one URL ---------------------------------------------------------------------------------
def test_what_is_no_document_of_one_kind_uses_up_nothing_of_another(start_worker, site, waits):
    def read_other(_url, _members):
        raise ValueError("no registration")

    keys, registrations = start_worker(), start_worker(kind="client", read=read_other)
    for _ in range(3):
        with pytest.raises(DocumentUnavailable):
            registrations.load(URL)

    assert keys.load(URL).value == [1]
    assert len(site.fetched) == 2
    assert waits == []


# --- slots ------------------------------------------------------------------------------------------------------
class Slots:
    """Notes who asks for a slot; ``taken`` refuses."""

    def __init__(self):
        self.asked = []
        self.taken = False

    @contextmanager
    def take(self, host, *, is_known):
        self.asked.append((host, is_known))
        if self.taken:
            raise FetchBusy("all are taken")
        yield


@pytest.fixture
def slots():
    return Slots()


def test_without_a_slot_nothing_is_claimed_and_the_next_request_succeeds(start_worker, store, site, slots):
    documents = start_worker(take_slot=slots.take)
    slots.taken = True
    with pytest.raises(FetchBusy):
        documents.load(URL)
    assert (store.claims, site.fetched) == (0, [])

    slots.taken = False
    assert documents.load(URL).value == [1]
    assert slots.asked == [("keys.client.example", False)] * 2


def test_fetch_of_a_document_that_somebody_had_before_says_so(start_worker, slots, clock):
    documents = start_worker(take_slot=slots.take)
    documents.load(URL)
    clock.move(600 + 3600)
    documents.load(URL)

    assert slots.asked == [("keys.client.example", False), ("keys.client.example", True)]


def test_without_a_slot_a_warm_document_serves(start_worker, site, slots, clock):
    documents = start_worker(take_slot=slots.take)
    old = documents.load(URL)
    slots.taken = True
    clock.move(600)

    assert documents.load(URL) is old
    with pytest.raises(FetchBusy):
        documents.newer(old)
    assert len(site.fetched) == 1


def test_fresh_documents_and_cooldowns_need_no_slot(start_worker, slots):
    documents = start_worker(take_slot=slots.take)
    old = documents.load(URL)
    slots.taken = True

    assert documents.load(URL) is old
    assert documents.newer(old) is None


def test_waiting_for_another_worker_needs_a_slot(start_worker, store, slots, waits, clock):
    documents = start_worker(take_slot=slots.take)
    store.claim(KEY, now=clock.now, not_before=0)
    slots.taken = True

    with pytest.raises(FetchBusy):
        documents.load(URL)
    assert waits == []


def test_a_fetcher_without_room_leaves_no_cooldown(start_worker, site):
    documents = start_worker()
    site.problem = FetchBusy("threads wait for a name server")
    with pytest.raises(FetchBusy):
        documents.load(URL)

    up(site)
    assert documents.load(URL).value == [1]


def test_a_thread_with_a_warm_document_does_not_wait_for_one_that_fetches(start_worker, site, clock):
    gate = Gate()
    gate.may_answer.set()
    documents = start_worker(fetcher=gate)
    old = documents.load(URL)
    clock.move(600)
    gate.is_asked.clear()
    gate.may_answer.clear()
    threads, _ = run_threads(1, lambda: documents.load(URL))
    assert gate.is_asked.wait(60)

    assert documents.load(URL) is old

    gate.may_answer.set()
    for thread in threads:
        thread.join()


def test_documents_that_are_kept_parsed_are_bounded_by_bytes(start_worker, site):
    documents = start_worker(max_bytes=20_000)
    site.members = {"keys": ["x" * 5000]}
    first = documents.load(URL)

    assert documents.load(URL) is not first
    assert documents.load(URL).value == first.value
    assert len(site.fetched) == 1


# --- at the same time -----------------------------------------------------------------------------------
class Gate(Site):
    """A site that answers when it is told to."""

    def __init__(self):
        super().__init__()
        self.is_asked = threading.Event()
        self.may_answer = threading.Event()

    def fetch(self, url):
        self.is_asked.set()
        assert self.may_answer.wait(60)
        return super().fetch(url)


def run_threads(count, action):
    results = []

    def run():
        try:
            results.append(action())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, results


def test_of_many_threads_one_fetches_for_all(start_worker):
    gate = Gate()
    documents = start_worker(fetcher=gate)

    threads, results = run_threads(8, lambda: documents.load(URL))
    assert gate.is_asked.wait(60)
    gate.may_answer.set()
    for thread in threads:
        thread.join()

    assert {result.value == [1] for result in results} == {True}
    assert len(results) == 8
    assert len(gate.fetched) == 1


def test_of_many_threads_one_fails_for_all(start_worker):
    gate = Gate()
    down(gate)
    documents = start_worker(fetcher=gate)

    threads, results = run_threads(8, lambda: documents.load(URL))
    assert gate.is_asked.wait(60)
    gate.may_answer.set()
    for thread in threads:
        thread.join()

    assert [type(result) for result in results] == [DocumentUnavailable] * 8
    assert len(gate.fetched) == 1


def test_a_document_under_way_does_not_hold_up_another_url(start_worker):
    gate = Gate()
    documents = start_worker(fetcher=gate)
    threads, _ = run_threads(1, lambda: documents.load(URL))
    assert gate.is_asked.wait(60)
    gate.is_asked.clear()

    more, _ = run_threads(1, lambda: documents.load(OTHER_URL))

    assert gate.is_asked.wait(60)
    gate.may_answer.set()
    for thread in threads + more:
        thread.join()


def test_a_cold_worker_waits_for_the_one_that_is_fetching(start_worker, store, site, clock):
    store.claim(KEY, now=clock.now, not_before=0)

    def wait(_seconds):
        store.save(KEY, '{"keys": [7]}', fetched_at=clock.now, fresh_until=clock.now + 600)

    assert start_worker(wait=wait).load(URL).value == [7]
    assert site.fetched == []


def test_a_worker_that_misses_a_key_waits_for_the_one_that_is_fetching(start_worker, store, site, clock):
    def wait(_seconds):
        store.save(KEY, '{"keys": [7]}', fetched_at=clock.now, fresh_until=clock.now + 600)

    documents = start_worker(wait=wait)
    old = documents.load(URL)
    clock.move(30)
    store.claim(KEY, now=clock.now, not_before=clock.now - 30)

    assert documents.newer(old).value == [7]
    assert len(site.fetched) == 1


def test_a_worker_with_a_warm_document_does_not_wait(documents, store, clock, waits):
    old = documents.load(URL)
    clock.move(600)
    store.claim(KEY, now=clock.now, not_before=clock.now - 30)

    assert documents.load(URL) is old
    assert waits == []


def test_the_wait_for_another_worker_has_an_end(documents, store, clock, waits):
    store.claim(KEY, now=clock.now, not_before=0)

    with pytest.raises(DocumentUnavailable):
        documents.load(URL)

    assert sum(waits) == pytest.approx(5)


def test_a_fetch_that_failed_on_another_worker_is_not_waited_for(start_worker, site, waits):
    down(site)
    one, other = start_worker(), start_worker()
    for worker in (one, other, one):
        with pytest.raises(DocumentUnavailable):
            worker.load(URL)

    assert waits == []
    assert len(site.fetched) == 1


def test_a_worker_that_died_long_ago_is_not_waited_for(documents, store, clock, waits):
    store.claim(KEY, now=clock.now, not_before=0)
    clock.move(6)

    with pytest.raises(DocumentUnavailable):
        documents.load(URL)

    assert waits == []


def test_a_worker_that_was_faster_to_claim_is_waited_for(start_worker):
    class Beaten(MemoryDocumentStore):
        def claim(self, key, *, now, not_before):
            super().claim(key, now=now, not_before=not_before)
            self.save(key, '{"keys": [7]}', fetched_at=now, fresh_until=now + 600)
            return False

    documents = start_worker(store=Beaten())

    assert documents.load(URL).value == [7]
