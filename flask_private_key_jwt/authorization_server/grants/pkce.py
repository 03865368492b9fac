"""Proof key for code exchange (RFC 7636), S256 only, for every client (RFC 9700 §2.1.1)."""

import hmac
import re
from hashlib import sha256

from ...errors import InvalidGrant, InvalidRequest
from ...jose.jose import b64url

METHODS = ("S256",)
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


def check_code_challenge(challenge: str | None, method: str | None) -> str:
    """The ``code_challenge`` of an authorization request (RFC 7636 §4.2, §4.3).

    :raises InvalidRequest: It is absent or malformed, or its method is not S256. An absent method means ``plain``.
    """
    if challenge is None:
        raise InvalidRequest("no code_challenge", cause="code_challenge_missing")
    if method not in METHODS:
        raise InvalidRequest(
            f"code_challenge_method {(method or 'plain')[:40]!r} is not S256", cause="code_challenge_method"
        )
    if not _CHALLENGE.fullmatch(challenge):
        raise InvalidRequest("code_challenge is not 43 characters of base64url", cause="code_challenge_malformed")
    return challenge


def check_code_verifier(verifier: str | None, challenge: str) -> None:
    """Compare a ``code_verifier`` with the challenge of its code (RFC 7636 §4.6).

    :raises InvalidGrant: It is absent, malformed or not the right one.
    """
    if verifier is None:
        raise InvalidGrant("no code_verifier", cause="code_verifier_missing")
    if not _VERIFIER.fullmatch(verifier):
        raise InvalidGrant("code_verifier is not 43 to 128 unreserved characters", cause="code_verifier_malformed")
    if not hmac.compare_digest(b64url(sha256(verifier.encode()).digest()), challenge):
        raise InvalidGrant("code_verifier does not fit the code_challenge", cause="code_verifier_mismatch")
