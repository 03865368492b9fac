"""What can go wrong while a client calls. All are ``requests.RequestException``, so that what handles a failed call
handles these; no message holds a token, an assertion, a proof or a key."""

import requests


class EndpointError(requests.RequestException):
    """An endpoint of the authorization server did not do what it was asked for; the message says what to do.

    :param message: One or two sentences for whoever runs the client.
    :param error: The server's error code (RFC 6749 §5.2), when it sent one.
    :param description: The server's ``error_description``, printable and shortened.
    :param status: The HTTP status, ``None`` when there was no answer.
    :param reference: The answer's ``Error-Reference``, when it had one: under it the server's log has the reason.
    """

    def __init__(
        self,
        message: str,
        *,
        error: str | None = None,
        description: str | None = None,
        status: int | None = None,
        reference: str | None = None,
    ) -> None:
        super().__init__(message)
        self.error = error
        self.description = description
        self.status = status
        self.reference = reference


class TokenRequestError(EndpointError):
    """No usable token came from the token endpoint."""


class IntrospectionError(EndpointError):
    """The server did not say whether a token counts (RFC 7662): nobody knows, so nobody may act on it."""


class RevocationError(EndpointError):
    """The server did not say that a token is revoked: it may still count (RFC 7009 §2.2.1)."""


class ForeignOrigin(requests.RequestException, ValueError):
    """A request, or a redirect, would have carried the token to another origin; nothing was sent there."""
