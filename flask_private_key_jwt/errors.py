"""Every refusal: its code, its status, the one sentence the caller reads, and the private reason.

A class has one public sentence, whatever the cause (RFC 6749 §5.2). The ``reason`` goes to the log and the
:data:`~flask_private_key_jwt.signals.request_refused` signal, together with the ``cause``: a short code for alerts and
tests, which stays the same when the reason is reworded (``docs/causes.md``). A reason quotes foreign text with ``!r``
and never contains a token, an assertion, a proof or a key.
"""

import re
from collections.abc import Mapping
from typing import Any

from authlib.oauth2 import OAuth2Error

__all__ = [
    "AccessDenied",
    "ConfigurationError",
    "ConsentRequired",
    "FetchBusy",
    "ForeignAuthorization",
    "InactiveToken",
    "InsufficientScope",
    "InteractionRefused",
    "InvalidClient",
    "InvalidClientMetadata",
    "InvalidClientSecret",
    "InvalidDPoPProof",
    "InvalidGrant",
    "InvalidRedirectURI",
    "InvalidRegistrationToken",
    "InvalidRequest",
    "InvalidRequestObject",
    "InvalidRequestURI",
    "InvalidScope",
    "InvalidTarget",
    "InvalidToken",
    "LoginRequired",
    "MethodNotAllowed",
    "MissingRegistrationToken",
    "MissingToken",
    "NotOffered",
    "OAuthError",
    "PayloadTooLarge",
    "RegistrationNotSupported",
    "ServerError",
    "StoreUnavailable",
    "TemporarilyUnavailable",
    "TooManyRequests",
    "UnapprovedSoftwareStatement",
    "UnauthenticatedCaller",
    "UnauthorizedClient",
    "UnknownClient",
    "UnprotectedRequest",
    "UnsupportedGrantType",
    "UnsupportedResponseType",
    "UnusableAccount",
    "UnusableClient",
    "UnusableRedirectURI",
    "UseDPoPNonce",
]

_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class ConfigurationError(RuntimeError):
    """The application is configured wrongly; the message says what to change. Never caused by a caller."""


class UnknownClient(LookupError):
    """No client with this id is registered. Raised by ``oauth.clients``; never shown to a caller."""


class OAuthError(OAuth2Error):  # type: ignore[misc]  # Authlib has no type hints
    """A refusal with a public face and a private reason.

    :param reason: What exactly was wrong, for the log; never shown to the caller.
    :param cause: The code of the reason, as in ``assertion_expired``; default: the name of the class, as in
        ``invalid_client``. Never shown to the caller either.
    :param client_id: The authenticated client, when there is one.
    """

    code = "invalid_request"
    status = 400
    description = "The request is malformed."
    cause = "oauth_error"
    details: Mapping[str, Any] | None = None
    """What ``flask oauth2 explain`` shows besides the reason: ``expected``, ``received``, ``seconds`` (by how much a
    time is wrong), ``made`` (how many seconds ahead the ``iat`` lies) and ``keys`` (those that were looked at). Foreign
    text in it is neither shortened nor escaped."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.cause = _WORD.sub("_", cls.__name__.replace("DPoP", "Dpop")).lower()

    def __init__(self, reason: str = "", *, cause: str | None = None, client_id: str | None = None) -> None:
        super().__init__(description=self.description, status_code=self.status, error=self.code)
        self.reason = reason
        self.client_id = client_id
        if cause is not None:
            self.cause = cause

    def get_headers(self) -> list[tuple[str, str]]:
        """The headers of the answer (RFC 6749 §5.2); subclasses add their own."""
        return [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Pragma", "no-cache")]


class InvalidRequest(OAuthError):
    """The form or the headers are malformed (RFC 6749 §5.2)."""


class UnusableClient(InvalidRequest):
    """The browser's request has no ``client_id``, or its client is unknown, disabled or not allowed here."""


class UnusableRedirectURI(InvalidRequest):
    """The client has not registered this redirect URI, or the browser cannot be sent there as the request asks."""


class UnprotectedRequest(InvalidRequest):
    """The authorization request must be signed or pushed, and is not (RFC 9101 §10.5, RFC 9126 §6)."""


class PayloadTooLarge(OAuthError):
    """The body is larger than ``OAUTH2_REQUEST_MAX_BYTES`` (RFC 9110 §15.5.14)."""

    status = 413
    description = "The request is too large."


class MethodNotAllowed(OAuthError):
    """The endpoint does not serve this HTTP method (RFC 9110 §15.5.6).

    :param allow: The methods it does serve.
    """

    status = 405
    description = "The endpoint does not support this HTTP method."

    def __init__(self, reason: str = "", *, allow: tuple[str, ...]) -> None:
        super().__init__(reason)
        self.allow = allow

    def get_headers(self) -> list[tuple[str, str]]:
        """Adds ``Allow``."""
        return [*super().get_headers(), ("Allow", ", ".join(self.allow))]


