"""Step 7: the answer. JSON, ``no-store``; a refusal's reason goes to the log and the signal (RFC 6749 §5)."""

import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oauth2 import OAuth2Error

from . import errors
from .errors import OAuthError
from .signals import request_refused

log = logging.getLogger("flask_private_key_jwt")

REFERENCE_HEADER = "Error-Reference"
NO_STORE = (("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Pragma", "no-cache"))
_LONGEST_REASON = 600
_EXPECTED = (errors.UseDPoPNonce, errors.MissingToken, errors.InactiveToken)
"""Every client's first request may be answered so (RFC 9449 §8, RFC 6750 §3.1), and every token ends: nothing to look
into."""
_UNPRINTABLE = re.compile(r"[^ -~]")
_JWT = re.compile(r"(?:(?<![\w-])|(?<=\\[abfnrtv]))e[wy][\w.-]{20,}")
"""base64url of "{" and what follows, as every JOSE header begins: at the start of a word, or after an escaped tab."""
_REQUEST_URI = re.compile(r"urn:ietf:params:oauth:request_uri:[\w-]+")
"""Who has it may open the request in the client's place, until it is used (RFC 9126 §7.1)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send: everything about an HTTP response but the framework's object."""

    status: int
    body: Mapping[str, Any] | None
    """A JSON object, or nothing."""
    headers: tuple[tuple[str, str], ...] = NO_STORE


def token_response(token: Mapping[str, Any], *, nonce: str | None = None) -> Answer:
    """The successful answer of the token endpoint (RFC 6749 §5.1).

    :param nonce: The nonce for the client's next proof, if one is required (RFC 9449 §8.2).
    """
    return Answer(200, token, (*NO_STORE, ("DPoP-Nonce", nonce)) if nonce else NO_STORE)


def pushed_response(request_uri: str, *, expires_in: int, nonce: str | None = None) -> Answer:
    """The successful answer of the pushed authorization request endpoint (RFC 9126 §2.2).

    :param expires_in: How long the ``request_uri`` waits, in seconds.
    :param nonce: The nonce for the client's next proof, if one is required.
    """
    headers = tuple((name, "no-cache, no-store" if name == "Cache-Control" else value) for name, value in NO_STORE)
    body = {"request_uri": request_uri, "expires_in": expires_in}
    return Answer(201, body, (*headers, ("DPoP-Nonce", nonce)) if nonce else headers)


def empty_response(status: int, *, reference: str | None = None) -> Answer:
    """An answer without a body.

    :param reference: The reference id of what the log says about it.
    """
    headers = NO_STORE[1:]
    return Answer(status, None, headers if reference is None else (*headers, (REFERENCE_HEADER, reference)))


def inactive_response(reference: str) -> Answer:
    """The one answer of introspection about every token that the caller need not know of (RFC 7662 §2.2).

    :param reference: The reference id of what the log says about it.
    """
    return Answer(200, {"active": False}, (*NO_STORE, (REFERENCE_HEADER, reference)))


def error_response(error: OAuthError, *, endpoint: str, sender: object) -> Answer:
    """The answer to a refused request (RFC 6749 §5.2), after its private reason went to the log and the signal.

    :param endpoint: Where it happened, e.g. ``token``.
    :param sender: The Flask app, for the signal.
    """
    reference = describe_refusal(error, endpoint=endpoint, sender=sender)
    body = {"error": error.code, "error_description": error.description}
    return Answer(error.status, body, (*error.get_headers(), (REFERENCE_HEADER, reference)))


def describe_refusal(error: OAuthError, *, endpoint: str, sender: object) -> str:
    """Log a refusal's private reason, send :data:`~flask_private_key_jwt.signals.request_refused`, and name it.

    :return: The reference id that ties the answer to the log.
    """
    reference = secrets.token_hex(8)
    # Foreign text in a reason is quoted already; this keeps it on one line and printable whatever it holds. A caller
    # may have put its assertion into another parameter, and nobody has spent it yet: it must not be read in a log.
    printable = _UNPRINTABLE.sub(_escape, error.reason[:_LONGEST_REASON])
    reason = _REQUEST_URI.sub("(a request_uri)", _JWT.sub("(a JWT)", printable))[:_LONGEST_REASON]
    level = logging.ERROR if error.status >= 500 else logging.INFO if isinstance(error, _EXPECTED) else logging.WARNING
    log.log(
        level, "%s refused: %s: %s [client %s, reference %s]", endpoint, error.code, reason, error.client_id, reference
    )
    try:
        request_refused.send(
            sender, error=error.code, reason=reason, reference=reference, endpoint=endpoint, client_id=error.client_id
        )
    except Exception:  # a listener's own defect; the caller gets the answer all the same
        log.exception("a receiver of request_refused failed [reference %s]", reference)
    return reference


def _escape(match: re.Match[str]) -> str:
    return ascii(match[0])[1:-1]


def translate(error: OAuth2Error) -> OAuthError:
    """Turn an error of Authlib or of an application's own grant into one with a public sentence of ours.

    The error code is kept; the description, which may quote the request, becomes the private reason.
    """
    if isinstance(error, OAuthError):
        return error
    reason = f"{type(error).__name__}: {error.description}"
    kind = _BY_CODE.get(error.error)
    if kind is not None:
        return kind(reason)
    foreign = ForeignError(reason)
    foreign.code = foreign.error = error.error or "invalid_request"
    return foreign


class ForeignError(OAuthError):
    """An error code that only an application's own grant knows, e.g. ``authorization_pending``."""

    description = "The request was refused."


_BY_CODE: dict[str | None, type[OAuthError]] = {
    kind.code: kind
    for kind in (
        errors.InvalidRequest,
        errors.InvalidClient,
        errors.InvalidGrant,
        errors.UnauthorizedClient,
        errors.UnsupportedGrantType,
        errors.InvalidScope,
        errors.InvalidTarget,
        errors.InvalidDPoPProof,
    )
}
