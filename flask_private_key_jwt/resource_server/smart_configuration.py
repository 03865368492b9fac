"""``/.well-known/smart-configuration``, which SMART clients read first (SMART App Launch 2.2, Conformance).

It stands below the base URL of a FHIR server, which is an API, and below the issuer. It says what the metadata document
of RFC 8414 says about the authorization server, and which capabilities of SMART there are. No framework is needed here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any
from urllib.parse import unquote

from .. import clock
from ..errors import TemporarilyUnavailable
from ..fetching.discovery import DiscoveryError, ServerMetadata, fetch_metadata
from ..fetching.outbound import build_outbound
from ..settings.resource import ResourceSettings
from ..url import find_web_url
from .issuer_pause import IssuerPause

PATH = "/.well-known/smart-configuration"
OPENID_CAPABILITY = "sso-openid-connect"
COPIED = (
    "authorization_endpoint",
    "token_endpoint",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "grant_types_supported",
    "registration_endpoint",
    "scopes_supported",
    "response_types_supported",
    "introspection_endpoint",
    "revocation_endpoint",
    "code_challenge_methods_supported",
)
"""Members that mean the same in both documents."""
OF_OPENID = ("issuer", "jwks_uri")
"""Members that stand there only with the capability ``sso-openid-connect``."""

Document = Mapping[str, Any]


def build_smart_configuration(metadata: Document, capabilities: Sequence[str]) -> dict[str, Any]:
    """The document, made from the server's metadata.

    :param metadata: The metadata document of the authorization server (RFC 8414 §2).
    :param capabilities: ``OAUTH2_SMART_CAPABILITIES``.
    """
    names = (*OF_OPENID, *COPIED) if OPENID_CAPABILITY in capabilities else COPIED
    return {
        "code_challenge_methods_supported": ["S256"],  # required, also where nobody signs in
        **{name: metadata[name] for name in names if metadata.get(name)},
        "capabilities": list(capabilities),
    }


def find_paths(settings: ResourceSettings) -> list[str]:
    """The paths of an API's document: below its ``OAUTH2_RESOURCE``, as seen from outside and from the app.

    They differ if the app is mounted below a path, which is then the path of ``OAUTH2_EXTERNAL_URL``. Empty if the
    resource is not a URL.
    """
    resource = find_web_url(settings.RESOURCE)
    if resource is None:
        return []
    path = resource.path.rstrip("/")
    outside = find_web_url(settings.EXTERNAL_URL or "")
    mount = outside.path.rstrip("/") if outside else ""
    inside = path.removeprefix(mount) if f"{path}/".startswith(f"{mount}/") else path
    return list(dict.fromkeys(unquote(each + PATH) for each in (path, inside)))


@dataclass(frozen=True, slots=True)
class _Snapshot:
    metadata: Document
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

    def load(self) -> Document:
        """The document. An old one is used only while the issuer does not answer.

        :raises TemporarilyUnavailable: The issuer does not answer, and there is no old document.
        """
        known = self._find(self._settings.JWKS_CACHE_SECONDS)
        if known is not None:
            return known
        old = self._find(self._settings.JWKS_CACHE_SECONDS + self._settings.JWKS_STALE_SECONDS)
        # One thread fetches. The others use the old document meanwhile; if there is none, they wait.
        if not self._fetching.acquire(blocking=old is None):
            assert old is not None
            return old
        try:
            return self._find(self._settings.JWKS_CACHE_SECONDS) or self._try_fetch(keep=old)
        finally:
            self._fetching.release()

    def _find(self, longest: int) -> Document | None:
        snapshot = self._snapshot
        return None if snapshot is None or clock.now() - snapshot.fetched_at >= longest else snapshot.metadata

    def _try_fetch(self, *, keep: Document | None) -> Document:
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