class InvalidClient(OAuthError):
    """The caller is not the client it claims to be (RFC 6749 §5.2)."""

    code = "invalid_client"
    description = "Client authentication failed."


class UnauthenticatedCaller(InvalidClient):
    """The same as :class:`InvalidClient`, at an endpoint that answers it with 401 (RFC 7662 §2.3)."""

    status = 401
    realm = "private_key_jwt is needed instead"

    def get_headers(self) -> list[tuple[str, str]]:
        """Adds the ``WWW-Authenticate`` that a 401 must have (RFC 9110 §15.5.2), for the scheme that callers use."""
        return [*super().get_headers(), ("WWW-Authenticate", f'Basic realm="{self.realm}"')]


class ForeignAuthorization(UnauthenticatedCaller):
    """The caller tried an ``Authorization`` header instead of an assertion: 401 with a challenge (RFC 6749 §5.2)."""


class InvalidClientSecret(UnauthenticatedCaller):
    """The secret in an ``Authorization`` header is not the client's: 401 with a challenge (RFC 6749 §5.2)."""

    realm = "client secret"


class InvalidGrant(OAuthError):
    """The code or refresh token is wrong, expired, used, or belongs to another client (RFC 6749 §5.2)."""

    code = "invalid_grant"
    description = "The grant is invalid, expired or revoked."


class UnauthorizedClient(OAuthError):
    """The client may not use this grant type (RFC 6749 §5.2)."""

    code = "unauthorized_client"
    description = "The client is not authorized to make this request."


class UnsupportedGrantType(OAuthError):
    """No grant is registered for this ``grant_type`` (RFC 6749 §5.2)."""

    code = "unsupported_grant_type"
    description = "The grant type is not supported."


class InvalidScope(OAuthError):
    """The scope is unknown, malformed or not registered for the client (RFC 6749 §5.2)."""

    code = "invalid_scope"
    description = "The requested scope is invalid."


class InvalidTarget(OAuthError):
    """The ``resource`` is malformed or not one this server issues tokens for (RFC 8707 §2)."""

    code = "invalid_target"
    description = "The requested resource is invalid or unknown."


class UnsupportedResponseType(OAuthError):
    """The ``response_type`` is not ``code``, the only one this server supports (RFC 6749 §4.1.2.1)."""

    code = "unsupported_response_type"
    description = "The response type is not supported."


class InvalidRequestURI(OAuthError):
    """The ``request_uri`` is unknown, expired, used, or belongs to another client (RFC 9101 §7, RFC 9126 §4)."""

    code = "invalid_request_uri"
    description = "The request_uri is invalid, expired or used."


class InvalidRequestObject(OAuthError):
    """The request object is malformed, expired, not signed by the client, or not for this server (RFC 9101 §7)."""

    code = "invalid_request_object"
    description = "The request object is invalid."


class RegistrationNotSupported(OAuthError):
    """The authorization request has a ``registration`` parameter: not supported (OpenID Connect Core §3.1.2.6)."""

    code = "registration_not_supported"
    description = "The registration parameter is not supported."


class AccessDenied(OAuthError):
    """The person denied the request (RFC 6749 §4.1.2.1)."""

    code = "access_denied"
    status = 403
    description = "The request was denied."


class UnusableAccount(OAuthError):
    """The account of the person cannot be used with this client, whatever the person says (RFC 6749 §4.1.2.1)."""

    code = "access_denied"
    status = 403
    description = "This account cannot be used here."


class LoginRequired(OAuthError):
    """Somebody has to sign in, but the request says ``prompt=none``; or ``id_token_hint`` names another person.

    OpenID Connect Core §3.1.2.1, §3.1.2.6.
    """

    code = "login_required"
    description = "The person has to sign in."


class ConsentRequired(OAuthError):
    """The person has to consent, but the request says ``prompt=none`` (OpenID Connect Core §3.1.2.6)."""

    code = "consent_required"
    description = "The person has to consent."


class InteractionRefused(OAuthError):
    """The decision comes from another browser session, or is for another request, than the page (RFC 6749 §10.12)."""

    status = 403
    description = "This page is out of date. Go back to the application and start again."


class NotOffered(OAuthError):
    """The application has not registered what this endpoint needs (a user loader, for example), so it is not served."""

    status = 404
    description = "There is no such endpoint here."


class InvalidClientMetadata(OAuthError):
    """The client metadata is not acceptable (RFC 7591 §3.2.2)."""

    code = "invalid_client_metadata"
    description = "The client metadata is invalid."


