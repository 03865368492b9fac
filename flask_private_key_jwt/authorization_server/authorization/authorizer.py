"""From an authorization request to a code: push, open, check, issue."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ... import clock
from ...dpop.proof import DPoPProof
from ...errors import (
    ConfigurationError,
    InvalidRequest,
    InvalidRequestURI,
    UnprotectedRequest,
)
from ...jose.derived import Secrets
from ...replay.base import CHALLENGE, Mark, Replayed, ReplayStore, remember_once
from ...settings.server import ServerSettings
from ...signals.refusal import attributed_to
from ...tokens.scope_matching import ScopeMatcher
from ...tokens.verification import IssuerKeys
from ..redirect_uri import is_claimed
from ..registered_client import RegisteredClient, is_client_id
from ..stores.contracts import ClientStore
from ..stores.granted import AuthorizationStore, Consent, Granted, PushedRequest, StoredCode
from ..tokens.id_token import read_id_token_hint
from .atproto import CHALLENGE_SECONDS, check_account, check_atproto
from .decided_codes import DecidedCodes
from .interaction import Person
from .parameters import AuthorizationRequest, Parameters, check_request, collect
from .push_quota import PushQuota
from .pushed_request import (
    Reference,
    bind_to_proof,
    build_parameters,
    check_no_request_uri,
    is_request_uri,
    new_request_uri,
)
from .request_object import RequestObjects
from .response import ResponseTarget, name_place
from .target import check_target
from .usable_client import load_usable

STAND_INS = ("request_uri", "request")
"""The parameters that replace all others (RFC 9101 §5)."""


@dataclass(frozen=True, slots=True)
class OpenedRequest:
    """A request from a browser, with the checked place for its answer; the rest is not checked yet."""

    client: RegisteredClient
    parameters: Parameters
    target: ResponseTarget
    request_uri: str | None = field(repr=False)
    """The ``request_uri``, if the request was pushed."""
    request: str | None = field(repr=False)
    """The request object, if the client sent one. Without either, the parameters are in the URL."""

    @property
    def stand_in(self) -> dict[str, str]:
        """The parameter that replaces all others (RFC 9101 §5), and its value; empty if there is none."""
        both = {"request_uri": self.request_uri, "request": self.request}
        return {name: value for name, value in both.items() if value is not None}


class Authorizer:
    """What the authorization endpoint and PAR do, without HTTP.

    :param settings: The server's settings.
    :param clients: Finds the registered client.
    :param objects: Reads request objects.
    :param store: Keeps pushed requests, codes and consents.
    :param own_keys: This server's own public keys, which verify an ``id_token_hint``.
    :param app_secrets: The application's secrets.
    :param push_quota: Says whether one more request may be pushed.
    :param replay: Remembers every ``code_challenge`` that got a code, if the profile wants that.
    """

    def __init__(
        self,
        settings: ServerSettings,
        clients: ClientStore,
        objects: RequestObjects,
        store: AuthorizationStore,
        *,
        own_keys: IssuerKeys,
        app_secrets: Secrets,
        push_quota: PushQuota,
        replay: ReplayStore,
        scope_matchers: Sequence[ScopeMatcher] = (),
    ) -> None:
        self._settings = settings
        self._clients = clients
        self._objects = objects
        self._store = store
        self.decided_codes = DecidedCodes(store, app_secrets)
        self._push_quota = push_quota
        self._replay = replay
        self._scope_matchers = scope_matchers
        self._read_hint = partial(read_id_token_hint, issuer=settings.ISSUER, keys=own_keys)

    def push(
        self,
        form: Parameters,
        client: RegisteredClient,
        proof: DPoPProof | None,
        *,
        client_jkt: str | None = None,
        address: str | None = None,
    ) -> Reference:
        """Check a request in full and keep it (RFC 9126 §2).

        :param form: The parameters. If a request object is among them, only the object counts (RFC 9126 §3).
        :param proof: The request's proof: the code will be bound to its key (RFC 9449 §10.1).
        :param client_jkt: Thumbprint of the key with which the client authenticated; ``None``: it used none.
        :param address: The caller's address.
        :raises OAuthError: The request is not acceptable.
        :raises TooManyRequests: Too many requests wait already.
        :raises StoreUnavailable: The database did not answer.
        """
        now, lifetime = clock.now(), self._settings.PUSHED_REQUEST_LIFETIME_SECONDS
        parameters = form
        check_no_request_uri(form.get("request_uri"))
        if (request := form.get("request")) is not None:
            signed = self._objects.read(request, client)
            parameters, lifetime = signed.parameters, min(lifetime, signed.expires_at - now)
        self._objects.check_signed(parameters, client)
        checked = self._check(parameters, client, check_target(parameters, client, self._settings))
        jkt = bind_to_proof(checked.dpop_jkt, proof.thumbprint if proof else None)
        kept = build_parameters(replace(checked, dpop_jkt=jkt, client_jkt=client_jkt), signed=parameters.signed)
        reference = Reference(new_request_uri(), lifetime)
        pushed_by = self._push_quota.check(client, address)
        pushed = PushedRequest(client.client_id, kept.to_json(), now + lifetime, pushed_by=pushed_by)
        self._store.push(reference.request_uri, pushed)
        return reference

    def open(
        self, pairs: Sequence[tuple[str, str]], *, is_open: Callable[[str], bool], deciding: bool = False
    ) -> OpenedRequest:
        """Find the request that a browser brings, and where its answer may go.

        :param pairs: The parameters of the URL, or of the form.
        :param is_open: Whether this browser opened a ``request_uri`` or ``request`` before it expired.
        :param deciding: Whether a decision is posted; the same decision may have used the pushed request before.
        :raises OAuthError: It is refused before there is a place to send the answer to: the person sees a page
            (RFC 9700 §4.11).
        :raises StoreUnavailable: The database did not answer.
        """
        names = collect(pairs, only=("client_id", *STAND_INS))
        client = load_usable(self._clients, names.get("client_id"), public_allowed=self._settings.PROFILE != "fapi2")
        request_uri, request = (names.get(name) for name in STAND_INS)
        with attributed_to(client.client_id):
            if request_uri is not None and request is not None:
                raise InvalidRequest(
                    "a request_uri and a request in one request", cause="request_ambiguous"
                )  # RFC 9101 §5
            if request_uri is not None:
                parameters = self._load_pushed(request_uri, client, is_open=is_open(request_uri), deciding=deciding)
            elif self._settings.REQUIRE_PUSHED_AUTHORIZATION_REQUESTS or client.require_pushed_authorization_requests:
                raise UnprotectedRequest("the request was not pushed", cause="request_not_pushed")
            elif request is not None:
                parameters = self._objects.read(request, client, in_progress=is_open(request)).parameters
            else:
                parameters = collect(pairs)
            # Both checked once more for a pushed request: the client may have changed since (RFC 9126 §2.4).
            self._objects.check_signed(parameters, client)
            return OpenedRequest(
                client, parameters, check_target(parameters, client, self._settings), request_uri, request
            )

    def check(self, opened: OpenedRequest) -> AuthorizationRequest:
        """Check the rest of a request.

        :raises OAuthError: It is refused; the client is told, at the request's target.
        """
        with attributed_to(opened.client.client_id):
            return self._check(opened.parameters, opened.client, opened.target)

    def find_consent(self, client: RegisteredClient, target: ResponseTarget, person: Person) -> Consent | None:
        """What the person allowed *client* before, as far as it still counts.

        Whoever takes a stranger's domain over has its document and its keys. So a consent to such a client ends after
        a time, and is for the place of the answer that the person saw.

        :raises StoreUnavailable: The database did not answer.
        """
        place = self._find_place(client, target)
        consent = self._store.find_consent(client.client_id, person.subject, place=place)
        if consent is None or place is None:
            return consent
        is_over = clock.is_over(consent.given_at + self._settings.CLIENT_ID_CONSENT_SECONDS)
        return None if is_over else consent

    def remember_consent(self, request: AuthorizationRequest, person: Person) -> None:
        """Add what the person allows now to what they allowed before.

        :raises StoreUnavailable: The database did not answer.
        """
        after = Consent(frozenset(request.scope), frozenset(request.resources), clock.now())
        before = self.find_consent(request.client, request.target, person)
        if before is not None and not after.covers(tuple(before.scope), tuple(before.resources)):
            # What the page does not show now keeps its time.
            after = Consent(before.scope | after.scope, before.resources | after.resources, before.given_at)
        place = self._find_place(request.client, request.target)
        self._store.save_consent(request.client.client_id, person.subject, after, place=place)

    def _find_place(self, client: RegisteredClient, target: ResponseTarget) -> str | None:
        """The place that a consent to a stranger's document is for; ``None``: the client is not one.

        On the person's own device it is always the same one, whatever the port.
        """
        if client.registered_by != "document" or not self._settings.takes_any_document:
            return None
        return name_place(target.redirect_uri) if is_claimed(target.redirect_uri) else ""

    def issue_code(
        self,
        request: AuthorizationRequest,
        person: Person,
        *,
        request_uri: str | None,
        granted_at: int,
        decision_token: str | None = None,
    ) -> str:
        """Make a code for what the person allowed; this uses the pushed request (RFC 9126 §4).

        :param granted_at: When the person allowed it: a time before their consent was read, in seconds since the epoch.
        :param decision_token: The token of the decision, if the person was asked. The same decision gives the same code
            while it can be redeemed, and another code after that: a button may be pressed twice, and nobody knows which
            of the two answers the browser follows.
        :raises InvalidRequest: Under ``atproto``, the ``code_challenge`` was used before.
        :raises InvalidRequestURI: The pushed request was used before.
        :raises InteractionRefused: The decision was made before, and its code has expired.
        :raises ConfigurationError: The person has the id of a client.
        :raises StoreUnavailable: The database or the replay store did not answer.
        """
        self._check_subject(person)
        if self._settings.PROFILE == "atproto":
            self._use_challenge(request, request_uri)
        granted = Granted(
            grant_id=secrets.token_urlsafe(16),
            client_id=request.client.client_id,
            subject=person.subject,
            scope=request.scope,
            resources=request.resources,
            auth_time=person.auth_time,
            granted_at=granted_at,
            client_jkt=request.client_jkt,
        )
        stored = StoredCode(
            granted=granted,
            redirect_uri=request.target.redirect_uri,
            code_challenge=request.code_challenge,
            dpop_jkt=request.dpop_jkt,
            expires_at=clock.now() + self._settings.CODE_LIFETIME_SECONDS,
            nonce=request.nonce,
        )
        if decision_token is not None:
            return self.decided_codes.add(decision_token, stored, request_uri=request_uri)
        code = secrets.token_urlsafe(32)
        if not self._store.add_code(code, stored, reference=request_uri):
            raise InvalidRequestURI(
                "the request_uri was used before", cause="request_uri_used", client_id=request.client.client_id
            )
        return code

    def refuse(self, opened: OpenedRequest, *, again: bool = False) -> None:
        """Use a pushed request without making a code, because its client is sent an error.

        :param again: Whether it may have been used before, because the person decided twice.
        :raises InvalidRequestURI: It was used before.
        :raises StoreUnavailable: The database did not answer.
        """
        if opened.request_uri is not None and not self._store.use_pushed(opened.request_uri) and not again:
            raise InvalidRequestURI(
                "the request_uri was used before", cause="request_uri_used", client_id=opened.client.client_id
            )

    def check_account(self, person: Person) -> None:
        """Check that a request can be answered for this person at all, before they are asked.

        :raises UnusableAccount: Under ``atproto``, their id is not a DID.
        """
        if self._settings.PROFILE == "atproto":
            check_account(person.subject)

    def _check_subject(self, person: Person) -> None:
        """Keep people and clients apart: a client that acts for itself has its own id as ``sub`` (RFC 9700 §4.15)."""
        if is_client_id(person.subject) and self._clients.is_taken(person.subject):
            raise ConfigurationError(f"The id of a user, {person.subject!r}, is also a client_id: one of them must go.")

    def _check(self, parameters: Parameters, client: RegisteredClient, target: ResponseTarget) -> AuthorizationRequest:
        checked = check_request(
            parameters,
            client,
            target,
            settings=self._settings,
            read_hint=self._read_hint,
            scope_matchers=self._scope_matchers,
        )
        return check_atproto(parameters, checked) if self._settings.PROFILE == "atproto" else checked

    def _use_challenge(self, request: AuthorizationRequest, request_uri: str | None) -> None:
        """Refuse a ``code_challenge`` for which another request of the client got a code in the last 24 hours.

        Not when a request is pushed: anybody can push, and every challenge is kept for a day.
        """
        now, client_id, challenge = clock.now(), request.client.client_id, request.code_challenge
        mark = Mark(CHALLENGE, self._settings.ISSUER, client_id, challenge, now + CHALLENGE_SECONDS, now)
        of_this_request = mark._replace(jti=f"{challenge} {request_uri}")
        try:
            remember_once(self._replay, [mark, of_this_request])
        except Replayed as replayed:
            if not self._is_kept(of_this_request):  # it is when the button was pressed twice
                raise InvalidRequest(
                    "the code_challenge was used before", cause=replayed.cause, client_id=client_id
                ) from None

    def _is_kept(self, mark: Mark) -> bool:
        """Whether the replay store has *mark*. If not, it keeps it until this second is over."""
        try:
            remember_once(self._replay, [mark._replace(until=clock.now())])
        except Replayed:
            return True
        return False

    def _load_pushed(self, request_uri: str, client: RegisteredClient, *, is_open: bool, deciding: bool) -> Parameters:
        if not is_request_uri(request_uri):
            # Never quoted in the reason: it may be one of ours with characters added, which is not used yet.
            raise InvalidRequestURI(
                f"a request_uri of {len(request_uri)} characters is not one of ours", cause="request_uri_malformed"
            )
        pushed = self._store.find_pushed(request_uri)
        if pushed is None or pushed.client_id != client.client_id:
            raise InvalidRequestURI(
                "the request_uri is unknown" if pushed is None else "the request_uri is another's",
                cause="request_uri_unknown" if pushed is None else "request_uri_foreign",
            )
        if pushed.used and not (is_open and deciding):
            raise InvalidRequestURI("the request_uri was used before", cause="request_uri_used")
        # It has to be opened in time; the person may take longer to sign in (RFC 9126 §2.2).
        if clock.is_over(pushed.expires_at) and not is_open:
            raise InvalidRequestURI("the request_uri is expired", cause="request_uri_expired")
        return Parameters.from_json(pushed.parameters)
