"""The steps of a request to a protected view; steps 1 to 6 use up nothing.

No framework is known here. What may have to wait is awaited: :mod:`.waiting` says how, for threads and for event loops.
"""

from collections.abc import Coroutine, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from time import perf_counter
from typing import Any

from ..database.deadline import request_budget
from ..dpop.proof import DPoPProof, ProofChecker
from ..errors import (
    ConfigurationError,
    InvalidDPoPProof,
    InvalidToken,
    OAuthError,
    TemporarilyUnavailable,
    UseDPoPNonce,
)
from ..operations.readiness import ReadinessCheck
from ..replay.base import AsyncReplayStore, Replayed, ReplayStore
from ..settings.resource import ResourceSettings
from ..signals.events import CallAdmitted, find_announcer
from ..signals.metering import Caches, Meter, Observer
from ..signals.refusal import Answer, attributed_to, error_response
from ..tokens.scope_matching import ScopeMatcher
from ..tokens.verification import AccessToken, IssuerKeys, OwnKeys, TokenVerifier
from .admission import Admission, find_admission, remember_admission
from .call import Call
from .challenge import Challenger
from .credentials import Credentials, Scheme, find_scheme, read_credentials
from .online import OnlineCheck
from .own_server import SERVER_KEY, OwnServer
from .readiness import build_checks
from .requirement import Requirement
from .target_uri import Target
from .waiting import InThisThread, Waiting

UNAUTHORIZED = (InvalidDPoPProof, UseDPoPNonce)
"""Refusals that are 400 at the token endpoint and 401 at an API (RFC 9449 §7.1, §9)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of a request to a protected view."""

    refusal: Answer | None = None
    """The answer to a request that is refused; ``None``: it is let in."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers to add to the answer of the view."""


LET_IN = Entry()


