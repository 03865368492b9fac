"""Build the guard of an API from its settings, whatever framework serves it."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..dpop.nonce import Nonces
from ..dpop.proof import ProofChecker
from ..jose.derived import Secrets
from ..replay.base import AsyncReplayStore, ReplayStore, name_api
from ..settings.resource import ResourceSettings
from ..signals.metering import Meter
from ..tokens.scope_matching import ScopeMatcher
from ..tokens.verification import TokenVerifier
from .challenge import Challenger
from .guard import Guard
from .issuer_keys import FetchedKeys
from .metadata import metadata_url
from .online import OnlineCheck
from .target_uri import TargetURI
from .waiting import Waiting


def build_guard(
    settings: ResourceSettings,
    *,
    secrets: Secrets | None,
    stored_replay: ReplayStore | AsyncReplayStore | None,
    waiting: Waiting,
    extensions: Mapping[str, Any],
    scope_matchers: Sequence[ScopeMatcher],
) -> Guard:
    """Build a guard.

    :param secrets: What nonces are derived from; not used where proofs need none.
    :param stored_replay: The store that ``OAUTH2_REPLAY_STORE`` names, if it is not that of the authorization server in
        the same app.
    :param scope_matchers: The application's, also those that it registers later.
    :param extensions: Where the authorization server in the same app is, or will be.
    :raises ConfigurationError: The settings contradict each other.
    """
    target, meter = TargetURI(settings), Meter()
    if settings.REPLAY_STORE is not None:
        target.base()  # raises now, not at the first proof
    nonces = None
    if settings.DPOP_NONCE != "off":
        assert secrets is not None
        # Another purpose than the token server's, so that neither accepts a nonce of the other (RFC 9449 §9).
        nonces = Nonces(secrets, purpose="rs", lifetime=settings.DPOP_NONCE_LIFETIME_SECONDS)
    return Guard(
        settings=settings,
        tokens=TokenVerifier(
            issuer=settings.ISSUER,
            resource=settings.RESOURCE,
            algs=settings.TOKEN_SIGNING_ALGS,
            max_bytes=settings.TOKEN_MAX_BYTES,
            clock_skew=settings.CLOCK_SKEW_SECONDS,
        ),
        proofs=ProofChecker(
            settings, nonces, server=name_api(issuer=settings.ISSUER, resource=settings.RESOURCE), meter=meter
        ),
        target=target,
        fetched_keys=FetchedKeys(settings),
        stored_replay=stored_replay,
        online=OnlineCheck(settings),
        challenger=Challenger(settings.DPOP_SIGNING_ALGS, metadata_url(settings.RESOURCE)),
        extensions=extensions,
        meter=meter,
        waiting=waiting,
        scope_matchers=scope_matchers,
    )
