"""Ask the issuer whether a token is still active (RFC 7662), which its signature cannot tell. Without an answer, the
request is refused."""

from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from .. import clock
from ..errors import ConfigurationError, InvalidToken, TemporarilyUnavailable
from ..fetching.single_flight import SingleFlight
from ..jose.jose import Claims, JoseProblem, require_audience
from ..settings.resource import ResourceSettings
from ..tokens.verification import AccessToken
from .issuer_pause import PAUSE_SECONDS, IssuerPause
from .verdicts import KnownVerdicts, Verdict

if TYPE_CHECKING:
    from ..client.errors import IntrospectionError
    from ..client.introspection import Introspection
    from ..fetching.discovery import DiscoveryError

NO_CLIENT = (
    "A view asks the issuer about tokens (online=True), but this application is no client there. Register it, with "
    "OAUTH2_RESOURCE in its introspection_resources, and set OAUTH2_CLIENT_ID and OAUTH2_CLIENT_KEY (the path of its "
    "private key). In an app that is also the authorization server, call its init_app first."
)

REVOKED_SECONDS = 60
"""How long an inactive token is refused without asking again. Not for ever: revocation is final, but the issuer also
says "inactive" if its operator forgot to let this API ask about the token, and the operator can correct that."""

_SAME = ("iss", "sub", "client_id", "jti", "cnf")
"""Members that must be equal in the answer and in the token, if the answer has them; so must ``aud``, in any order."""


class Introspector(Protocol):
    """The part of :class:`~flask_private_key_jwt.client.IntrospectionClient` that is used here."""

    def introspect(self, token: str, token_type_hint: str | None = None) -> "Introspection":
        """Ask what the issuer knows about a token."""


class OnlineCheck:
    """Asks an issuer in another app about tokens that passed every other check; safe for many threads.

    If several threads need to know about one token, one of them asks for all. The answer is reused for a while.

    :param settings: The API's settings.
    :param client: The API's client at its issuer. Default: made from the settings at first use.
    """

    def __init__(self, settings: ResourceSettings, client: Introspector | None = None) -> None:
        self._settings = settings
        self._client = client
        self._known = KnownVerdicts()
        self._pause = IssuerPause()
        self._flights: SingleFlight[Verdict] = SingleFlight()

    def prepare(self) -> Introspector:
        """The API's client at its issuer, made at first use.

        :raises ConfigurationError: The settings of this client are missing or wrong.
        """
        if self._client is None:  # two threads may both make one; either can be used
            self._client = _build_client(self._settings)
        return self._client

    def check(self, text: str, token: AccessToken) -> None:
        """Check that a token is still active.

        :param text: The token as it was sent.
        :param token: The same token, verified.
        :raises InvalidToken: The issuer says that it is not active.
        :raises TemporarilyUnavailable: The issuer does not answer, refuses to, or its answer is about another token.
        :raises ConfigurationError: As :meth:`prepare`.
        """
        digest = name_token(text)
        verdict = self.find(digest) or self.ask(digest, text, token)
        verdict.check()

    def find(self, digest: str) -> Verdict | None:
        """What the issuer said about a token a moment ago.

        :param digest: The token's name, by :func:`name_token`.
        """
        return self._known.find(digest)

    def ask(self, digest: str, text: str, token: AccessToken) -> Verdict:
        """What the issuer says about a token now; nothing that it says, or fails to say, raises.

        :raises ConfigurationError: As :meth:`prepare`.
        """
        client = self.prepare()
        if failure := self._pause.find_failure():
            now = clock.now()
            reason = f"the issuer was not asked again so soon: {failure}"
            return Verdict(now, now, TemporarilyUnavailable, reason, cause="issuer_paused")
        return self._flights.run(digest, lambda: self._ask(client, digest, text, token))

    def _ask(self, client: Introspector, digest: str, text: str, token: AccessToken) -> Verdict:
        # Another thread may have got the answer since this thread looked.
        verdict = self._known.find(digest)
        if verdict is None:
            verdict = self._judge(client, text, token)
            self._known.add(digest, verdict)
        return verdict

    def _judge(self, client: Introspector, text: str, token: AccessToken) -> Verdict:
        # Imported here: otherwise a token server, which never asks, would also load requests (5 MB).
        from ..client.errors import IntrospectionError
        from ..fetching.discovery import DiscoveryError

        now, answers = clock.now(), self._pause.answers  # before the question: the answer may be as old as that
        try:
            answer = client.introspect(text, token_type_hint="access_token")  # noqa: S106  # a kind of token, not one
        except (DiscoveryError, IntrospectionError) as error:
            return self._judge_failure(error, now, answers)
        self._pause.note_answer()
        if not answer.active:
            reason = (
                "the issuer says that the token is not active: it counts no longer, or the issuer does not let "
                f"{self._settings.CLIENT_ID!r} introspect tokens for {self._settings.RESOURCE!r}"
            )
            return Verdict(now, now + REVOKED_SECONDS, InvalidToken, reason, cause="token_inactive")
        if differing := _find_difference(answer.claims, token.claims):
            reason = f"the issuer's answer is about another token: its {differing} differs"
            return Verdict(now, now + PAUSE_SECONDS, TemporarilyUnavailable, reason, cause="issuer_answer_mismatch")
        return Verdict(now, min(now + self._settings.INTROSPECTION_CACHE_SECONDS, token.valid_until))

    def _judge_failure(self, error: "DiscoveryError | IntrospectionError", now: int, answers: int) -> Verdict:
        reason = f"the issuer does not say whether the token still counts: {error}"
        if _may_be_the_tokens_doing(error):  # no pause, so that requests with other tokens are not refused
            self._pause.note_answer()
            return Verdict(now, now + PAUSE_SECONDS, TemporarilyUnavailable, reason, cause="issuer_undecided")
        self._pause.note_failure(str(error), answers=answers)
        return Verdict(now, now, TemporarilyUnavailable, reason, cause="issuer_unavailable")


