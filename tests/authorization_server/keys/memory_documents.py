"""The contract of FetchedDocumentStore in memory: what several workers would share, in one process."""

from dataclasses import replace
from threading import Lock

from flask_private_key_jwt import clock
from flask_private_key_jwt.authorization_server.stores.contracts import (
    LONGEST_COOLDOWN_SECONDS,
    NEVER_HAD_SECONDS,
    UNUSED_SECONDS,
    DocumentKey,
    StoredDocument,
)


class MemoryDocumentStore:
    def __init__(self) -> None:
        self.rows: dict[DocumentKey, StoredDocument] = {}
        self.claims = 0
        self._lock = Lock()

    def load(self, key: DocumentKey) -> StoredDocument | None:
        return self.rows.get(key)

    def claim(self, key: DocumentKey, *, now: int, not_before: int) -> bool:
        with self._lock:
            self.claims += 1
            row = self.rows.get(key)
            if row is not None and row.attempted_at > not_before:
                return False
            self.rows[key] = replace(row or StoredDocument(key.url, None, 0, 0, 0), attempted_at=now)
            return True

    def release(self, key: DocumentKey) -> None:
        with self._lock:
            if (row := self.rows.get(key)) is not None:
                over = clock.now() - LONGEST_COOLDOWN_SECONDS
                self.rows[key] = replace(row, attempted_at=min(row.attempted_at, over))

    def save(self, key: DocumentKey, body: str, *, fetched_at: int, fresh_until: int) -> None:
        with self._lock:
            if key in self.rows and self.rows[key].fetched_at <= fetched_at:
                self.rows[key] = replace(self.rows[key], body=body, fetched_at=fetched_at, fresh_until=fresh_until)

    def fail(self, key: DocumentKey, *, claimed_at: int) -> None:
        with self._lock:
            self.rows[key] = replace(self.rows[key], failed_at=claimed_at)

    def purge(self) -> int:
        with self._lock:
            for key in (unused := [key for key, row in self.rows.items() if _is_unused(row)]):
                del self.rows[key]
            return len(unused)


def _is_unused(row: StoredDocument) -> bool:
    return row.attempted_at < clock.now() - (NEVER_HAD_SECONDS if row.body is None else UNUSED_SECONDS)
