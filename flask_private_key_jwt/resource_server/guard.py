"""The steps of a request to a protected view; steps 1 to 6 use up nothing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import flask

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
from ..events import ANNOUNCER_KEY, Announcer, CallAdmitted
from ..metering import Caches, Meter
from ..readiness import ReadinessCheck
from ..refusal import attributed_to, error_response
from ..replay.base import Replayed, ReplayStore, remember_once
from ..settings.resource import ResourceSettings
from ..tokens.verification import AccessToken, IssuerKeys, OwnKeys, TokenVerifier
from .admission import Admission, find_admission, remember_admission
from .challenge import Challenger
from .credentials import Credentials, Environ, Scheme, find_scheme, read_credentials
from .online import OnlineCheck
from .own_server import SERVER_KEY, OwnServer
from .readiness import build_checks
from .requirement import Requirement
from .target_uri import Target

EXTENSION_KEY = "private_key_jwt_resource"

UNAUTHORIZED = (InvalidDPoPProof, UseDPoPNonce)
"""Refusals that are 400 at the token endpoint and 401 at an API (RFC 9449 §7.1, §9)."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Everything that ``init_app`` built to protect one app."""

    settings: ResourceSettings
    tokens: TokenVerifier
    proofs: ProofChecker
    target: Target
    fetched_keys: IssuerKeys
    stored_replay: ReplayStore | None
    """The store that ``OAUTH2_REPLAY_STORE`` names; ``None`` if it is that of the authorization server in the app."""
    online: OnlineCheck
    challenger: Challenger
    extensions: Mapping[str, Any]
    """The app's extensions; the authorization server may be added to them later."""
    name: str = "resource"
    """The ``endpoint`` of a refusal, in the log and the signal."""
    meter: Meter = field(default_factory=Meter)

    # --- the table of contents ------------------------------------------------------------------------------
    def admit(self, environ: Environ, requirement: Requirement, *, served: Sequence[Scheme]) -> Admission:
        """ReadinessCheck a request that must have credentials.

        :param served: The schemes that the view accepts.
        :raises OAuthError: The request is refused.
        """
        credentials = read_credentials(environ, served=served)  # 1 read the token and the proof
        token = self.tokens.verify(credentials.token, self._find_keys())  # 2 verify the token
        with attributed_to(token.client_id):
            requirement.check_binding(token, credentials.scheme)  # 3 is it sent under the scheme it was issued for?
            proof = self._check_proof(credentials, token, environ)  # 4 does the caller hold its key?
            requirement.check_scope(token)  # 5 does it allow this view?
            self._check_revocation(token, credentials, online=requirement.online)  # 6 is it still active?
            self._remember(proof)  # 7 use up the proof; nothing is used up before this line
        return Admission(self, token, credentials, online=requirement.online)

    def admit_again(self, admission: Admission, requirement: Requirement) -> None:
        """ReadinessCheck a request that another requirement let in already, as for a view in a protected blueprint.

        Its proof was used up then, and is not checked again.

        :raises OAuthError: The request is refused after all.
        """
        token = admission.token
        with attributed_to(token.client_id):
            requirement.check_again(token, admission.credentials.scheme)
            if requirement.online and not admission.online:
                self._check_revocation(token, admission.credentials, online=True)
                admission.online = True

    def enter(self, request: flask.Request, requirement: Requirement) -> flask.Response | None:
        """Let a request in and return ``None``, or refuse it and return the answer. A caller's input never raises."""
        observer = self.meter.observer
        if observer is None:
            return self._enter(request, requirement)
        started = perf_counter()
        refusal = self._enter(request, requirement)
        observer.note_request(self.name, perf_counter() - started, refused=refusal is not None)
        return refusal

    def _enter(self, request: flask.Request, requirement: Requirement) -> flask.Response | None:
        environ = request.environ
        served: Sequence[Scheme] = ()
        try:
            requirement = self.tighten(requirement)
            served = requirement.schemes(with_dpop=self.find_replay_store() is not None)
            if earlier := find_admission(environ, by=self):
                with request_budget(self.settings.STORE_TIMEOUT_SECONDS):
                    self.admit_again(earlier, requirement)
            elif "HTTP_AUTHORIZATION" in environ or not requirement.optional:
                with request_budget(self.settings.STORE_TIMEOUT_SECONDS):
                    admission = self.admit(environ, requirement, served=served)
                remember_admission(environ, admission)
                self._hand_out_nonce(admission)
                self._announce(admission.token)
        except OAuthError as error:
            return self._refuse(error, environ, requirement, served)
        except ConfigurationError as error:  # the operator's mistake, not the caller's: the log says what to do
            return refuse(TemporarilyUnavailable(f"set up wrongly: {error}", cause="setup_wrong"), endpoint=self.name)
        return None

    def check_setup(self, requirement: Requirement) -> None:
        """ReadinessCheck that this app is able to do what a view requires.

        :raises ConfigurationError: It is not; the message says what to set.
        """
        self.tighten(requirement).schemes(with_dpop=self.find_replay_store() is not None)
        if requirement.online and self._find_issuer() is None:
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
            keys=None if self._find_issuer() else self.fetched_keys,
        )

    def turn_away(self, error: OAuthError, environ: Environ, requirement: Requirement) -> flask.Response:
        """Refuse a request that was let in, for a reason that the view found."""
        requirement = self.tighten(requirement)
        served = requirement.schemes(with_dpop=self.find_replay_store() is not None)
        return self._refuse(error, environ, requirement, served)

    def tighten(self, requirement: Requirement) -> Requirement:
        """A view's requirement under the profile: ``fapi2`` takes bound tokens only (§5.3.4)."""
        return replace(requirement, dpop="required") if self.settings.PROFILE == "fapi2" else requirement

    def _refuse(
        self, error: OAuthError, environ: Environ, requirement: Requirement, served: Sequence[Scheme]
    ) -> flask.Response:
        challenges = self.challenger.build(error, requirement, served=served, used=find_scheme(environ))
        return refuse(error, challenges, endpoint=self.name)

    # --- the steps --------------------------------------------------------------------------------------------
    def _check_proof(self, credentials: Credentials, token: AccessToken, environ: Environ) -> DPoPProof | None:
        if credentials.scheme == "Bearer":
            return None
        if credentials.proof is None:
            raise InvalidDPoPProof("no DPoP proof", cause="proof_missing")
        proof = self.proofs.check(
            credentials.proof,
            method=environ["REQUEST_METHOD"],
            url=self.target.build(environ),
            access_token=credentials.token,
            jkt=token.jkt,
        )
        if proof.thumbprint != token.jkt:
            raise InvalidToken("the proof is made with another key than the token's", cause="proof_key_mismatch")
        return proof

    def _check_revocation(self, token: AccessToken, credentials: Credentials, *, online: bool) -> None:
        server = self._find_issuer()
        if server is not None:  # even without online=True, because it costs no HTTP request
            if server.is_revoked(token.claims):
                raise InvalidToken("the token was revoked, or its client is removed or disabled", cause="token_revoked")
            # is_revoked also notices changed signing keys. So verify again: the token's key may be retired by now.
            self.tokens.verify(credentials.token, OwnKeys(server.verification_keys))
        elif online:
            self.online.check(credentials.token, token)

    def _remember(self, proof: DPoPProof | None) -> None:
        if proof is None:
            return
        replay = self.find_replay_store()
        assert replay is not None  # without a store, the DPoP scheme is not accepted
        try:
            remember_once(replay, proof.marks, self.meter)
        except Replayed as replayed:
            raise InvalidDPoPProof(str(replayed), cause=replayed.cause) from None

    def _hand_out_nonce(self, admission: Admission) -> None:
        """Add a new nonce to the answer, so that the next request need not be refused first (RFC 9449 §8.2, §9)."""
        nonce = self.proofs.new_nonce() if admission.credentials.scheme == "DPoP" else None
        if nonce is None:
            return

        @flask.after_this_request
        def add_nonce(response: flask.Response) -> flask.Response:
            response.headers["DPoP-Nonce"] = nonce
            response.headers["Cache-Control"] = "no-store"  # a cache would give out old nonces (RFC 9449 §8.2)
            return response

    def _announce(self, token: AccessToken) -> None:
        announcer: Announcer | None = self.extensions.get(ANNOUNCER_KEY)
        if announcer is not None and announcer.wants(CallAdmitted):
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

    def find_replay_store(self) -> ReplayStore | None:
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

    def _find_issuer(self) -> OwnServer | None:
        """The authorization server in the same app, if it is the issuer of the tokens that this API accepts."""
        server = self.find_own_server()
        return server if server is not None and server.settings.ISSUER == self.settings.ISSUER else None

    def _find_keys(self) -> IssuerKeys:
        server = self._find_issuer()
        return OwnKeys(server.verification_keys) if server else self.fetched_keys


def current_guard() -> Guard:
    """The guard of the current app.

    :raises ConfigurationError: ``init_app`` was not called on the app.
    """
    guard = flask.current_app.extensions.get(EXTENSION_KEY)
    if not isinstance(guard, Guard):
        raise ConfigurationError("A view is protected, but ResourceProtector().init_app(app) was not called.")
    return guard


def refuse(error: OAuthError, challenges: Sequence[str] = (), *, endpoint: str = "resource") -> flask.Response:
    """Report a refusal to the log and the signal, and return the answer.

    A response, not an exception, so that the app's error handlers, which make pages for people, do not change it.
    """
    app = flask.current_app._get_current_object()  # type: ignore[attr-defined]
    answer = error_response(error, endpoint=endpoint, sender=app)
    status = 401 if isinstance(error, UNAUTHORIZED) else answer.status
    headers = [*answer.headers, *(("WWW-Authenticate", challenge) for challenge in challenges)]
    return flask.Response(json.dumps(answer.body), status, headers)
