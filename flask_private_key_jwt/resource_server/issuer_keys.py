"""The keys of an issuer in another app: fetched by discovery, and cached by each process.

The authorization server fetches its clients' keys in another way (``keys/remote_documents.py``): strangers choose those
URLs, so it limits fetches across all workers, in its database. An API has one issuer, which its operator chose, and no
database.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from .. import clock
from ..errors import TemporarilyUnavailable
from ..fetching.discovery import DiscoveryError, fetch_jwks, fetch_metadata
from ..fetching.outbound import USUAL, Outbound, build_outbound
from ..settings.resource import ResourceSettings
from ..tokens.verified_tokens import Keys

log = logging.getLogger("flask_private_key_jwt")

REFETCH_SECONDS = 30
"""Shortest time between two fetches because of an unknown ``kid``, and between two attempts after a failure."""
RETRY_SECONDS = 5
"""Shortest time between two attempts after a failure, if there are no old keys to use."""
PATIENCE_SECONDS = 1.0
"""How long a token with an unknown ``kid`` waits for a fetch that another thread has started."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    keys: Keys
    fetched_at: int


class FetchedKeys:
    """The keys of an issuer in another app, by discovery (RFC 8414 §2, RFC 9068 §4); safe for many threads.

    :param settings: The API's settings.
    :param fetch: Replaces discovery and fetching; raises :class:`DiscoveryError` if the issuer does not answer.
    :raises ConfigurationError: ``OAUTH2_PROXY`` or ``OAUTH2_CA_BUNDLE`` cannot be used.
    """

    def __init__(self, settings: ResourceSettings, fetch: Callable[[], Keys] | None = None) -> None:
        self._settings = settings
        self._fetch = fetch or _build_fetch(settings)
        self._snapshot: _Snapshot | None = None
        self._failure = ""
        self._pause_until = 0
        self._refetch_from = 0
        self._fetching = Lock()

    def load(self) -> Keys:
        """See :class:`.verification.IssuerKeys`. Outdated keys are used only while the issuer does not answer."""
        if (keys := self.find_fresh()) is not None:
            return keys
        old = self.find_stale()
        # One thread fetches. The others use the old keys meanwhile; if there are none, they wait.
        if not self._fetching.acquire(blocking=old is None):
            assert old is not None
            return old
        try:
            renewed = self.find_fresh()
            return self._try_fetch(keep=old) if renewed is None else renewed
        finally:
            self._fetching.release()

    def load_newer(self, known: Keys) -> Keys:
        """See :class:`.verification.IssuerKeys`. One fetch in :data:`REFETCH_SECONDS`: anyone can invent a ``kid``."""
        if not self._fetching.acquire(timeout=PATIENCE_SECONDS):
            return known
        try:
            snapshot, _ = self._look()
            if snapshot is None or snapshot.keys is not known or clock.now() < self._refetch_from:
                return snapshot.keys if snapshot else known
            self._refetch_from = clock.now() + REFETCH_SECONDS
            return self._try_fetch(keep=snapshot.keys)
        finally:
            self._fetching.release()

    # --- for an event loop, which must not wait here --------------------------------------------------------------
    def find_fresh(self) -> Keys | None:
        """The keys, if :meth:`load` would return them without a fetch."""
        snapshot = self._snapshot
        if snapshot is None or clock.now() - snapshot.fetched_at >= self._settings.JWKS_CACHE_SECONDS:
            return None
        return snapshot.keys

    def find_stale(self) -> Keys | None:
        """The keys, if they may be used while the issuer does not answer."""
        snapshot, age = self._look()
        usable = self._settings.JWKS_CACHE_SECONDS + self._settings.JWKS_STALE_SECONDS
        return snapshot.keys if snapshot is not None and age < usable else None

    def may_refetch(self, known: Keys) -> bool:
        """Whether :meth:`load_newer` would fetch."""
        snapshot = self._snapshot
        return snapshot is not None and snapshot.keys is known and clock.now() >= self._refetch_from

    def _look(self) -> tuple[_Snapshot | None, int]:
        snapshot = self._snapshot
        return snapshot, clock.now() - snapshot.fetched_at if snapshot else 0

    def _try_fetch(self, *, keep: Keys | None) -> Keys:
        """Fetch the keys, unless that failed a moment ago. The caller holds the lock.

        :param keep: The old keys, to use if the issuer does not answer.
        :raises TemporarilyUnavailable: The issuer does not answer, and there are no old keys.
        """
        if clock.now() >= self._pause_until:
            try:
                self._snapshot = _Snapshot(self._fetch(), clock.now())
                return self._snapshot.keys
            except DiscoveryError as error:
                self._failure = str(error)
                self._pause_until = clock.now() + (RETRY_SECONDS if keep is None else REFETCH_SECONDS)
                log.warning("the keys of %s cannot be fetched: %s", self._settings.ISSUER, error)
        if keep is None:
            raise TemporarilyUnavailable(
                f"the issuer's keys cannot be fetched: {self._failure}", cause="issuer_keys_unavailable"
            )
        return keep


def _build_fetch(settings: ResourceSettings) -> Callable[[], Keys]:
    outbound = build_outbound(settings.proxies, settings.CA_BUNDLE, names=("OAUTH2_PROXY", "OAUTH2_CA_BUNDLE"))
    return lambda: fetch_keys(settings.ISSUER, timeout=settings.HTTP_TIMEOUT_SECONDS, outbound=outbound)


def fetch_keys(issuer: str, *, timeout: float, outbound: Outbound = USUAL) -> Keys:
    """Fetch the keys of *issuer*: first its metadata, then the key set at its ``jwks_uri``.

    :param timeout: Longest wait for each of the two, in seconds.
    :param outbound: The proxy and the certificate authorities to use.
    :raises DiscoveryError: The issuer does not answer, or a document is not usable.
    """
    metadata = fetch_metadata(issuer, timeout=timeout, outbound=outbound)
    return fetch_jwks(metadata.jwks_uri, timeout=timeout, outbound=outbound)
