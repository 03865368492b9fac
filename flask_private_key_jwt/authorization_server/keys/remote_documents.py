"""Documents that clients publish, kept for all workers: fresh for a while, fetched by one, served for some time after.

A fetch is claimed in the store before it is made, so that however many workers and callers want it, a document is asked
for at most once in each cool-down, whether it comes or not. No thread waits for one without a slot. An API, whose one
issuer its operator named, needs none of that: see ``resource_server/issuer_keys.py``.
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
"""Makes something of a URL and the JSON object at it; raises ``ValueError`` when that is no document of the kind."""
TakeSlot = Callable[[str | None], AbstractContextManager[None]]
"""Gives a slot to a thread that asks this host for something nobody had before; ``None``: it asks for something known,
or waits for another thread. Raises ``FetchBusy``."""


class Fetcher(Protocol):
    """What :class:`~.safe_fetch.SafeFetcher` does."""

    def fetch(self, url: str) -> FetchedDocument:
        """Get the JSON object at *url*.

        :raises FetchProblem: There is none.
        :raises FetchBusy: It was not asked for.
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
    fetch_seconds: int = 5
    """The longest time a fetch may take, and so the longest wait for one that another worker makes."""


def cache_policy(settings: ServerSettings) -> CachePolicy:
    """The policy that *settings* ask for."""
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
    """What was made of it; the same object for as long as its text stays the same."""
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
    """What a caller wants: a document other than the one it has seen, fetched after a moment."""

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

    :param kind: What they are kept as: those of another kind at the same URL are other documents.
    :param read: What it refuses counts as a failure to fetch, and never replaces a good document.
    :param size: Most documents to keep parsed in this process.
    :param max_bytes: Most bytes they may take together.
    :param take_slot: Lets a thread fetch or wait.
    :param admit: Lets a document be fetched that nobody had before; raises ``FetchBusy``.
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
        # Who asks decides whether there is a slot: one that has none left must not answer for the others.
        self._flights: SingleFlight[Document[T] | None] = SingleFlight(own=(FetchBusy,))
        self._parsed: BoundedCache[str, Document[T]] = BoundedCache(max_entries=size, max_bytes=max_bytes)

    def load(self, url: str, *, not_before: int = 0) -> Document[T]:
        """The document at *url*: the kept one while it is fresh, else a new one, else the kept one for a while.

        :param not_before: One whose fetch began no later than this is not used, in seconds since the epoch.
        :raises DocumentUnavailable: There is none, and it cannot be fetched now.
        :raises FetchBusy: There is none, and nobody has tried to fetch it because of others.
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
        """A newer one than *document*, in which something is missing; ``None`` in its cool-down, or without success.

        :raises FetchBusy: Nobody could look for one, because of others.
        :raises StoreUnavailable: The store did not answer.
        """
        return self._renew(_Wish(document.url, document, not_before))

    def _load(self, url: str) -> StoredDocument | None:
        return self._store.load(DocumentKey(self._kind, url))

    def _fresh_until(self, document: Document[T]) -> int:
        return min(document.fresh_until, document.fetched_at + self._policy.max_seconds)

    def _renew_if_free(self, wish: _Wish[T]) -> Document[T] | None:
        """Try to replace a document that still serves, unless another thread is at it or no slot is free."""
        if self._flights.is_under_way(wish.url):
            return None
        with suppress(FetchBusy):
            newer = self._fly(wish)
            return newer if wish.is_met_by(newer) else None
        return None

    def _renew(self, wish: _Wish[T]) -> Document[T] | None:
        """Get the document that is wished for, even if that means to wait for another thread or worker."""
        newer = self._fly(wish)
        if newer is None:
            newer = self._await_other_worker(wish)
        # What another thread fetched for all may be too old for this caller.
        return newer if wish.is_met_by(newer) else None

    def _fly(self, wish: _Wish[T]) -> Document[T] | None:
        """Of this process's threads, one fetches for all."""
        return self._flights.run(wish.url, lambda: self._claim_and_fetch(wish), waiting=lambda: self._take_slot(None))

    def _claim_and_fetch(self, wish: _Wish[T]) -> Document[T] | None:
        url, stored, now = wish.url, self._load(wish.url), clock.now()
        if wish.is_met_by(document := self._parse(stored)):
            return document
        not_before = now - self._policy.cooldown_seconds
        # Looked at first: a claim is a write, even one that comes too early.
        if stored is not None and stored.attempted_at > not_before:
            return None
        is_new = stored is None or stored.body is None
        # A slow URL that somebody makes up at a host must not keep from it those who publish something there.
        with self._take_slot(host_of(url) if is_new else None):
            if is_new:
                self._admit(url)
            claimed_at = max(now, wish.not_before + 1)
            key = DocumentKey(self._kind, url)
            return (
                self._fetch(key, claimed_at) if self._store.claim(key, now=claimed_at, not_before=not_before) else None
            )

    def _fetch(self, key: DocumentKey, claimed_at: int) -> Document[T] | None:
        url = key.url
        try:
            with outside_budget():  # it has a deadline of its own
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
        """Without this, of the first requests of a new client only one worker's would succeed."""
        stored = self._load(wish.url)
        if wish.is_met_by(document := self._parse(stored)) or not self._may_be_under_way(stored):
            return document
        with self._take_slot(None):
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
        if stored is None:
            return False
        has_ended = max(stored.fetched_at, stored.failed_at) >= stored.attempted_at
        return not has_ended and clock.now() <= stored.attempted_at + self._policy.fetch_seconds

    def _check_tried(self, wish: _Wish[T]) -> None:
        """Tell a client that only has to wait for the cool-down from one whose document cannot be fetched.

        :raises FetchBusy: The last fetch began too early for this caller, and its cool-down lasts.
        """
        stored = self._load(wish.url)
        if stored is not None and stored.attempted_at <= wish.not_before:
            left = stored.attempted_at + self._policy.cooldown_seconds - clock.now()
            raise FetchBusy(
                f"{wish.url[:200]!r} is in its cool-down", cause="fetch_cooldown", retry_after_seconds=max(1, left)
            )

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
