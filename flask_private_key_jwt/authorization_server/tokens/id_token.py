"""ID tokens (OpenID Connect Core §2): how they are made, and what an old one still proves.

Their only claim about the person is ``sub``; the others are at UserInfo (§5.4).
"""

from dataclasses import dataclass

from ... import clock
from ...errors import InvalidRequest
from ...jose import jose
from ...jose.at_hash import build_at_hash
from ...settings.values import ASYMMETRIC_ALGS
from ...tokens.verification import IssuerKeys, check_signature
from ..keys.server_keys import ServerKeys
from .access_token import Grant

OPENID = "openid"
"""The scope that asks for an ID token (OpenID Connect Core §3.1.2.1)."""
MAX_HINT_BYTES = 8192
HINT_TYPES = frozenset({None, "jwt"})
CLAIMS = ("iss", "sub", "aud", "iat", "exp", "auth_time", "nonce", "at_hash")
"""The claims that an ID token may have."""


class IdTokenIssuer:
    """Makes and signs ID tokens.

    :param issuer: The ``iss`` of every token.
    :param keys: The server's signing keys.
    :param lifetime: How long a token is valid, in seconds.
    """

    def __init__(self, issuer: str, keys: ServerKeys, *, lifetime: int) -> None:
        self._issuer = issuer
        self._keys = keys
        self._lifetime = lifetime

    def issue(self, grant: Grant, access_token: str, *, nonce: str | None) -> str:
        """Make an ID token about the sign-in that led to *grant*.

        :param access_token: The access token in the same response, for ``at_hash`` (§3.1.3.6).
        :param nonce: The ``nonce`` of the authorization request; ``None`` with a refresh token (§12.2).
        :raises StoreUnavailable: The signing key cannot be read.
        """
        signing = self._keys.current().signing
        now = clock.now()
        claims = {
            "iss": self._issuer,
            "sub": grant.subject,
            "aud": grant.client_id,
            "iat": now,
            "exp": now + self._lifetime,
            "auth_time": grant.auth_time,
            "nonce": nonce,
            "at_hash": build_at_hash(access_token, signing.alg),
        }
        header = {"typ": "JWT", "kid": signing.public.kid}
        return jose.sign(header, {name: value for name, value in claims.items() if value is not None}, signing)


@dataclass(frozen=True, slots=True)
class IdTokenHint:
    """What one of our ID tokens says when it is shown again, also after it has expired."""

    subject: str
    client_id: str
    """The client it was issued to."""


def read_id_token_hint(text: str, *, issuer: str, keys: IssuerKeys) -> IdTokenHint:
    """Read an ``id_token_hint`` (OpenID Connect Core §3.1.2.1, OpenID RP-Initiated Logout §2).

    It may have expired, because it only says who signed in once, and allows nothing.

    :param keys: This server's keys.
    :raises InvalidRequest: It is malformed, not an ID token, or not one of ours; or its key is no longer published.
    :raises StoreUnavailable: The keys cannot be read.
    """
    try:
        # An access token (at+jwt) must not pass as an ID token (RFC 9068 §5, RFC 8725 §3.12).
        jwt = jose.read(text, typ=HINT_TYPES, algs=ASYMMETRIC_ALGS, max_bytes=MAX_HINT_BYTES)
        jose.check_claim(jwt.claims, "iss", issuer)
        check_signature(jwt, keys, keys.load())
        return IdTokenHint(jose.require_text(jwt.claims, "sub"), jose.require_text(jwt.claims, "aud"))
    except jose.JoseProblem as problem:
        raise problem.as_refusal(InvalidRequest, "id_token_hint") from None
