"""What can go wrong while a client calls. All are ``requests.RequestException``, so that what handles a failed call
handles these; no message holds a token, an assertion, a proof or a key."""

import requests


class TokenRequestError(requests.RequestException):
    """No usable token came from the token endpoint; the message says what to do.

    :param message: One or two sentences for whoever runs the client.
    :param error: The server's error code (RFC 6749 §5.2), when it sent one.
    :param description: The server's ``error_description``, printable and shortened.
    :param status: The HTTP status, ``None`` when there was no answer.
    """

    def __init__(
        self, message: str, *, error: str | None = None, description: str | None = None, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.error = error
        self.description = description
        self.status = status


class ForeignOrigin(requests.RequestException, ValueError):
    """A request, or a redirect, would have carried the token to another origin; nothing was sent there."""