def name_token(text: str) -> str:
    """The name of a token, so that no copy of it stays in memory."""
    return sha256(text.encode()).hexdigest()


def _build_client(settings: ResourceSettings) -> Introspector:
    if settings.CLIENT_ID is None or settings.CLIENT_KEY is None:
        raise ConfigurationError(NO_CLIENT)
    from ..client.introspection import IntrospectionClient  # loaded only where it is used

    try:
        return IntrospectionClient(
            settings.ISSUER,
            settings.CLIENT_ID,
            key=settings.CLIENT_KEY,
            key_password=settings.CLIENT_KEY_PASSWORD,
            timeout=settings.HTTP_TIMEOUT_SECONDS,
            proxies=settings.proxies,
            ca_bundle=settings.CA_BUNDLE,
        )
    except ConfigurationError as error:
        raise ConfigurationError(f"OAUTH2_CLIENT_KEY is not accepted: {error}") from None


def _may_be_the_tokens_doing(error: "DiscoveryError | IntrospectionError") -> bool:
    """Whether the issuer works, and may have a problem with this token only, such as its length."""
    about_us = getattr(error, "error", None) in ("invalid_client", "unauthorized_client")
    return getattr(error, "status", None) in (200, 400, 413) and not about_us


def _find_difference(said: Mapping[str, Any], claims: Claims) -> str | None:
    """The first member of the answer that differs from the token; a member that the answer does not have is skipped."""
    for name in _SAME:
        if name in said and said[name] != claims.get(name):
            return name
    if "aud" in said and _find_audiences(said) != _find_audiences(claims):
        return "aud"
    return None


def _find_audiences(members: Claims) -> frozenset[str] | None:
    try:
        return frozenset(require_audience(members))
    except JoseProblem:
        return None
