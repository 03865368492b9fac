"""Verify a client assertion (RFC 7521 §4.2, RFC 7523 §3, draft-ietf-oauth-rfc7523bis, OpenID Connect Core §9).

Which key signed it is the business of ``private_key_jwt.py`` and ``client_secret_jwt.py``; all other rules are here,
and the same for both. Nothing is spent here: the assertion's ``jti`` is returned as a mark, and step 4 remembers it.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple

from ... import clock
from ...bounded_cache import BoundedCache
from ...errors import ForeignAuthorization, InvalidClient, InvalidRequest
from ...jose import jose
from ...replay.base import ASSERTION, Mark
from ...signals.refusal import attributed_to
from ..client_lookup import NotAdmitted, load_enabled
from ..keys.client_secrets import UsedSecret
from ..registered_client import RegisteredClient
from ..request import FormRequest
from ..stores.contracts import ClientStore
from .assertion_claims import EXPLICIT_TYPE, check_audience, check_life
from .base import AuthenticationParts

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ACCEPTED_TYPES = frozenset({None, "jwt", EXPLICIT_TYPE})
HEADER_CACHE_SIZE = 2048
HEADER_CACHE_BYTES = 1 << 20
HEADER_GROWTH = 9
"""Assumed memory of a header and of what it says, in bytes for each of its characters."""


class VerifiedAssertion(NamedTuple):
    """An assertion that passed every check, but is not spent yet."""

    client: RegisteredClient
    method: str
    """The method of authentication: who may have signed."""
    marks: tuple[Mark, ...]
    """What the replay store must remember before the assertion counts."""
    thumbprint: str | None = None
    """RFC 7638 SHA-256 thumbprint of the client's key that signed, base64url; ``None``: a secret signed."""
    secret: UsedSecret | None = None
    """The secret that signed; ``None``: a key signed."""


AssertionSigner = str | UsedSecret
"""What signed an assertion: a key, by its thumbprint, or a secret."""

FindAssertionSigner = Callable[[jose.JWT, RegisteredClient, int], AssertionSigner]
"""An assertion, the client that it names, and the time -> which of the client's keys signed it.

:raises JoseProblem: None did.
:raises InvalidClient: The client has another method.
"""


def has_assertion(request: FormRequest) -> bool:
    """Whether *request* holds a client assertion."""
    return request.get("client_assertion") is not None


class AssertionChecker:
    """Checks assertions, the same way at every endpoint and for every kind of key.

    :param parts: What a method can be built from.
    :param method: The name of the method.
    :param clients: Finds the clients that may use it.
    :param algs: The accepted algorithms.
    :param find_signer: Finds the key that signed.
    """

    def __init__(
        self,
        parts: AuthenticationParts,
        *,
        method: str,
        clients: ClientStore,
        algs: Collection[str],
        find_signer: FindAssertionSigner,
    ) -> None:
        self._settings = parts.settings
        self._token_url = parts.token_url
        self._meter = parts.meter
        self._method = method
        self._clients = clients
        self._algs = algs
        self._find_signer = find_signer
        # A client's assertions usually begin with the same header. Only those of clients that have authenticated are
        # kept, so that strangers cannot fill the memory.
        self._headers: BoundedCache[str, jose.Claims] = BoundedCache(
            max_entries=HEADER_CACHE_SIZE, max_bytes=HEADER_CACHE_BYTES
        )

    def verify(self, request: FormRequest) -> VerifiedAssertion:
        """Find out which client made the request.

        :raises InvalidRequest: The request tries more than one method (RFC 6749 §2.3).
        :raises InvalidClient: The assertion is absent or does not prove who the client is.
        :raises StoreUnavailable: The clients cannot be read.
        """
        text = _one_assertion(request)
        head = text.partition(".")[0]
        known_header = self._headers.get(head)
        try:
            jwt = self._parse(text, known_header)
            client = self._load_client(jwt.claims, request)
        except jose.JoseProblem as problem:
            raise problem.as_refusal(InvalidClient, "assertion") from None
        with attributed_to(client.client_id):
            verified = self._check(jwt, client, request)
        if known_header is None:
            self._headers.keep(head, jwt.header, weight=HEADER_GROWTH * len(head))
        return verified

    def _check(self, jwt: jose.JWT, client: RegisteredClient, request: FormRequest) -> VerifiedAssertion:
        now, settings = clock.now(), self._settings
        try:
            signer = self._find_signer(jwt, client, now)
            self._note_clock(jwt.claims, now=now)
            check_audience(jwt, client, settings, endpoints=(self._token_url, request.url))
            used_from, until = check_life(jwt.claims, client, settings, now=now)
            jti = jose.require_jti(jwt.claims)
        except jose.JoseProblem as problem:
            raise problem.as_refusal(InvalidClient, "assertion") from None
        mark = Mark(ASSERTION, settings.ISSUER, client.client_id, jti, until, used_from)
        if isinstance(signer, str):
            return VerifiedAssertion(client, self._method, (mark,), thumbprint=signer)
        return VerifiedAssertion(client, self._method, (mark,), secret=signer)

    def _note_clock(self, claims: jose.Claims, *, now: int) -> None:
        observer = self._meter.observer
        if observer is not None and (issued := jose.read_date(claims, "iat")) is not None:
            observer.note_clock("assertion", issued - now)

    def _parse(self, assertion: str, known_header: jose.Claims | None) -> jose.JWT:
        settings = self._settings
        jwt = jose.read(
            assertion,
            typ=ACCEPTED_TYPES,
            algs=self._algs,
            max_bytes=settings.ASSERTION_MAX_BYTES,
            known_header=known_header,
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
                f"iss {jose.shorten(issuer)} is not sub {jose.shorten(subject)}",
                cause="iss_not_sub",
                details={"expected": f"iss {subject}", "received": f"iss {issuer}"},
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
