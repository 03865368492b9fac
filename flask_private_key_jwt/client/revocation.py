"""What a revocation endpoint answers (RFC 7009 §2.2)."""

from ..fetching.exchange import FetchedAnswer
from .endpoint import ADVICE, FormEndpoint
from .errors import RevocationError

REVOCATION = FormEndpoint(
    "revocation_endpoint",
    undone="The token may still count",
    failure=RevocationError,
    advice={
        **ADVICE,
        "invalid_request": "The server finds the request malformed, or the token is another client's.",
        "invalid_grant": "The token is another client's.",
        "unsupported_token_type": "The server does not revoke tokens of this kind; revoke the refresh token instead.",
        "temporarily_unavailable": "The token still counts: try again later.",
    },
)


def check_revoked(answer: FetchedAnswer, *, token: str) -> None:
    """Check that the server answered with 200; the body does not matter (RFC 7009 §2.2).

    :param token: The token in the request; the message must not contain it.
    :raises RevocationError: The server refused.
    """
    if answer.status != 200:
        raise REVOCATION.refusal(answer, token=token)
