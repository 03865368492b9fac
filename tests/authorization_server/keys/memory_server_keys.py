"""A store of server keys in memory, in which something may happen between a read and its answer."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from flask_private_key_jwt.authorization_server.stores.contracts import StoredKey, sum_versions
from flask_private_key_jwt.signals.events import KeyChange


class MemoryServerKeyStore:
    """See :class:`flask_private_key_jwt.authorization_server.stores.contracts.ServerKeyStore`."""

    def __init__(self) -> None:
        self._keys: dict[int, StoredKey] = {}
        self._changes = 0
        self.loads = 0
        self.after_load: Callable[[], None] | None = None
        """Called once, after the next read."""

    def load(self) -> Sequence[StoredKey]:
        self.loads += 1
        found = [self._keys[slot] for slot in sorted(self._keys)]
        if (happen := self.after_load) is not None:
            self.after_load = None
            happen()
        return found

    def find_version(self) -> int:
        return sum_versions(list(self._keys.values()))

    def add(self, key: StoredKey) -> bool:
        if key.slot in self._keys:
            return False
        self.change(key, "made")
        return True

    def change(self, key: StoredKey, what: KeyChange) -> None:
        self._changes += 1
        self._keys[key.slot] = replace(key, version=1000**self._changes)

    def remove(self, key: StoredKey) -> None:
        del self._keys[key.slot]
