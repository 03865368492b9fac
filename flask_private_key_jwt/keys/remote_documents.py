"""Documents that clients publish, kept for all workers: fresh for a while, fetched by one, served for some time after.

A fetch is claimed in the store before it is made, so that however many workers and callers want it, a URL is asked
at most once in each cool-down, whether it answers or not.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

from .. import clock
from ..settings import ServerSettings
from ..stores.base import FetchedDocumentStore, StoredDocument
from ..stores.deadline import outside_budget
from . import jose
from .fetch_target import FetchProblem
from .safe_fetch import FetchedDocument
from .single_flight import SingleFlight

log = logging.getLogger("flask_private_key_jwt")

_WAIT_SECONDS = 5
"""Longest wait for a fetch that another worker makes: the longest time a fetch may take."""
_POLLS_A_SECOND = 10

T = TypeVar("T")
Read = Callable[[str, Mapping[str, Any]], T]
"""Makes something of a URL and the JSON object at it; raises ``ValueError`` when that is no document of the kind."""


class Fetcher(Protocol):
    """What :class:`~.safe_fetch.SafeFetcher` does."""

    def fetch(self, url: str) -> FetchedDocument:
        """Get the JSON object at *url*.

        :raises FetchProblem: There is none.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePolicy:
    """For how long a document is used; all in seconds."""

    min_seconds: int = 60
    """A document is not asked for again earlier, whatever it says of itself."""
    max_seconds: int = 600
    """It is asked for again then at the latest: a key that its owner has removed works no longer than this."""
    cooldown_seconds: int = 30
    """Least time between two fetches of one document, and how soon a key nobody knew yet is found. At most 60."""
    stale_seconds: int = 3600
    """How long it goes on serving when it can no longer be fetched."""


