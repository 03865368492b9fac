"""The metadata of an issuer in another app, for what an API says about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from .. import clock
from ..errors import TemporarilyUnavailable
from ..fetching.discovery import DiscoveryError, ServerMetadata, fetch_metadata
from ..fetching.outbound import build_outbound
from ..settings.resource import ResourceSettings
from .issuer_pause import IssuerPause


@dataclass(frozen=True, slots=True)
class _Snapshot:
    metadata: Mapping[str, Any]
    fetched_at: int


class IssuerMetadata:
    """The metadata of an issuer in another app, fetched and cached as long as its keys are; safe for many threads.

    :param settings: The API's settings.
    :param fetch: Replaces discovery; raises :class:`DiscoveryError` if the issuer does not answer.
    :raises ConfigurationError: ``OAUTH2_PROXY`` or ``OAUTH2_CA_BUNDLE`` cannot be used.
    """

    def __init__(self, settings: ResourceSettings, fetch: Callable[[], ServerMetadata] | None = None) -> None:
        self._settings = settings
        self._fetch = fetch or _build_fetch(settings)
        self._snapshot: _Snapshot | None = None
        self._pause = IssuerPause()
        self._fetching = Lock()

    def load(self) -> Mapping[str, Any]:
        """The document. An old one is used only while the issuer does not answer.

        :raises TemporarilyUnavailable: The issuer does not answer, and there is no old document.
        """
        if (known := self.find_fresh()) is not None:
            return known
        old = self._find(self._settings.JWKS_CACHE_SECONDS + self._settings.JWKS_STALE_SECONDS)
        # One thread fetches. The others use the old document meanwhile; if there is none, they wait.
        if not self._fetching.acquire(blocking=old is None):
            assert old is not None
            return old
        try:
            return self.find_fresh() or self._try_fetch(keep=old)
        finally:
            self._fetching.release()

    def find_fresh(self) -> Mapping[str, Any] | None:
        """The document, if :meth:`load` would return it without a fetch."""
        return self._find(self._settings.JWKS_CACHE_SECONDS)

    def _find(self, longest: int) -> Mapping[str, Any] | None:
        snapshot = self._snapshot
        return None if snapshot is None or clock.now() - snapshot.fetched_at >= longest else snapshot.metadata

    def _try_fetch(self, *, keep: Mapping[str, Any] | None) -> Mapping[str, Any]:
        failure, answers = self._pause.find_failure(), self._pause.answers
        if failure is None:
            try:
                metadata = self._fetch()
                metadata.endpoint("token_endpoint")
                self._snapshot = _Snapshot(metadata.raw, clock.now())
                self._pause.note_answer()
                return metadata.raw
            except DiscoveryError as error:
                failure = str(error)
                self._pause.note_failure(failure, answers=answers)
        if keep is None:
            raise TemporarilyUnavailable(
                f"the issuer's metadata cannot be fetched: {failure}", cause="issuer_metadata_unavailable"
            )
        return keep


def _build_fetch(settings: ResourceSettings) -> Callable[[], ServerMetadata]:
    outbound = build_outbound(settings.proxies, settings.CA_BUNDLE, names=("OAUTH2_PROXY", "OAUTH2_CA_BUNDLE"))
    return lambda: fetch_metadata(settings.ISSUER, timeout=settings.HTTP_TIMEOUT_SECONDS, outbound=outbound)