class InvalidRedirectURI(InvalidClientMetadata):
    """A redirect URI may not be registered (RFC 7591 §3.2.2)."""

    code = "invalid_redirect_uri"
    description = "A redirect URI is invalid."


class UnapprovedSoftwareStatement(InvalidClientMetadata):
    """The registration has a software statement, and this server trusts no issuer of such (RFC 7591 §3.2.2)."""

    code = "unapproved_software_statement"
    description = "The software statement is not approved for use here."


class InvalidDPoPProof(OAuthError):
    """The DPoP proof is malformed or does not fit this request (RFC 9449 §5)."""

    code = "invalid_dpop_proof"
    description = "The DPoP proof is invalid."


class UseDPoPNonce(OAuthError):
    """The proof is valid, but has no valid nonce of this server (RFC 9449 §8).

    :param nonce: The nonce to use in the next proof.
    """

    code = "use_dpop_nonce"
    description = "The DPoP proof needs the nonce of the DPoP-Nonce header."

    def __init__(self, reason: str = "", *, nonce: str, cause: str | None = None) -> None:
        super().__init__(reason, cause=cause)
        self.nonce = nonce

    def get_headers(self) -> list[tuple[str, str]]:
        """Adds ``DPoP-Nonce``."""
        return [*super().get_headers(), ("DPoP-Nonce", self.nonce)]


class InvalidToken(OAuthError):
    """The access token failed a check: it is malformed, expired, revoked or not for this API (RFC 6750 §3.1)."""

    code = "invalid_token"
    status = 401
    description = "The access token is invalid."


class MissingToken(InvalidToken):
    """The request has no access token in a form that the view accepts; the challenge has no error (RFC 6750 §3.1)."""

    description = "The request needs an access token."


class InactiveToken(InvalidToken):
    """The token sent to introspection or revocation is not active, or the caller may not ask about it.

    The caller sees no error: the answer is ``{"active": false}`` (RFC 7662 §2.2), or empty (RFC 7009 §2.2).
    """

    status = 200


class InvalidRegistrationToken(OAuthError):
    """The registration token is unknown, used up, expired, or belongs to another client (RFC 7592 §2).

    All these cases get the same answer, so that nobody learns which clients exist.
    """

    code = "invalid_token"
    status = 401
    description = "The registration token is invalid."
    challenge = 'Bearer realm="registration", error="invalid_token"'

    def get_headers(self) -> list[tuple[str, str]]:
        """Adds ``WWW-Authenticate`` (RFC 6750 §3)."""
        return [*super().get_headers(), ("WWW-Authenticate", self.challenge)]


class MissingRegistrationToken(InvalidRegistrationToken):
    """The request has no token in its Authorization header; the challenge has no error (RFC 6750 §3.1)."""

    description = "The request needs a registration token."
    challenge = 'Bearer realm="registration"'


class InsufficientScope(OAuthError):
    """The access token lacks the scope of this resource (RFC 6750 §3.1)."""

    code = "insufficient_scope"
    status = 403
    description = "The access token lacks a required scope."


class TemporarilyUnavailable(OAuthError):
    """Something this server needs does not answer. Nothing was issued; a retry may succeed (RFC 6749 §4.1.2.1)."""

    code = "temporarily_unavailable"
    status = 503
    description = "The server cannot answer right now; try again later."
    retry_after_seconds = 5

    def get_headers(self) -> list[tuple[str, str]]:
        """Adds ``Retry-After``, in seconds."""
        return [*super().get_headers(), ("Retry-After", str(self.retry_after_seconds))]


class StoreUnavailable(TemporarilyUnavailable):
    """A database, Redis or other store did not answer."""


class FetchBusy(TemporarilyUnavailable):
    """A client's document must be fetched, but too many other fetches are running; a retry may succeed.

    :param retry_after_seconds: When to try again.
    """

    def __init__(self, reason: str = "", *, cause: str | None = None, retry_after_seconds: int = 1) -> None:
        super().__init__(reason, cause=cause)
        self.retry_after_seconds = retry_after_seconds


class TooManyRequests(TemporarilyUnavailable):
    """The caller has sent too many requests in a given time (RFC 6585 §4, RFC 9126 §2.3).

    :param retry_after_seconds: When to try again.
    """

    status = 429
    description = "Too many requests; try again later."

    def __init__(
        self,
        reason: str = "",
        *,
        cause: str | None = None,
        client_id: str | None = None,
        retry_after_seconds: int = 60,
    ) -> None:
        super().__init__(reason, cause=cause, client_id=client_id)
        self.retry_after_seconds = retry_after_seconds


class ServerError(OAuthError):
    """A bug in this server (RFC 6749 §4.1.2.1); the log has the traceback under the reference id."""

    code = "server_error"
    status = 500
    description = "The server met an unexpected condition."