def cache_policy(settings: ServerSettings) -> CachePolicy:
    """The policy that *settings* ask for."""
    return CachePolicy(
        min_seconds=settings.JWKS_MIN_CACHE_SECONDS,
        max_seconds=settings.JWKS_MAX_CACHE_SECONDS,
        cooldown_seconds=settings.JWKS_COOLDOWN_SECONDS,
        stale_seconds=settings.JWKS_STALE_SECONDS,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Document(Generic[T]):
    """A document as it was at one moment."""

    url: str
    value: T = field(repr=False)
    """What was made of it; the same object for as long as its text stays the same."""
    text: str = field(repr=False)
    fetched_at: int
    fresh_until: int


class DocumentUnavailable(Exception):
    """There is no document that may be used; *reason* is private."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RemoteDocuments(Generic[T]):
    """Gives documents of one kind by URL; safe for threads.

    :param read: What it refuses counts as a failure to fetch, and never replaces a good document.
    :param size: Most documents to keep parsed in this process.
    :param admit: Whether a document that nobody had before may be fetched now.
    :param wait: Pauses for so many seconds.
    """

    def __init__(
        self,
        store: FetchedDocumentStore,
        fetcher: Fetcher,
        policy: CachePolicy,
        read: Read[T],
        *,
        size: int,
        admit: Callable[[], bool] = lambda: True,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._fetcher = fetcher
        self._policy = policy
        self._read = read
        self._admit = admit
        self._wait = wait
        self._flights: SingleFlight[Document[T] | None] = SingleFlight()
        self._parsed = _Recent[Document[T]](size)
        self._failed_at = _Recent[int](size)

    def load(self, url: str) -> Document[T]:
        """The document at *url*: the kept one while it is fresh, else a new one, else the kept one for a while.

        :raises DocumentUnavailable: There is none, and it cannot be fetched now.
        :raises StoreUnavailable: The store did not answer.
        """
        document = self._parse(self._store.load(url))
        now = clock.now()
        if document is not None and now < self._fresh_until(document):
            return document
        is_usable = document is not None and now < self._fresh_until(document) + self._policy.stale_seconds
        newer = self._renew(url, document, patient=not is_usable)
        if newer is not None:
            return newer
        if document is None or not is_usable:
            raise DocumentUnavailable(f"{url[:200]!r} cannot be had")
        return document

    def newer(self, document: Document[T]) -> Document[T] | None:
        """A newer one than *document*, in which something is missing; ``None`` in its cool-down, or without success.

        :raises StoreUnavailable: The store did not answer.
        """
        return self._renew(document.url, document, patient=True)

    def _fresh_until(self, document: Document[T]) -> int:
        return min(document.fresh_until, document.fetched_at + self._policy.max_seconds)

    def _renew(self, url: str, seen: Document[T] | None, *, patient: bool) -> Document[T] | None:
        """Get a document other than *seen*; of this process's threads, one fetches it for all.

        :param patient: Also wait for another worker that is fetching it.
        """
        newer = self._flights.run(url, lambda: self._claim_and_fetch(url, seen))
        return self._await_other_worker(url, seen) if newer is None and patient else newer

    def _claim_and_fetch(self, url: str, seen: Document[T] | None) -> Document[T] | None:
        stored, now = self._store.load(url), clock.now()
        if (other := self._other_than(seen, stored)) is not None:
            return other
        not_before = now - self._policy.cooldown_seconds
        # Looked at first: a claim is a write, even one that comes too early.
        if stored is not None and stored.attempted_at > not_before:
            return None
        if (stored is None or stored.body is None) and not self._admit():
            return None
        return self._fetch(url, claimed_at=now) if self._store.claim(url, now=now, not_before=not_before) else None

    def _fetch(self, url: str, *, claimed_at: int) -> Document[T] | None:
        try:
            with outside_budget():  # it has a deadline of its own
                fetched = self._fetcher.fetch(url)
            value = self._value_of(url, fetched.text, fetched.members)
        except (FetchProblem, ValueError) as problem:
            log.warning("%r is not used: %s", url[:200], problem)
            self._failed_at.keep(url, claimed_at)
            return None
        now, policy = clock.now(), self._policy
        wished = policy.max_seconds if fetched.fresh_for is None else fetched.fresh_for
        fresh_until = now + min(max(wished, policy.min_seconds), policy.max_seconds)
        self._store.save(url, fetched.text, fetched_at=now, fresh_until=fresh_until)
        return self._parsed.keep(url, Document(url, value, fetched.text, now, fresh_until))

    def _await_other_worker(self, url: str, seen: Document[T] | None) -> Document[T] | None:
        """Without this, of the first requests of a new client only one worker's would succeed."""
        for _ in range(_WAIT_SECONDS * _POLLS_A_SECOND):
            stored = self._store.load(url)
            if (other := self._other_than(seen, stored)) is not None:
                return other
            if stored is None or not self._may_be_under_way(stored):
                break
            with outside_budget():
                self._wait(1 / _POLLS_A_SECOND)
        return None

    def _may_be_under_way(self, stored: StoredDocument) -> bool:
        has_ended = stored.fetched_at >= stored.attempted_at or self._failed_at.get(stored.url) == stored.attempted_at
        return not has_ended and clock.now() <= stored.attempted_at + _WAIT_SECONDS

    def _other_than(self, seen: Document[T] | None, stored: StoredDocument | None) -> Document[T] | None:
        document = self._parse(stored)
        if document is None or seen is None:
            return document
        is_same = document.fetched_at == seen.fetched_at and document.text == seen.text
        return None if is_same else document

    def _parse(self, stored: StoredDocument | None) -> Document[T] | None:
        if stored is None or stored.body is None:
            return None
        known = self._parsed.get(stored.url)
        if known is not None and known.fetched_at == stored.fetched_at and known.text == stored.body:
            return known
        try:
            value = self._value_of(stored.url, stored.body)
        except ValueError as problem:
            log.error("%r is fetched anew: %s", stored.url[:200], problem)
            return None
        document = Document(stored.url, value, stored.body, stored.fetched_at, stored.fresh_until)
        return self._parsed.keep(stored.url, document)

    def _value_of(self, url: str, text: str, members: Mapping[str, Any] | None = None) -> T:
        known = self._parsed.get(url)
        if known is not None and known.text == text:
            return known.value
        return self._read(url, jose.load_json_object(text, "document") if members is None else members)


class _Recent(Generic[T]):
    """What was kept last, by URL; safe for threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[str, T] = OrderedDict()
        self._lock = Lock()

    def get(self, url: str) -> T | None:
        with self._lock:
            if url in self._kept:
                self._kept.move_to_end(url)
            return self._kept.get(url)

    def keep(self, url: str, value: T) -> T:
        with self._lock:
            self._kept[url] = value
            self._kept.move_to_end(url)
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
            return value
