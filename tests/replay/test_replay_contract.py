"""What every replay store promises; see ``replay/base.py``."""

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from flask_private_key_jwt.database.batches import KEEP_ENDED_SECONDS
from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.replay.base import ASSERTION, PROOF, Mark, Replayed, ReplayStore
from tests.checkout import CHECKOUT

RACER = "tests.replay.racer"


def find_replayed(store: ReplayStore, *marks: Mark) -> Mark | None:
    try:
        store.remember(marks)
    except Replayed as replayed:
        return replayed.mark
    return None


def is_cluster(url: str) -> bool:
    return url.startswith("redis+cluster://")


def test_of_several_marks_of_a_cluster_those_before_the_refused_one_are_spent_and_no_others(
    cluster_url, open_store, mark
):
    store = open_store(cluster_url)
    store.remember([mark("spent")])

    assert find_replayed(store, mark("before"), mark("spent"), mark("after")) == mark("spent")
    assert find_replayed(store, mark("before")) == mark("before")
    assert find_replayed(store, mark("after")) is None


def test_a_mark_counts_once(store, mark):
    store.remember([mark()])

    with pytest.raises(Replayed) as refused:
        store.remember([mark()])
    assert refused.value.mark == mark()
    assert str(refused.value) == "jti of the client_assertion was used before"


def test_no_marks_are_remembered_without_complaint(store):
    store.remember([])
    store.remember([])


def test_all_marks_are_remembered_or_none(store, store_url, mark):
    if is_cluster(store_url):
        pytest.skip("marks in several slots of a cluster are several steps")
    store.remember([mark("spent")])

    assert find_replayed(store, mark("new"), mark("spent")) == mark("spent")
    assert find_replayed(store, mark("spent"), mark("new")) == mark("spent")
    assert find_replayed(store, mark("new")) is None


def test_the_first_of_several_spent_marks_is_named_whatever_its_digest(store, mark):
    marks = [mark(str(number)) for number in range(6)]
    store.remember(marks)

    for first in marks:
        others = [other for other in marks if other != first]
        assert find_replayed(store, mark(f"new {first.jti}"), first, *others) == first


def test_the_same_mark_twice_in_one_call_is_a_replay_and_remembers_nothing(store, mark):
    assert find_replayed(store, mark("other"), mark(), mark()) == mark()
    assert find_replayed(store, mark("other"), mark()) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"purpose": ASSERTION}, {"purpose": PROOF}),
        ({"server": "https://one.example"}, {"server": "https://two.example"}),
        ({"server": "https://as.example"}, {"server": "https://as.example https://api.example"}),
        ({"owner": "a"}, {"owner": "b"}),
        ({"owner": "A"}, {"owner": "a"}),
        ({"owner": "a", "jti": "bc"}, {"owner": "ab", "jti": "c"}),
        ({"jti": "jti"}, {"jti": "JTI"}),
        ({"jti": "jti"}, {"jti": "jti "}),
        ({"jti": "é"}, {"jti": "e\u0301"}),
    ],
)
def test_marks_that_differ_are_kept_apart(store, mark, one, other):
    store.remember([mark(**one)])
    store.remember([mark(**other)])


@pytest.mark.parametrize(
    "jti", ["", "\x00", "a\x00b", "\ud800", "\udfff\ud800", "x" * 256, "𝄞" * 256, "'; --", "%s", "?"]
)
def test_an_odd_jti_counts_once(store, mark, jti):
    assert find_replayed(store, mark(jti)) is None
    assert find_replayed(store, mark(jti)) == mark(jti)


def test_a_mark_is_kept_through_its_last_second_and_then_forgotten(store, mark, clock):
    store.remember([mark(lifetime=60)])

    clock.move(60)
    assert find_replayed(store, mark(lifetime=60)) is not None
    clock.move(1)
    assert find_replayed(store, mark(lifetime=60)) is None
    assert find_replayed(store, mark(lifetime=60)) is not None


def test_a_forgotten_mark_beside_a_spent_one_changes_nothing(store, store_url, mark, clock):
    if is_cluster(store_url):
        pytest.skip("marks in several slots of a cluster are several steps")
    store.remember([mark("old", lifetime=60)])
    clock.move(61)
    spent = mark("spent")
    store.remember([spent])

    assert find_replayed(store, mark("old"), spent) == spent
    assert find_replayed(store, mark("old")) is None


def test_a_refused_use_does_not_prolong_a_mark(store, mark, clock):
    store.remember([mark(lifetime=60)])
    assert find_replayed(store, mark(lifetime=600)) is not None

    clock.move(61)
    assert find_replayed(store, mark(lifetime=600)) is None


def test_of_twenty_threads_one_uses_a_mark(store, mark):
    shared, gate, answers = mark("shared"), threading.Barrier(20), []

    def use(number: int) -> None:
        gate.wait()
        try:
            answers.append(find_replayed(store, mark(f"own {number}"), shared))
        except StoreUnavailable as error:
            answers.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(answers) == {None: 1, shared: 19}


