"""The ``request_uri`` of a pushed request (RFC 9126 §2.2)."""

import secrets
from dataclasses import dataclass, field

from ...errors import InvalidDPoPProof, InvalidRequest
from .parameters import RESPONSE_TYPE, AuthorizationRequest, Parameters

PREFIX = "urn:ietf:params:oauth:request_uri:"


@dataclass(frozen=True, slots=True)
class Reference:
    """What a client gets for a request it pushed."""

    request_uri: str = field(repr=False)
    expires_in: int
    """How long it can be opened in a browser, in seconds."""


def new_request_uri() -> str:
    """A ``request_uri`` that nobody can guess: 256 bits (RFC 9126 §7.1)."""
    return PREFIX + secrets.token_urlsafe(32)


def is_request_uri(text: str) -> bool:
    """Whether *text* has the form of our ``request_uri``; any other is refused, never fetched (RFC 9126 §5)."""
    return text.startswith(PREFIX) and len(text) == len(PREFIX) + 43


def bind_to_proof(dpop_jkt: str | None, thumbprint: str | None) -> str | None:
    """The key that a code is bound to: ``dpop_jkt``, or the key of the pushed request's proof (RFC 9449 §10.1).

    :raises InvalidDPoPProof: There are both, and they differ.
    """
    if dpop_jkt is not None and thumbprint is not None and dpop_jkt != thumbprint:
        raise InvalidDPoPProof("dpop_jkt is not the thumbprint of the proof's key", cause="dpop_jkt_mismatch")
    return dpop_jkt or thumbprint


def build_parameters(request: AuthorizationRequest, *, signed: bool) -> Parameters:
    """Turn a checked request into parameters again, so that only checked values of limited length are kept.

    Anybody can send a request for a public client, so nothing is kept as it was sent.

    :param signed: Whether the request was signed; its client may need that when it is opened (RFC 9101 §10.5).
    """
    values = {
        "response_type": RESPONSE_TYPE,
        "response_mode": request.target.response_mode,
        "redirect_uri": request.target.redirect_uri,
        "scope": " ".join(request.scope),
        "state": request.target.state,
        "code_challenge": request.code_challenge,
        "code_challenge_method": "S256",
        "dpop_jkt": request.dpop_jkt,
        "prompt": " ".join(sorted(request.prompt)),
        "max_age": None if request.max_age is None else str(request.max_age),
        "login_hint": request.login_hint,
        "nonce": request.nonce,
        "ui_locales": " ".join(request.ui_locales),
    }
    kept = {name: value for name, value in values.items() if value}
    return Parameters(
        kept,
        request.resources,
        signed=signed,
        hinted_subject=request.hinted_subject,
        client_jkt=request.client_jkt,
    )


def check_no_request_uri(request_uri: str | None) -> None:
    """Refuse a pushed request that has a ``request_uri`` itself (RFC 9126 §2.1).

    :raises InvalidRequest: It has one.
    """
    if request_uri is not None:
        raise InvalidRequest("a request_uri in a pushed request", cause="request_uri_pushed")
