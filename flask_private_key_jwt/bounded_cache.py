"""The one cache of this package: limited in entries and in bytes, because strangers can make entries large."""

import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from threading import Lock
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

BYTES_A_CLIENT = 8192
"""Average size that each of the operator's clients may have in each cache."""
LEAST_BYTES = 1 << 20
BYTES_OF_STRANGERS = 1 << 22
"""Total size of all clients that the operator did not register, in each cache."""

OPAQUE_BYTES = 2048
"""Assumed size of an object whose content cannot be measured, such as a parsed key."""
ENTRY_BYTES = 200
"""Size of an entry besides its key and its value."""
_PLAIN = frozenset({type(None), bool, str, bytes, int, float})
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
        :param weight: Size of *value* in bytes, if the caller knows it; default: measured by :func:`weigh`.
        :return: *value*, or the value that stays.
        """
        known = self.get(key)
        if known is not None and (known is value or equals(known)):
            return known
        weight = ENTRY_BYTES + weigh(key) + (weigh(value) if weight is None else weight)
        with self._lock:
            entry = self._kept.get(key)
            if entry is not None and equals(entry[0]):
                return entry[0]
            self._remove(key)
            if weight * LARGEST_PART <= self._max_bytes:
                self._kept[key] = (value, weight)
                self._weight += weight
            while len(self._kept) > self._max_entries or self._weight > self._max_bytes:
                self._remove(next(iter(self._kept)))
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
    weight, rest = 0, [value]
    while rest:
        part: Any = rest.pop()
        kind = type(part)
        if kind in _PLAIN:
            weight += sys.getsizeof(part)
        elif (members := getattr(kind, "__dataclass_fields__", None)) is not None:
            weight += sys.getsizeof(part)
            rest.extend([getattr(part, name) for name in members])
        elif isinstance(part, Mapping):
            weight += sys.getsizeof(part) if isinstance(part, dict) else sys.getsizeof(dict(part))
            rest.extend(part.keys())
            rest.extend(part.values())
        elif isinstance(part, (list, tuple, set, frozenset)):
            weight += sys.getsizeof(part)
            rest.extend(part)
        elif isinstance(part, (str, bytes, int, float)):
            weight += sys.getsizeof(part)
        else:
            weight += OPAQUE_BYTES
    return weight
