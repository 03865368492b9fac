"""bounded_cache.py: by number, by bytes, least recently used out."""

import threading
from dataclasses import dataclass
from types import MappingProxyType

import pytest

from flask_private_key_jwt.bounded_cache import ENTRY_BYTES, LARGEST_PART, BoundedCache, weigh


def keep_all(cache, *keys, value="x"):
    for key in keys:
        cache.keep(key, value)


def test_only_so_many_entries_are_kept_and_the_one_used_last_stays():
    cache = BoundedCache(max_entries=2, max_bytes=1 << 20)
    keep_all(cache, "a", "b")
    cache.get("a")
    keep_all(cache, "c")

    assert [key for key in "abc" if cache.get(key)] == ["a", "c"]


def test_only_so_many_bytes_are_kept():
    cache = BoundedCache(max_entries=1000, max_bytes=100_000)
    for number in range(1000):
        cache.keep(str(number), "x" * 1000)

    assert 90_000 < cache.weight <= 100_000
    assert 70 < len(cache) < 100
    assert cache.get("999")


def test_an_entry_as_large_as_many_is_not_kept_and_pushes_nothing_out():
    cache = BoundedCache(max_entries=1000, max_bytes=100_000)
    keep_all(cache, "a", "b")
    large = "x" * (100_000 // LARGEST_PART)

    assert cache.keep("c", large) is large
    assert cache.get("c") is None
    assert len(cache) == 2


def test_an_entry_that_grew_too_large_is_gone():
    cache = BoundedCache(max_entries=1000, max_bytes=100_000)
    keep_all(cache, "a")
    keep_all(cache, "a", value="x" * 100_000)

    assert cache.get("a") is None
    assert cache.weight == 0


def test_part_that_is_weighed_elsewhere_does_not_count():
    cache = BoundedCache(max_entries=10, max_bytes=100_000)

    cache.keep("a", ("x" * 5000, "y"), weight=weigh("a") + weigh("y"))

    assert cache.get("a") == ("x" * 5000, "y")
    assert cache.weight == ENTRY_BYTES + weigh("a") + weigh("y")


def test_weight_is_that_of_what_is_there():
    cache = BoundedCache(max_entries=10, max_bytes=100_000)
    keep_all(cache, "a", "a", "b")
    cache.drop("b")
    cache.drop("never there")

    assert cache.weight == ENTRY_BYTES + weigh("a") + weigh("x")


def test_weight_may_be_known_already():
    cache = BoundedCache(max_entries=10, max_bytes=100_000)
    cache.keep("a", "x" * 5000, weight=100)
    cache.keep("b", "x", weight=100_000 // LARGEST_PART)

    assert cache.weight == ENTRY_BYTES + 100
    assert cache.get("b") is None


def test_what_another_thread_kept_stays_when_it_is_as_good():
    cache = BoundedCache(max_entries=10, max_bytes=100_000)
    first, second, third = [1], [1], [2]
    cache.keep("a", first)

    assert cache.keep("a", second, equals=lambda kept: kept == [1]) is first
    assert cache.keep("a", third, equals=lambda kept: kept == [2]) is third
    assert cache.get("a") is third


@dataclass(frozen=True, slots=True)
class Value:
    text: str
    members: object


@pytest.mark.parametrize(
    "value",
    [
        "x" * 5000,
        "\u20ac" * 2500,
        b"x" * 5000,
        ["x" * 2500, ("x" * 2500,)],
        {"a": {"b": "x" * 5000}},
        {"x" * 5000: None},
        frozenset({"x" * 5000}),
        Value("x" * 2500, MappingProxyType({"a": "x" * 2500})),
        [1] * 625,
        {str(number): number for number in range(100)},
    ],
)
def test_weight_counts_what_is_inside(value):
    assert weigh(value) >= 5000


def test_threads_leave_it_whole():
    cache = BoundedCache(max_entries=50, max_bytes=1 << 20)

    def work():
        for number in range(2000):
            cache.keep(number % 97, "x" * (number % 7))
            cache.drop(number % 31)
            cache.get(number % 13)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for number in range(97):
        cache.drop(number)
    assert (len(cache), cache.weight) == (0, 0)