def test_of_twenty_threads_that_give_a_jti_an_expiry_each_one_uses_it_while_the_store_is_purged(store, mark):
    gate, done, answers, failed = threading.Barrier(21), threading.Event(), [], []

    def use(number: int) -> None:
        gate.wait()
        answers.append(find_replayed(store, mark("shared", lifetime=300 * number)) is None)

    def purge() -> None:
        gate.wait()
        try:
            while not done.wait(0.01):
                store.purge(batch=10)
        except StoreUnavailable as error:
            failed.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(1, 21)]
    purging = threading.Thread(target=purge)
    for thread in (purging, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    purging.join()
    assert answers.count(True) == 1
    assert len(answers) == 20
    assert not failed


def test_of_two_processes_one_uses_a_mark(store_url, mark):
    if store_url == "memory":
        pytest.skip("memory is for one process")
    owner = mark().owner
    racers = [
        subprocess.Popen(
            [sys.executable, "-m", RACER, store_url, owner, order],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for order in ("forwards", "backwards")
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    answers = [racer.communicate()[0].split() for racer in racers]

    pairs = [sorted(pair) for pair in zip(*answers, strict=True)]
    if is_cluster(store_url):  # the two meet in the middle, and each finds what the other has used
        assert len(pairs) == 100
        assert ["used", "used"] not in pairs
    else:
        assert pairs == [["replayed", "used"]] * 100


def test_purge_deletes_what_ended_long_ago_in_batches_and_nothing_else(store, store_url, mark, clock):
    store.remember([mark(f"short {number}", lifetime=60) for number in range(25)])
    store.remember([mark(f"long {number}", lifetime=600 + KEEP_ENDED_SECONDS) for number in range(25)])
    clock.move(61 + KEEP_ENDED_SECONDS)

    removed = store.purge(batch=10)

    assert removed == (0 if store_url.startswith("redis") else 25)
    assert store.purge(batch=10) == 0
    assert find_replayed(store, mark("short 1")) is None
    for number in range(25):
        assert find_replayed(store, mark(f"long {number}")) is not None


@pytest.mark.parametrize("batch", [1, 49, 50, 51])
def test_purge_of_any_batch_size_deletes_everything_that_ended(store, store_url, mark, clock, batch):
    store.remember([mark(str(number), lifetime=60) for number in range(50)])
    clock.move(61 + KEEP_ENDED_SECONDS)

    assert store.purge(batch=batch) == (0 if store_url.startswith("redis") else 50)


def test_purge_by_a_machine_whose_clock_is_ahead_forgets_no_mark(sql_url, open_store, mark, clock):
    store = open_store(sql_url)
    store.remember([mark(lifetime=300)])

    clock.move(300 + KEEP_ENDED_SECONDS)
    assert store.purge() == 0
    clock.move(-KEEP_ENDED_SECONDS)

    assert find_replayed(store, mark()) == mark()


def test_purge_of_an_empty_store_deletes_nothing(store):
    assert store.purge() == 0


def test_a_store_that_is_away_is_unavailable_and_comes_back_by_itself(
    remote_store: Any, open_store: Callable[[str], Any], mark: Callable[..., Mark]
) -> None:
    store = open_store(remote_store.url)
    store.remember([mark("before")])

    remote_store.line.cut()
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            store.remember([mark("while it is away")])
    remote_store.line.restore()

    assert find_replayed(store, mark("before")) == mark("before")
    assert find_replayed(store, mark("while it is away")) is None


def test_a_store_that_restarted_costs_at_most_one_refused_request(
    remote_store: Any, open_store: Callable[[str], Any], mark: Callable[..., Mark]
) -> None:
    store = open_store(remote_store.url)
    open_several_connections(store, mark)

    remote_store.line.cut()
    remote_store.line.restore()

    refused = 0
    for number in range(8):
        try:
            store.remember([mark(f"after {number}")])
        except StoreUnavailable:
            refused += 1
    assert refused <= 1


def open_several_connections(store: ReplayStore, mark: Callable[..., Mark]) -> None:
    gate = threading.Barrier(5)

    def use(number: int) -> None:
        gate.wait()
        store.remember([mark(f"thread {number}")])

    threads = [threading.Thread(target=use, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_store_that_is_away_at_the_start_is_used_once_it_is_there(
    remote_store: Any, open_store: Callable[[str], Any], mark: Callable[..., Mark]
) -> None:
    remote_store.line.cut()
    store = open_store(remote_store.url)

    with pytest.raises(StoreUnavailable):
        store.remember([mark()])
    with pytest.raises(StoreUnavailable):
        store.purge() if "redis" not in remote_store.url else store.remember([mark()])
    remote_store.line.restore()

    assert find_replayed(store, mark()) is None
    assert find_replayed(store, mark()) is not None
