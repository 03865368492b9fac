"""The contract of FetchedDocumentStore in memory: what several workers would share, in one process."""

from dataclasses import replace
from threading import Lock

from flask_private_key_jwt import clock
from flask_private_key_jwt.stores.base import NEVER_HAD_SECONDS, UNUSED_SECONDS, StoredDocument


class MemoryDocumentStore:
    def __init__(self) -> None:
        self.rows: dict[str, StoredDocument] = {}
        self.claims = 0
        self._lock = Lock()

    def load(self, url: str) -> StoredDocument | None:
        return self.rows.get(url)

    def claim(self, url: str, *, now: int, not_before: int) -> bool:
        with self._lock:
            self.claims += 1
            row = self.rows.get(url)
            if row is not None and row.attempted_at > not_before:
                return False
            self.rows[url] = replace(row or StoredDocument(url, None, 0, 0, 0), attempted_at=now)
            return True

    def save(self, url: str, body: str, *, fetched_at: int, fresh_until: int) -> None:
        with self._lock:
            if url in self.rows:
                self.rows[url] = replace(self.rows[url], body=body, fetched_at=fetched_at, fresh_until=fresh_until)

    def forget(self, url: str) -> None:
        with self._lock:
            self.rows.pop(url, None)

    def purge(self) -> int:
        with self._lock:
            for url in (unused := [url for url, row in self.rows.items() if _is_unused(row)]):
                del self.rows[url]
            return len(unused)


def _is_unused(row: StoredDocument) -> bool:
    return row.attempted_at < clock.now() - (NEVER_HAD_SECONDS if row.body is None else UNUSED_SECONDS)
