"""An access token from the token endpoint (RFC 6749 §5.1, RFC 9449 §5), or the reason why there is none."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..fetching.exchange import FetchedAnswer
from .endpoint import ADVICE, FormEndpoint
from .errors import TokenRequestError

TokenType = Literal["Bearer", "DPoP"]

# RFC 6750 §2.1, b64token: what may follow the scheme in a header. No line break, so no second header.
_ACCESS_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")

TOKEN = FormEndpoint(
    "token_endpoint",
    undone="No token",
    failure=TokenRequestError,
    advice={
        **ADVICE,
        "invalid_request": "The server finds the request malformed; it may require DPoP (dpop=True).",
        "invalid_scope": "Ask for scopes this client is registered for.",
        "invalid_target": "The server does not issue tokens for this resource.",
        "unauthorized_client": "The client is not registered for the client_credentials grant.",
        "unsupported_grant_type": "The server does not offer the client_credentials grant.",
        "invalid_dpop_proof": "The server does not accept the DPoP proof: is this machine's clock right, and the key's "
        "algorithm one of its dpop_signing_alg_values_supported?",
        "use_dpop_nonce": "The server asked for a DPoP nonce, and did not take the one it gave.",
    },
)


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, and what the server said about it."""

    access_token: str = field(repr=False)
    """The token itself."""
    token_type: TokenType
    """How it is sent: ``DPoP`` with a proof, ``Bearer`` without."""
    obtained_at: int
    """When it was requested, in seconds since the epoch."""
    expires_at: int | None
    """When it expires, in seconds since the epoch; ``None`` if the server does not say."""
    scope: str | None
    """The scopes that were granted; ``None`` if the server does not say."""
    raw: Mapping[str, Any] = field(repr=False)
    """The whole answer, without members that are null or empty."""

    def is_due(self, now: int, *, margin: int) -> bool:
        """Whether to renew it: *margin* seconds before it expires, or half its lifetime before if that is shorter."""
        if self.expires_at is None:
            return False
        return now >= self.expires_at - min(margin, (self.expires_at - self.obtained_at) // 2)


def read_token(answer: FetchedAnswer, *, wanted: TokenType, now: int, endpoint: FormEndpoint = TOKEN) -> Token:
    """Read the token from an answer of the token endpoint.

    :param wanted: The only token type that is accepted, so that a client that asked for a bound token never uses a
        Bearer token instead.
    :param now: When the request was sent, in seconds since the epoch.
    :param endpoint: The token endpoint, with advice for the grant that was used.
    :raises TokenRequestError: The answer is an error, is malformed, or has another type of token.
    """
    if answer.status != 200:
        raise endpoint.refusal(answer)
    members = endpoint.load_members(answer)
    access_token, token_type = members.get("access_token"), members.get("token_type")
    if not isinstance(access_token, str) or not _ACCESS_TOKEN.fullmatch(access_token):
        raise endpoint.unusable(answer, "answer holds no usable access_token.")
    if not isinstance(token_type, str) or token_type.lower() != wanted.lower():
        hint = "it may not support DPoP" if wanted == "DPoP" else "pass dpop=True"
        raise TokenRequestError(
            f"The server issued a token of type {str(token_type)[:40]!r}, not {wanted}: {hint}. It is not used.",
            status=answer.status,
            reference=answer.reference,
        )
    scope = members.get("scope")
    return Token(
        access_token,
        wanted,
        obtained_at=now,
        expires_at=_expiry(members.get("expires_in"), now),
        scope=scope if isinstance(scope, str) else None,
        raw=members,
    )


def _expiry(expires_in: object, now: int) -> int | None:
    if isinstance(expires_in, bool) or not isinstance(expires_in, (int, float)) or not 0 < expires_in < 1e10:
        return None
    return now + int(expires_in)
