"""Verify a client assertion (RFC 7521 §4.2, RFC 7523 §3, draft-ietf-oauth-rfc7523bis, OpenID Connect Core §9).

Nothing is spent here: the assertion's ``jti`` is returned as a mark, and step 4 remembers it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ... import clock
from ...errors import ForeignAuthorization, InvalidClient, InvalidRequest
from ...jose import jose
from ...refusal import attributed_to
from ...replay.base import ASSERTION, Mark
from ...settings.server import ServerSettings
from ..client_lookup import NotAdmitted, load_enabled
from ..keys.client_keys import ClientKey
from ..registered_client import RegisteredClient
from ..request import FormRequest
from .assertion_claims import EXPLICIT_TYPE, check_audience, check_life
from .base import AuthenticationParts
from .signature import NotSigned

METHOD = "private_key_jwt"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ACCEPTED_TYPES = frozenset({None, "jwt", EXPLICIT_TYPE})


@dataclass(frozen=True, slots=True)
class VerifiedAssertion:
    """An assertion that passed every check, but is not spent yet."""

    client: RegisteredClient
    marks: tuple[Mark, ...]
    """What the replay store must remember before the assertion counts."""
    thumbprint: str
    """RFC 7638 SHA-256 thumbprint of the client's key that signed, base64url."""


def is_tried(request: FormRequest) -> bool:
    """Whether *request* holds a client assertion."""
    return request.get("client_assertion") is not None


def describe(settings: ServerSettings) -> Mapping[str, Any]:
    """What the metadata document says about the method (RFC 8414 §2)."""
    return {"signing_alg_values_supported": list(settings.ASSERTION_SIGNING_ALGS)}


class PrivateKeyJWTAuthentication:
    """Authenticates clients by signed JWTs, the same way at every endpoint."""

    def __init__(self, parts: AuthenticationParts) -> None:
        self._settings = parts.settings
        self._clients = parts.clients
        self._signatures = parts.signatures
        self._token_url = parts.token_url
        self._meter = parts.meter

    def verify(self, request: FormRequest) -> VerifiedAssertion:
        """Find out which client made the request.

        :raises InvalidRequest: The request tries more than one method (RFC 6749 §2.3).
        :raises InvalidClient: The assertion is absent or does not prove who the client is.
        :raises StoreUnavailable: The clients cannot be read.
        """
        try:
            jwt = self._parse(_one_assertion(request))
            client = self._load_client(jwt.claims, request)
        except jose.JoseProblem as problem:
            raise problem.as_refusal(InvalidClient, "assertion") from None
        with attributed_to(client.client_id):
            return self._check(jwt, client, request)

    def _check(self, jwt: jose.JWT, client: RegisteredClient, request: FormRequest) -> VerifiedAssertion:
        now, settings = clock.now(), self._settings
        try:
            key = self._find_key(jwt, client, now=now)
            observer = self._meter.observer
            if observer is not None and (issued := jose.read_date(jwt.claims, "iat")) is not None:
                observer.note_clock("assertion", issued - now)
            check_audience(jwt, client, settings, endpoints=(self._token_url, request.url))
            used_from, until = check_life(jwt.claims, client, settings, now=now)
            jti = jose.require_jti(jwt.claims)
        except jose.JoseProblem as problem:
            raise problem.as_refusal(InvalidClient, "assertion") from None
        mark = Mark(ASSERTION, settings.ISSUER, client.client_id, jti, until, used_from)
        return VerifiedAssertion(client, (mark,), key.public.thumbprint)

    def _parse(self, assertion: str) -> jose.JWT:
        settings = self._settings
        jwt = jose.read(
            assertion,
            typ=ACCEPTED_TYPES,
            algs=settings.ASSERTION_SIGNING_ALGS,
            max_bytes=settings.ASSERTION_MAX_BYTES,
        )
        # A request object passes through browsers. With a sub and without its typ it could be used as an assertion
        # (RFC 9101 §10.8).
        if "response_type" in jwt.claims:
            raise jose.JoseProblem("holds a response_type, as a request object does", cause="response_type")
        return jwt

    def _load_client(self, claims: jose.Claims, request: FormRequest) -> RegisteredClient:
        """RFC 7523 §3, items 1 and 2: ``iss`` and ``sub`` are the client_id of a registered client."""
        issuer, subject = jose.require_text(claims, "iss"), jose.require_text(claims, "sub")
        if issuer != subject:
            raise jose.JoseProblem(
                f"iss {jose.shorten(issuer)} is not sub {jose.shorten(subject)}", cause="iss_not_sub"
            )
        if (client_id := request.get("client_id")) not in (None, subject):
            raise InvalidClient(
                f"client_id {jose.shorten(client_id)} is not the assertion's sub {jose.shorten(subject)}",
                cause="client_id_mismatch",
            )
        try:
            return load_enabled(self._clients, subject)
        except NotAdmitted as problem:
            raise InvalidClient(str(problem), cause=problem.cause) from None

    def _find_key(self, jwt: jose.JWT, client: RegisteredClient, *, now: int) -> ClientKey:
        """RFC 7523 §3, item 9; only keys registered for this client count (RFC 8725 §3.10)."""
        if client.token_endpoint_auth_method != METHOD:
            raise InvalidClient(
                f"the client is registered for {client.token_endpoint_auth_method!r}", cause="client_auth_method"
            )
        registered = client.token_endpoint_auth_signing_alg
        if registered is not None and jwt.alg != registered:
            raise jose.JoseProblem(f"alg {jwt.alg!r} is not the registered {registered!r}", cause="alg_not_registered")
        try:
            return self._signatures.find_signer(jwt, client, now=now)
        except NotSigned as problem:
            raise problem.as_refusal(InvalidClient, "assertion") from None


def _one_assertion(request: FormRequest) -> str:
    """RFC 6749 §2.3: exactly one method in one request; RFC 7521 §4.2: the assertion and its type."""
    assertion = request.get("client_assertion")
    if assertion is None:
        refusal = ForeignAuthorization if request.has_authorization else InvalidClient
        raise refusal("no client_assertion", cause="assertion_missing")
    if request.has_authorization or request.get("client_secret") is not None:
        raise InvalidRequest(
            "a client_assertion and another way of authenticating in one request", cause="client_auth_twice"
        )
    kind = request.get("client_assertion_type")
    if kind != ASSERTION_TYPE:
        raise InvalidClient(
            f"client_assertion_type {(kind or '')[:100]!r} is not {ASSERTION_TYPE}", cause="assertion_type"
        )
    return assertion
