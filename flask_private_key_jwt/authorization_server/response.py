"""Step 7: the answer. JSON, ``no-store``; a refusal's reason goes to the log and the signal (RFC 6749 §5)."""

from collections.abc import Mapping
from typing import Any

from authlib.oauth2 import OAuth2Error

from .. import errors
from ..errors import OAuthError
from ..signals.refusal import NO_STORE, REFERENCE_HEADER, Answer


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

    :param reference: The id under which the log has the reason.
    """
    headers = NO_STORE[1:]
    return Answer(status, None, headers if reference is None else (*headers, (REFERENCE_HEADER, reference)))


def inactive_response(reference: str) -> Answer:
    """The same answer of introspection for every token that the caller may not know about (RFC 7662 §2.2).

    :param reference: The id under which the log has the reason.
    """
    return Answer(200, {"active": False}, (*NO_STORE, (REFERENCE_HEADER, reference)))


def translate(error: OAuth2Error) -> OAuthError:
    """Turn an error of Authlib or of an application's own grant into one that has our public sentence.

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
