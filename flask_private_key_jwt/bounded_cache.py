"""The one cache of this package: limited in entries and in bytes, because strangers can make entries large."""

import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter
from threading import Lock
from typing import Any, Generic, TypeVar, cast

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

BYTES_A_CLIENT = 8192
"""Average size that each of the operator's clients may have in each cache."""
LEAST_BYTES = 1 << 20
BYTES_OF_STRANGERS = 1 << 22
"""Total size of all clients that the operator did not register, in each cache."""

OPAQUE_BYTES = 2048
"""Assumed size of an object whose content cannot be measured, such as a parsed key."""
ENTRY_BYTES = 265
"""Size of an entry besides its key and its value, and of a string or a digest besides its characters."""
_PLAIN = frozenset({type(None), bool, str, bytes, int, float})
_ROWS = frozenset({list, tuple, set, frozenset})
LARGEST_PART = 16
"""An entry larger than ``max_bytes`` divided by this is not kept: a few such entries would push out all others."""


def bytes_for_clients(count: int) -> int:
    """Total size that *count* clients of the operator may have, in each cache."""
    return max(count * BYTES_A_CLIENT, LEAST_BYTES)


class BoundedCache(Generic[K, V]):
    """Keeps the entries that were used last (LRU); safe for threads.

    :param max_entries: Largest number of entries.
    :param max_bytes: Largest total size, in bytes, by :func:`weigh`.
    """

    def __init__(self, *, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._weight = 0
        self._lock = Lock()

    @property
    def weight(self) -> int:
        """Size of all entries, in bytes."""
        return self._weight

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> V | None:
        """The value under *key*, or ``None``; marks it as the last one used."""
        with self._lock:
            entry = self._kept.get(key)
            if entry is None:
                return None
            self._kept.move_to_end(key)
            return entry[0]

    def keep(
        self, key: K, value: V, *, equals: Callable[[V], bool] = lambda _other: False, weight: int | None = None
    ) -> V:
        """Keep *value* under *key*, in place of the old value. A value that is too large for this cache is not kept.

        :param equals: Whether a value that another thread stored meanwhile is as good; if so, that value stays.
        :param weight: Size of *key* and *value* in bytes, if the caller knows it, with each character of the key;
            default: measured by :func:`weigh`.
        :return: *value*, or the value that stays.
        """
        kept = self._kept
        if key in kept:
            known = self.get(key)
            if known is not None and (known is value or equals(known)):
                return known
        weight = ENTRY_BYTES + (weigh(key) + weigh(value) if weight is None else weight)
        with self._lock:
            entry = kept.get(key)
            if entry is not None:
                if equals(entry[0]):
                    return entry[0]
                self._remove(key)
            if weight * LARGEST_PART <= self._max_bytes:
                kept[key] = (value, weight)
                self._weight += weight
            while len(kept) > self._max_entries or self._weight > self._max_bytes:
                self._remove(next(iter(kept)))
        return value

    def drop(self, key: K) -> None:
        """Drop the entry under *key*, if there is one."""
        with self._lock:
            self._remove(key)

    def _remove(self, key: K) -> None:
        entry = self._kept.pop(key, None)
        if entry is not None:
            self._weight -= entry[1]


def weigh(value: object) -> int:
    """Approximate size of *value* in bytes: strings, numbers, and containers and dataclasses of them."""
    size = sys.getsizeof
    if type(value) in _PLAIN:
        return size(value)
    weight, rest = 0, [value]
    while rest:
        part: Any = rest.pop()
        kind = type(part)
        # The usual types first: isinstance() with an abstract class takes longer than all the rest.
        if kind in _PLAIN:
            weight += size(part)
        elif kind in _ROWS:
            weight += size(part)
            rest += part
        elif kind is dict:
            weight += size(part)
            rest += part
            rest += part.values()
        elif is_dataclass(kind):
            weight += size(part)
            rest += _members_of(kind)(part)
        else:
            weight += _weigh_unusual(part, rest)
    return weight


def _weigh_unusual(part: object, rest: list[Any]) -> int:
    """The size of *part* alone; what it contains is added to *rest*."""
    if isinstance(part, Mapping):
        rest += part
        rest += part.values()
        return sys.getsizeof(part) if isinstance(part, dict) else sys.getsizeof(dict(part))
    if isinstance(part, tuple(_ROWS)):
        rest += cast(Iterable[Any], part)
        return sys.getsizeof(part)
    return sys.getsizeof(part) if isinstance(part, (str, bytes, int, float)) else OPAQUE_BYTES


@cache
def _members_of(kind: type) -> Callable[[Any], tuple[Any, ...]]:
    """Reads the fields of a dataclass."""
    names = [field.name for field in fields(kind)]
    if len(names) > 1:
        return attrgetter(*names)
    return lambda part: tuple(getattr(part, name) for name in names)
