"""Tokens whose signature was verified before, so that a token sent a thousand times is verified once."""

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
"""Largest total size of what is kept, in bytes."""
GROWTH = 8
"""Assumed memory of a parsed token, in bytes for each byte of the token."""


class VerifiedTokens(Generic[T]):
    """The content of verified tokens; the one used longest ago is dropped first. Refused tokens are never kept.

    Each entry holds the set of keys that verified the token. When the issuer's keys change, every token is verified
    again, so a withdrawn key stops working.

    :param capacity: Most tokens that are kept.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.entries: BoundedCache[bytes, tuple[Keys, T]] = BoundedCache(max_entries=capacity, max_bytes=MAX_BYTES)

    def find(self, token: str, load_keys: Callable[[], Keys]) -> T | None:
        """The content of *token*, if it was verified before with the current keys.

        :param load_keys: Returns the current keys; not called for an unknown token.
        """
        name = _digest(token)
        entry = self.entries.get(name)
        if entry is None:
            return None
        keys = load_keys()
        if entry[0] is not keys and entry[0] != keys:  # usually the same object
            self.entries.drop(name)
            return None
        return entry[1]

    def add(self, token: str, keys: Keys, value: T) -> None:
        """Keep the content of *token*, which must have been verified with *keys*."""
        self.entries.keep(_digest(token), (keys, value), weight=GROWTH * len(token))


def _digest(token: str) -> bytes:
    # The digest, not the token: no copy of the token stays in memory, and the look-up time reveals nothing about it.
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
