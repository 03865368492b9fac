"""Documents that clients publish, kept for all workers: one worker fetches, and an old one serves for some time.

A worker claims a fetch in the store first. So a document is fetched at most once in each cool-down, with or without
success, however many workers and callers want it. No thread waits without a slot. An API needs none of this, because
its operator named its only issuer: see ``resource_server/issuer_keys.py``.
"""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from ... import clock
from ...bounded_cache import BoundedCache
from ...database.deadline import outside_budget
from ...errors import FetchBusy
from ...fetching.fetch_target import FetchProblem, host_of
from ...fetching.safe_fetch import FetchedDocument
from ...fetching.single_flight import SingleFlight
from ...jose import jose
from ...settings.server import ServerSettings
from ..stores.contracts import DocumentKey, DocumentKind, FetchedDocumentStore, StoredDocument

log = logging.getLogger("flask_private_key_jwt")

_POLLS_A_SECOND = 10

T = TypeVar("T")
Read = Callable[[str, Mapping[str, Any]], T]
"""Makes a value from a URL and the JSON object there; raises ``ValueError`` if it is not a document of this kind."""


class TakeSlot(Protocol):
    """Gives a slot to a thread that fetches, or that waits for another one which does."""

    def __call__(self, host: str | None, /, *, is_known: bool) -> AbstractContextManager[None]:
        """A slot during the block.

        :param host: The host of the document that the thread fetches; ``None``: it waits.
        :param is_known: Whether somebody has had the document before.
        :raises FetchBusy: There is none now.
        """


class Fetcher(Protocol):
    """What :class:`~.safe_fetch.SafeFetcher` does."""

    def fetch(self, url: str) -> FetchedDocument:
        """Get the JSON object at *url*.

        :raises FetchProblem: There is none.
        :raises FetchBusy: Nothing was fetched.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePolicy:
    """How long a document is used; all in seconds."""

    min_seconds: int = 60
    """A document is fresh at least this long, whatever its headers say."""
    max_seconds: int = 600
    """A document is fresh at most this long: a key that its owner has removed works no longer than this."""
    cooldown_seconds: int = 30
    """Least time between two fetches of one document, and the longest time until a new key is found. At most 60."""
    stale_seconds: int = 3600
    """How much longer it is used if it can no longer be fetched."""
    fetch_seconds: int = 5
    """Longest time for a fetch, and so the longest wait for the fetch of another worker."""


def cache_policy(settings: ServerSettings) -> CachePolicy:
    """The policy of the *settings*."""
    return CachePolicy(
        min_seconds=settings.JWKS_MIN_CACHE_SECONDS,
        max_seconds=settings.JWKS_MAX_CACHE_SECONDS,
        cooldown_seconds=settings.JWKS_COOLDOWN_SECONDS,
        stale_seconds=settings.JWKS_STALE_SECONDS,
        fetch_seconds=settings.FETCH_TIMEOUT_SECONDS,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Document(Generic[T]):
    """A document as it was at one moment."""

    url: str
    value: T = field(repr=False)
    """The value made from it; the same object as long as its text stays the same."""
    text: str = field(repr=False)
    fetched_at: int
    """When its fetch began."""
    fresh_until: int


class DocumentUnavailable(Exception):
    """There is no document that may be used; *reason* is private."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Wish(Generic[T]):
    """What a caller wants: another document than the one it has seen, fetched after :attr:`not_before`."""

    url: str
    seen: Document[T] | None
    not_before: int

    def is_met_by(self, document: Document[T] | None) -> bool:
        if document is None or document.fetched_at <= self.not_before:
            return False
        seen = self.seen
        return seen is None or document.fetched_at != seen.fetched_at or document.text != seen.text


