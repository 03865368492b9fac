"""What can go wrong when a client calls a server. All are ``requests.RequestException``, so code that handles a failed
call handles these too. No message contains a token, an assertion, a proof or a key."""

import requests


class EndpointError(requests.RequestException):
    """An endpoint of the authorization server did not do what the client asked; the message says what to do.

    :param message: One or two sentences for the operator of the client.
    :param error: The server's error code (RFC 6749 §5.2), if it sent one.
    :param description: The server's ``error_description``, printable and shortened.
    :param status: The HTTP status; ``None`` if there was no answer.
    :param reference: The answer's ``Error-Reference``, if it has one: the id of the reason in the server's log.
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
    """The token endpoint gave no usable token."""


class IntrospectionError(EndpointError):
    """The server did not say whether the token is active (RFC 7662), so the token must not be accepted."""


class RevocationError(EndpointError):
    """The server did not confirm that the token is revoked: it may still be active (RFC 7009 §2.2.1)."""


class UnrepeatableBody(requests.RequestException):
    """A request would have to be sent again, and its body can be sent once only."""


class ForeignOrigin(requests.RequestException, ValueError):
    """A request or a redirect would have sent the token to another origin; nothing was sent there."""


class SignInError(EndpointError):
    """Nobody is signed in: the answer that the browser brought, or what the server said after it, must not be used.

    :param message: One or two sentences for the operator of the client.
    :param cause: The code of the reason, which stays the same when the message is reworded (``docs/causes.md``).
    :param error: The server's error code, if it sent one: ``access_denied``, for example (RFC 6749 §4.1.2.1).
    :param description: The server's ``error_description``, printable and shortened.
    :param status: The HTTP status, if the reason is an answer to this client.
    :param reference: The answer's ``Error-Reference``, if it has one: the id of the reason in the server's log.
    """

    def __init__(
        self,
        message: str,
        *,
        cause: str,
        error: str | None = None,
        description: str | None = None,
        status: int | None = None,
        reference: str | None = None,
    ) -> None:
        super().__init__(message, error=error, description=description, status=status, reference=reference)
        self.cause = cause


class PushError(EndpointError):
    """The server did not take the pushed authorization request (RFC 9126 §2.3)."""


class UserInfoError(EndpointError):
    """The server did not say who the person is (OpenID Connect Core §5.3.3)."""


class SignInRequired(TokenRequestError):
    """There are no tokens of a person that can be used or renewed: the person has to sign in (again)."""
