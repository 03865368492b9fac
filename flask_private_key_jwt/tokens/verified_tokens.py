"""Tokens whose signature was checked before, so that a token sent a thousand times costs one verification."""

from collections.abc import Callable
from hashlib import sha256
from typing import Generic, TypeVar

from ..bounded_cache import BoundedCache
from ..jose.jose import PublicKey

T = TypeVar("T")
Keys = tuple[PublicKey, ...]
"""The keys of an issuer."""
CAPACITY = 2048
MAX_BYTES = 1 << 24
"""What all that is kept may take."""
GROWTH = 8
"""What a token takes once it is read, for each byte of it."""


class VerifiedTokens(Generic[T]):
    """What verified tokens said; least recently used out. Refused tokens are never kept.

    A token counts only together with the set of keys it was verified with: when the issuer's keys change, everything
    is verified anew, and a withdrawn key stops working.

    :param capacity: Most tokens that are kept.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._entries: BoundedCache[bytes, tuple[Keys, T]] = BoundedCache(max_entries=capacity, max_bytes=MAX_BYTES)

    def find(self, token: str, load_keys: Callable[[], Keys]) -> T | None:
        """What *token* says, if it was verified before with the keys that count now.

        :param load_keys: Gives those; not called for a token that is new here.
        """
        name = _digest(token)
        entry = self._entries.get(name)
        if entry is None:
            return None
        keys = load_keys()
        if entry[0] is not keys and entry[0] != keys:  # usually the same object
            self._entries.drop(name)
            return None
        return entry[1]

    def add(self, token: str, keys: Keys, value: T) -> None:
        """Keep what *token* says. Only for a token that was verified with *keys*."""
        self._entries.keep(_digest(token), (keys, value), weight=GROWTH * len(token))


def _digest(token: str) -> bytes:
    # The digest, not the token: no copy of a credential lies about, and look-up time says nothing about it.
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
