"""Tokens whose signature was checked before, so that a token sent a thousand times costs one verification."""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from threading import Lock
from typing import Generic, TypeVar

from ..jose.jose import PublicKey

T = TypeVar("T")
Keys = tuple[PublicKey, ...]
"""The keys of an issuer."""
CAPACITY = 2048


class VerifiedTokens(Generic[T]):
    """What verified tokens said; least recently used out. Refused tokens are never kept.

    A token counts only together with the set of keys it was verified with: when the issuer's keys change, everything
    is verified anew, and a withdrawn key stops working.

    :param capacity: Most tokens that are kept.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[bytes, tuple[Keys, T]] = OrderedDict()
        self._lock = Lock()

    def find(self, token: str, load_keys: Callable[[], Keys]) -> T | None:
        """What *token* says, if it was verified before with the keys that count now.

        :param load_keys: Gives those; not called for a token that is new here.
        """
        name = _digest(token)
        if name not in self._entries:
            return None
        keys = load_keys()  # may fetch them, so no lock is held
        with self._lock:
            entry = self._entries.get(name)
            if entry is None:
                return None
            if entry[0] is not keys and entry[0] != keys:  # usually the same object
                del self._entries[name]
                return None
            self._entries.move_to_end(name)
            return entry[1]

    def add(self, token: str, keys: Keys, value: T) -> None:
        """Keep what *token* says. Only for a token that was verified with *keys*."""
        with self._lock:
            self._entries[_digest(token)] = (keys, value)
            if len(self._entries) > self._capacity:
                self._entries.popitem(last=False)


def _digest(token: str) -> bytes:
    # The digest, not the token: no copy of a credential lies about, and look-up time says nothing about it.
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
