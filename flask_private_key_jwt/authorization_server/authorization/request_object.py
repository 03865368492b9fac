"""Request objects (RFC 9101): an authorization request as a JWT that the client signed, sent by value.

Only the parameters inside count, not those beside it (§6.3). Its lifetime and audience follow FAPI 2.0 Message Signing
§5.3.1. A client may sign its assertions with the same key: ``typ``, ``sub`` and the required parameters tell the two
apart (§10.8).
"""

import json
import math
from dataclasses import dataclass
from typing import Any, Protocol

from ... import clock
from ...errors import InvalidRequestObject, UnprotectedRequest
from ...jose import jose
from ...settings.server import ServerSettings
from ..client_auth.signature import ClientSignatures, NotSigned
from ..keys.client_keys import ClientKey
from ..registered_client import RegisteredClient
from .parameters import KNOWN, Parameters

TYP = "oauth-authz-req+jwt"
ACCEPTED_TYPES = frozenset({None, "jwt", TYP})
"""The ``typ`` of a request object. Many clients leave it out or say JWT; any other is another kind of JWT."""
LONGEST_SECONDS = 3600
"""Longest time from ``nbf`` to ``exp``, and so the longest time since ``nbf`` (FAPI 2.0 Message Signing §5.3.1)."""
OBJECTS = ("claims", "registration")
"""Parameters that are JSON objects in a request object, and JSON in a string elsewhere (OpenID Connect Core §6.1)."""


@dataclass(frozen=True, slots=True)
class RequestObject:
    """A request object that was verified; the parameters in it are not checked yet."""

    parameters: Parameters
    expires_at: int
    """Its ``exp``, in seconds since the epoch."""


class NotesKeyUse(Protocol):
    """The part of :class:`~..keys.client_key_use.ClientKeyUse` that is called here."""

    def note(self, client: RegisteredClient, thumbprint: str) -> None:
        """Note that a key of *client* signed a request object that was accepted."""


class RequestObjects:
    """Reads the request objects of clients.

    :param settings: The server's settings.
    :param signatures: Says which of a client's keys signed.
    :param key_use: Notes which key signed.
    """

    def __init__(self, settings: ServerSettings, signatures: ClientSignatures, key_use: NotesKeyUse) -> None:
        self._settings = settings
        self._signatures = signatures
        self._key_use = key_use

    def check_signed(self, parameters: Parameters, client: RegisteredClient) -> None:
        """Refuse a request that must be signed and is not (RFC 9101 §10.5).

        This is checked before anything else: the ``redirect_uri`` of an unsigned request cannot be trusted either.

        :raises UnprotectedRequest: It must be signed, and is not.
        """
        required = self._settings.REQUIRE_SIGNED_REQUESTS or client.require_signed_request_object
        if required and not parameters.signed:
            raise UnprotectedRequest("the request is not signed", cause="request_not_signed")

    def read(self, text: str, client: RegisteredClient, *, in_progress: bool = False) -> RequestObject:
        """Read a request object (RFC 9101 §6).

        :param text: The ``request`` parameter.
        :param client: The client that must have made it.
        :param in_progress: This browser opened it before it expired; signing in may take longer than its lifetime.
        :raises InvalidRequestObject: It is malformed, expired, for another server, or not what this client signed.
        :raises StoreUnavailable: The client's keys cannot be read.
        """
        now = clock.now()
        try:
            jwt = self._parse(text)
            _check_client(jwt.claims, client)
            key = self._check_signature(jwt, client, now=now)
            # It may have other audiences too (RFC 9101 §4): another server that gets it cannot authenticate with it.
            jose.check_audience(jwt.claims, self._settings.ISSUER)
            expires = _check_life(jwt.claims)
            if not in_progress:
                # The client's clock may be fast. But an exp in the past is never accepted (late=0), because a pushed
                # request can be opened until its exp.
                jose.check_times(jwt.claims, now=now, skew=self._settings.CLOCK_SKEW_SECONDS, late=0)
            parameters = _read_parameters(jwt.claims)
        except jose.JoseProblem as problem:
            raise problem.as_refusal(InvalidRequestObject, "request object") from None
        self._key_use.note(client, key.public.thumbprint)
        return RequestObject(parameters, math.ceil(expires))

    def _parse(self, text: str) -> jose.JWT:
        settings = self._settings
        return jose.read(
            text,
            typ=ACCEPTED_TYPES,
            algs=settings.REQUEST_OBJECT_SIGNING_ALGS,
            max_bytes=settings.REQUEST_OBJECT_MAX_BYTES,
        )

    def _check_signature(self, jwt: jose.JWT, client: RegisteredClient, *, now: int) -> ClientKey:
        """RFC 9101 §6.2; only keys registered for this client count (RFC 8725 §3.10)."""
        if client.is_public:
            raise InvalidRequestObject(
                "a request object of a public client, which has no key to sign with",
                cause="request_object_public_client",
            )
        registered = client.request_object_signing_alg
        if registered is not None and jwt.alg != registered:
            raise jose.JoseProblem(
                f"alg {jwt.alg!r} is not the registered {registered!r}",
                cause="alg_not_registered",
                details={"expected": registered, "received": jwt.alg},
            )
        try:
            return self._signatures.find_signer(jwt, client, now=now)
        except NotSigned as problem:
            raise problem.as_refusal(InvalidRequestObject, "request object") from None


def _check_client(claims: jose.Claims, client: RegisteredClient) -> None:
    """Refuse another client's object (RFC 9126 §3), and an assertion (RFC 9101 §10.8)."""
    jose.check_claim(claims, "client_id", client.client_id)
    if "iss" in claims:
        jose.check_claim(claims, "iss", client.client_id)
    if claims.get("sub") == client.client_id:
        raise jose.JoseProblem("sub is the client_id, as in a client assertion", cause="sub")


def _check_life(claims: jose.Claims) -> float:
    """Refuse an object whose ``exp`` is too long after its ``nbf``; return the ``exp``.

    :raises JoseProblem: The time is too long, or a claim is missing.
    """
    expires = jose.require_date(claims, "exp")
    if expires > jose.require_date(claims, "nbf") + LONGEST_SECONDS:
        raise jose.JoseProblem(f"exp is more than {LONGEST_SECONDS} s after nbf", cause="lives_too_long")
    return expires


def _read_parameters(claims: jose.Claims) -> Parameters:
    """The parameters in it, as a form would have them; unknown claims are ignored (RFC 9101 §4)."""
    for name in ("request", "request_uri"):
        if name in claims:
            raise jose.JoseProblem(f"holds {name!r}, which stands for another one", cause="nested")
    values = {name: _read_parameter(name, claims[name]) for name in (*KNOWN, *OBJECTS) if name in claims}
    resource = claims.get("resource", [])
    resources = [_read_text("resource", item) for item in (resource if isinstance(resource, list) else [resource])]
    return Parameters(values, tuple(item for item in resources if item), signed=True)


def _read_parameter(name: str, value: Any) -> str:
    if name in OBJECTS:
        if not isinstance(value, dict):
            raise jose.JoseProblem(f"{name} is not a JSON object", cause=f"{name}_not_object")
        return json.dumps(value)
    if name == "max_age" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _read_text(name, value)


def _read_text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise jose.JoseProblem(f"{name} is not a text", cause=f"{name}_not_text")
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON can contain a lone surrogate, which no URL and no database can hold
        raise jose.JoseProblem(f"{name} is not Unicode", cause=f"{name}_not_unicode") from None
    return value