@dataclass(frozen=True, slots=True)
class Guard:
    """Everything that ``init_app`` built to protect one app."""

    settings: ResourceSettings
    tokens: TokenVerifier
    proofs: ProofChecker
    target: Target
    fetched_keys: IssuerKeys
    stored_replay: ReplayStore | AsyncReplayStore | None
    """The store that ``OAUTH2_REPLAY_STORE`` names; ``None`` if it is that of the authorization server in the app."""
    online: OnlineCheck
    challenger: Challenger
    extensions: Mapping[str, Any]
    """The app's extensions; the authorization server may be added to them later."""
    name: str = "resource"
    """The ``endpoint`` of a refusal, in the log and the signal."""
    meter: Meter = field(default_factory=Meter)
    waiting: Waiting = field(default_factory=InThisThread)
    scope_matchers: Sequence[ScopeMatcher] = ()
    """The application's, also those that it registers later."""

    # --- the table of contents ------------------------------------------------------------------------------
    async def admit(self, call: Call, requirement: Requirement, *, served: Sequence[Scheme]) -> Admission:
        """Check a request that must have credentials.

        :param served: The schemes that the view accepts.
        :raises OAuthError: The request is refused.
        """
        credentials = read_credentials(call, served=served)  # 1 read the token and the proof
        issuer = self.find_issuer()
        token = await self.waiting.verify(self.tokens, credentials.token, self._find_keys(issuer))  # 2 verify the token
        with attributed_to(token.client_id):
            requirement.check_binding(token, credentials.scheme)  # 3 is it sent under the scheme it was issued for?
            proof = self._check_proof(credentials, token, call)  # 4 does the caller hold its key?
            requirement.check_scope(token, self.scope_matchers)  # 5 does it allow this view?
            if requirement.online or issuer is not None:
                await self._check_revocation(token, credentials, online=requirement.online)  # 6 is it still active?
            if proof is not None:
                await self._remember(proof)  # 7 use up the proof; nothing is used up before this line
        return Admission(self, token, credentials, online=requirement.online)

    async def admit_again(self, admission: Admission, requirement: Requirement) -> None:
        """Check a request that another requirement let in already, as for a view in a protected blueprint.

        Its proof was used up then, and is not checked again.

        :raises OAuthError: The request is refused after all.
        """
        token = admission.token
        with attributed_to(token.client_id):
            requirement.check_again(token, admission.credentials.scheme, self.scope_matchers)
            if requirement.online and not admission.online:
                await self._check_revocation(token, admission.credentials, online=True)
                admission.online = True

    def enter(
        self, call: Call, requirement: Requirement, *, notes: MutableMapping[str, Any], sender: object
    ) -> Coroutine[Any, Any, Entry]:
        """Let a request in, or refuse it. A caller's input never raises.

        :param notes: What the framework keeps about the request: its WSGI environment or ASGI scope. The admission is
            noted there, and an earlier one is found there.
        :param sender: The sender of the signals.
        """
        entering = self._enter(call, requirement, notes, sender)
        observer = self.meter.observer
        return entering if observer is None else self._measure(entering, observer)

    async def _measure(self, entering: Coroutine[Any, Any, Entry], observer: Observer) -> Entry:
        started = perf_counter()
        entry = await entering
        observer.note_request(self.name, perf_counter() - started, refused=entry.refusal is not None)
        return entry

    async def _enter(
        self, call: Call, requirement: Requirement, notes: MutableMapping[str, Any], sender: object
    ) -> Entry:
        served: Sequence[Scheme] = ()
        headers: tuple[tuple[str, str], ...] = ()
        try:
            requirement = self.tighten(requirement)
            served = requirement.schemes(with_dpop=self.find_replay_store() is not None)
            if earlier := find_admission(notes, by=self):
                with request_budget(self.settings.STORE_TIMEOUT_SECONDS):
                    await self.admit_again(earlier, requirement)
            elif call.authorization is not None or not requirement.optional:
                with request_budget(self.settings.STORE_TIMEOUT_SECONDS):
                    admission = await self.admit(call, requirement, served=served)
                remember_admission(notes, admission)
                headers = self._hand_out_nonce(admission)
                self._announce(admission.token, sender)
        except OAuthError as error:
            return Entry(self._refuse(error, call, requirement, served, sender))
        except ConfigurationError as error:  # the operator's mistake, not the caller's: the log says what to do
            wrong = TemporarilyUnavailable(f"set up wrongly: {error}", cause="setup_wrong")
            return Entry(refuse(wrong, endpoint=self.name, sender=sender))
        return Entry(headers=headers) if headers else LET_IN

    def check_setup(self, requirement: Requirement) -> None:
        """Check that this app is able to do what a view requires.

        :raises ConfigurationError: It is not; the message says what to set.
        """
        self.tighten(requirement).schemes(with_dpop=self.find_replay_store() is not None)
        if requirement.online and self.find_issuer() is None:
            self.online.prepare()

    @property
    def caches(self) -> Caches:
        """The caches of this process."""
        return {"api_proof_keys": [self.proofs.cache], "access_tokens": [self.tokens.cache]}

    def readiness_checks(self) -> Mapping[str, ReadinessCheck]:
        """What the API needs in order to answer calls: a name -> a function that raises if it is not there.

        What it has from the authorization server in the same app is that server's to check.
        """
        return build_checks(
            self.settings,
            find_replay=None if self.find_own_server() else self.find_replay_store,
            keys=None if self.find_issuer() else self.fetched_keys,
        )

    def turn_away(self, error: OAuthError, call: Call, requirement: Requirement, *, sender: object) -> Answer:
        """Refuse a request that was let in, for a reason that the view found."""
        requirement = self.tighten(requirement)
        served = requirement.schemes(with_dpop=self.find_replay_store() is not None)
        return self._refuse(error, call, requirement, served, sender)

    def tighten(self, requirement: Requirement) -> Requirement:
        """A view's requirement under the profile: ``fapi2`` (§5.3.4) and ``atproto`` take bound tokens only."""
        return require_bound(requirement) if self.settings.PROFILE in ("fapi2", "atproto") else requirement

    def _refuse(
        self, error: OAuthError, call: Call, requirement: Requirement, served: Sequence[Scheme], sender: object
    ) -> Answer:
        challenges = self.challenger.build(error, requirement, served=served, used=find_scheme(call))
        return refuse(error, challenges, endpoint=self.name, sender=sender)

    # --- the steps --------------------------------------------------------------------------------------------
    def _check_proof(self, credentials: Credentials, token: AccessToken, call: Call) -> DPoPProof | None:
        if credentials.scheme == "Bearer":
            return None
        if credentials.proof is None:
            raise InvalidDPoPProof("no DPoP proof", cause="proof_missing")
        proof = self.proofs.check(
            credentials.proof,
            method=call.method,
            url=self.target.build(call),
            ath=token.ath,
            jkt=token.jkt,
        )
        if proof.thumbprint != token.jkt:
            raise InvalidToken("the proof is made with another key than the token's", cause="proof_key_mismatch")
        return proof

    async def _check_revocation(self, token: AccessToken, credentials: Credentials, *, online: bool) -> None:
        server = self.find_issuer()
        if server is not None:  # even without online=True, because it costs no HTTP request
            if server.is_revoked(token.claims):
                raise InvalidToken("the token was revoked, or its client is removed or disabled", cause="token_revoked")
            # is_revoked also notices changed signing keys. So verify again: the token's key may be retired by now.
            self.tokens.verify(credentials.token, OwnKeys(server.verification_keys, server.newest_verification_keys))
        elif online:
            await self.waiting.check_online(self.online, credentials.token, token)

    async def _remember(self, proof: DPoPProof) -> None:
        replay = self.find_replay_store()
        assert replay is not None  # without a store, the DPoP scheme is not accepted
        try:
            await self.waiting.remember(replay, proof.marks, self.meter)
        except Replayed as replayed:
            raise InvalidDPoPProof(str(replayed), cause=replayed.cause) from None

    def _hand_out_nonce(self, admission: Admission) -> tuple[tuple[str, str], ...]:
        """Headers with a new nonce, so that the next request need not be refused first (RFC 9449 §8.2, §9)."""
        nonce = self.proofs.new_nonce() if admission.credentials.scheme == "DPoP" else None
        # A cache would give out old nonces (RFC 9449 §8.2).
        return () if nonce is None else (("DPoP-Nonce", nonce), ("Cache-Control", "no-store"))

    def _announce(self, token: AccessToken, sender: object) -> None:
        announcer = find_announcer(sender)
        if announcer.wants(CallAdmitted):
            claims, scope = token.claims, token.claims.get("scope")
            announcer.tell(
                CallAdmitted(
                    endpoint=self.name,
                    client_id=token.client_id,
                    subject=claims.get("sub"),
                    scope=tuple(scope.split()) if isinstance(scope, str) else (),
                    jti=claims.get("jti"),
                    jkt=token.jkt,
                )
            )

    # --- what may come from the authorization server in the same app ------------------------------------------
    def find_own_server(self) -> OwnServer | None:
        """The authorization server in the same app, if there is one by now."""
        return self.extensions.get(SERVER_KEY)

    def find_replay_store(self) -> ReplayStore | AsyncReplayStore | None:
        """Where used proofs are remembered; ``None`` if nowhere: then no proof can be accepted.

        :raises ConfigurationError: The setting refers to a database that this app does not have.
        """
        if server := self.find_own_server():
            return server.replay
        if self.settings.REPLAY_STORE == "sql":
            raise ConfigurationError(
                "OAUTH2_REPLAY_STORE is sql, which means the database of the authorization server in the same app, "
                "and this app is none. Set a redis:// or SQLAlchemy URL."
            )
        return self.stored_replay

    def find_issuer(self) -> OwnServer | None:
        """The authorization server in the same app, if it is the issuer of the tokens that this API accepts."""
        server = self.find_own_server()
        return server if server is not None and server.settings.ISSUER == self.settings.ISSUER else None

    def _find_keys(self, issuer: OwnServer | None) -> IssuerKeys:
        return OwnKeys(issuer.verification_keys, issuer.newest_verification_keys) if issuer else self.fetched_keys


@cache
def require_bound(requirement: Requirement) -> Requirement:
    """The same requirement, for bound tokens only. Cached: there are as many as views, and each call asks."""
    return replace(requirement, dpop="required")


def refuse(error: OAuthError, challenges: Sequence[str] = (), *, endpoint: str, sender: object) -> Answer:
    """Report a refusal to the log and the signal, and return the answer."""
    answer = error_response(error, endpoint=endpoint, sender=sender)
    status = 401 if isinstance(error, UNAUTHORIZED) else answer.status
    headers = (*answer.headers, *(("WWW-Authenticate", challenge) for challenge in challenges))
    return Answer(status, answer.body, headers)