class RemoteDocuments(Generic[T]):
    """Gives documents of one kind by URL; safe for threads.

    :param kind: The same URL with another kind is another document.
    :param read: A document that it refuses counts as a failed fetch, and never replaces a good document.
    :param size: Most parsed documents to keep in this process.
    :param max_bytes: Most bytes they may take together.
    :param take_slot: Lets a thread fetch or wait.
    :param admit: Lets a new document be fetched; raises ``FetchBusy``.
    :param wait: Pauses for so many seconds.
    """

    def __init__(
        self,
        store: FetchedDocumentStore,
        fetcher: Fetcher,
        policy: CachePolicy,
        read: Read[T],
        *,
        kind: DocumentKind,
        size: int,
        max_bytes: int,
        take_slot: TakeSlot,
        admit: Callable[[str], None] = lambda _url: None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._fetcher = fetcher
        self._policy = policy
        self._read = read
        self._kind: DocumentKind = kind
        self._take_slot = take_slot
        self._admit = admit
        self._wait = wait
        # Whether there is a slot depends on the caller: one caller's FetchBusy must not answer the others.
        self._flights: SingleFlight[Document[T] | None] = SingleFlight(own=(FetchBusy,))
        self._parsed: BoundedCache[str, Document[T]] = BoundedCache(max_entries=size, max_bytes=max_bytes)

    def load(self, url: str, *, not_before: int = 0) -> Document[T]:
        """The document at *url*: the kept one while it is fresh, otherwise a new one, or for a while the old one.

        :param not_before: In seconds since the epoch. A document whose fetch began then or before is not used.
        :raises DocumentUnavailable: There is none, and it cannot be fetched now.
        :raises FetchBusy: There is none, and other fetches leave no room to fetch it now.
        :raises StoreUnavailable: The store did not answer.
        """
        document = self._parse(self._load(url))
        if document is not None and document.fetched_at <= not_before:
            document = None
        now = clock.now()
        if document is not None and now < self._fresh_until(document):
            return document
        wish = _Wish(url, document, not_before)
        if document is not None and now < self._fresh_until(document) + self._policy.stale_seconds:
            return self._renew_if_free(wish) or document
        newer = self._renew(wish)
        if newer is None:
            self._check_tried(wish)
            raise DocumentUnavailable(f"{url[:200]!r} cannot be had")
        return newer

    def newer(self, document: Document[T], *, not_before: int = 0) -> Document[T] | None:
        """A newer one than *document*, which lacks something; ``None`` in its cool-down, or if the fetch fails.

        :raises FetchBusy: Other fetches leave no room to fetch it now.
        :raises StoreUnavailable: The store did not answer.
        """
        return self._renew(_Wish(document.url, document, not_before))

    def _load(self, url: str) -> StoredDocument | None:
        return self._store.load(DocumentKey(self._kind, url))

    def _fresh_until(self, document: Document[T]) -> int:
        return min(document.fresh_until, document.fetched_at + self._policy.max_seconds)

    def _renew_if_free(self, wish: _Wish[T]) -> Document[T] | None:
        """Try to replace a document that can still be used, unless another thread does so or no slot is free."""
        if self._flights.is_under_way(wish.url):
            return None
        with suppress(FetchBusy):
            newer = self._fly(wish)
            return newer if wish.is_met_by(newer) else None
        return None

    def _renew(self, wish: _Wish[T]) -> Document[T] | None:
        """Get the document that is wished for; this may wait for another thread or worker."""
        newer = self._fly(wish)
        if newer is None:
            newer = self._await_other_worker(wish)
        # What another thread fetched for all may be too old for this caller.
        return newer if wish.is_met_by(newer) else None

    def _fly(self, wish: _Wish[T]) -> Document[T] | None:
        """Fetch; one thread of this process fetches for all of them."""
        return self._flights.run(wish.url, lambda: self._claim_and_fetch(wish), waiting=lambda: self._wait_for(wish))

    def _wait_for(self, wish: _Wish[T]) -> AbstractContextManager[None]:
        """A slot for a thread that waits for another one's fetch."""
        return self._take_slot(None, is_known=wish.seen is not None)

    def _claim_and_fetch(self, wish: _Wish[T]) -> Document[T] | None:
        """Fetch if this worker gets the claim; ``None``: too early, another worker fetches, or the fetch failed."""
        url, stored, now = wish.url, self._load(wish.url), clock.now()
        if wish.is_met_by(document := self._parse(stored)):
            return document
        not_before = now - self._policy.cooldown_seconds
        # Checked first, because a claim is a write, also when it comes too early.
        if stored is not None and stored.attempted_at > not_before:
            return None
        is_new = stored is None or stored.body is None
        # Somebody may make up slow URLs at a host: they must not block the documents that clients publish there.
        with self._take_slot(host_of(url), is_known=not is_new):
            if is_new:
                self._admit(url)
            claimed_at = max(now, wish.not_before + 1)
            key = DocumentKey(self._kind, url)
            return (
                self._fetch(key, claimed_at) if self._store.claim(key, now=claimed_at, not_before=not_before) else None
            )

    def _fetch(self, key: DocumentKey, claimed_at: int) -> Document[T] | None:
        """Fetch a claimed document and save it; ``None`` if it cannot be used."""
        url = key.url
        try:
            with outside_budget():  # a fetch has its own deadline
                fetched = self._fetcher.fetch(url)
            value = self._value_of(url, fetched.text, fetched.members)
        except (FetchProblem, ValueError) as problem:
            log.warning("%r is not used: %s", url[:200], problem)
            self._store.fail(key, claimed_at=claimed_at)
            return None
        except FetchBusy:
            self._store.release(key)
            raise
        policy = self._policy
        wished = policy.max_seconds if fetched.fresh_for is None else fetched.fresh_for
        fresh_until = clock.now() + min(max(wished, policy.min_seconds), policy.max_seconds)
        self._store.save(key, fetched.text, fetched_at=claimed_at, fresh_until=fresh_until)
        return self._parsed.keep(url, Document(url, value, fetched.text, claimed_at, fresh_until))

    def _await_other_worker(self, wish: _Wish[T]) -> Document[T] | None:
        """Wait for another worker's fetch. Without this, a new client's first requests fail on all workers but one."""
        stored = self._load(wish.url)
        if wish.is_met_by(document := self._parse(stored)) or not self._may_be_under_way(stored):
            return document
        with self._wait_for(wish):
            for _ in range(self._policy.fetch_seconds * _POLLS_A_SECOND):
                stored = self._load(wish.url)
                if wish.is_met_by(document := self._parse(stored)):
                    return document
                if not self._may_be_under_way(stored):
                    break
                with outside_budget():
                    self._wait(1 / _POLLS_A_SECOND)
        return None

    def _may_be_under_way(self, stored: StoredDocument | None) -> bool:
        """Whether another worker may be fetching the document now."""
        if stored is None:
            return False
        has_ended = max(stored.fetched_at, stored.failed_at) >= stored.attempted_at
        return not has_ended and clock.now() <= stored.attempted_at + self._policy.fetch_seconds

    def _check_tried(self, wish: _Wish[T]) -> None:
        """Refuse with 503 if the caller only has to wait for the cool-down; otherwise the document cannot be fetched.

        :raises FetchBusy: The last fetch began too early for this caller, and its cool-down is not over.
        """
        stored = self._load(wish.url)
        if stored is not None and stored.attempted_at <= wish.not_before:
            left = stored.attempted_at + self._policy.cooldown_seconds - clock.now()
            raise FetchBusy(
                f"{wish.url[:200]!r} is in its cool-down", cause="fetch_cooldown", retry_after_seconds=max(1, left)
            )

    def _parse(self, stored: StoredDocument | None) -> Document[T] | None:
        """Make a document from what the store has; the same object as before if nothing has changed."""
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
        """The value of a text; the same object as before if the text is the same."""
        known = self._parsed.get(url)
        if known is not None and known.text == text:
            return known.value
        return self._read(url, jose.load_json_object(text, "document") if members is None else members)
