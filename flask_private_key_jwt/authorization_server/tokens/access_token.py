"""JWT access tokens (RFC 9068): what they say, and how they are made. They are not stored."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ... import clock
from ...dpop.confirmation import build_confirmation
from ...dpop.proof import DPoPProof
from ...errors import ConfigurationError
from ...jose import jose
from ...tokens.verification import TYP
from ..keys.server_keys import ServerKeys

RESERVED_CLAIMS = frozenset(
    [
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "client_id",
        "scope",
        "cnf",
        "grant_id",
        "auth_time",
        "act",
        "may_act",
    ],
)
"""Claims that only the server sets; a token policy that returns one has a defect."""


class Grant(NamedTuple):
    """What allows one access token: who may do what, where, holding which key."""

    grant_type: str
    """The ``grant_type`` of the request, e.g. ``client_credentials``."""
    client_id: str
    """The client that gets the token."""
    subject: str
    """The user, or the client itself (RFC 9068 §2.2)."""
    scope: tuple[str, ...]
    """The scopes of the token."""
    audience: tuple[str, ...]
    """The resource servers the token is for (RFC 8707)."""
    proof: DPoPProof | None
    """The proof whose key the token is bound to; ``None``: a Bearer token."""
    grant_id: str
    """The same for all tokens of one grant, so that they can be revoked together."""
    lifetime: int
    """How long the access token is valid, in seconds."""
    auth_time: int | None = None
    """When the user signed in, in seconds since the epoch (RFC 9068 §2.2.1)."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """An issued access token, ready for the answer (RFC 6749 §5.1)."""

    value: str
    jti: str
    grant: Grant
    id_token: str | None = None
    """The ID token, if the scope asks for one (OpenID Connect Core §3.1.3.3)."""

    def __repr__(self) -> str:
        return f"<IssuedToken {self.jti} for {self.grant.client_id!r}>"

    def members(self, *, refresh_token: str | None = None, with_subject: bool = False) -> "TokenMembers":
        """The members of the token response.

        :param refresh_token: The client's refresh token, if it gets one.
        :param with_subject: Whether it names the person, if the token is about one.
        """
        members = TokenMembers(
            access_token=self.value,
            token_type="DPoP" if self.grant.proof else "Bearer",
            expires_in=self.grant.lifetime,
            scope=" ".join(self.grant.scope),
        )
        if self.id_token is not None:
            members["id_token"] = self.id_token
        if refresh_token is not None:
            members["refresh_token"] = refresh_token
        if with_subject and self.grant.subject != self.grant.client_id:
            members["sub"] = self.grant.subject
        return members


class TokenMembers(dict[str, Any]):
    """A token response whose ``repr`` does not show its tokens, because Authlib's grants log it with ``%r``."""

    def __repr__(self) -> str:
        return f"<TokenMembers {', '.join(self)}>"


class AccessTokenIssuer:
    """Makes and signs access tokens.

    :param issuer: The ``iss`` of every token.
    :param keys: The server's signing keys.
    """

    def __init__(self, issuer: str, keys: ServerKeys) -> None:
        self._issuer = issuer
        self._keys = keys
        self._head: tuple[jose.PrivateKey, bytes] | None = None
        """A signing key, and the first part (the encoded header) of every token it signs."""

    def issue(self, grant: Grant, extra: Mapping[str, Any]) -> IssuedToken:
        """Make the token that a grant allows (RFC 9068 §2.2).

        :param extra: Further claims, from the application's token policy.
        :raises ConfigurationError: *extra* holds a claim that only the server sets.
        :raises StoreUnavailable: The signing key cannot be read.
        """
        if taken := RESERVED_CLAIMS & extra.keys():
            raise ConfigurationError(f"The token policy may not set {', '.join(sorted(taken))}; the server does.")
        signing = self._keys.current().signing
        now = clock.now()
        jti = secrets.token_urlsafe(16)
        claims = {
            "iss": self._issuer,
            "sub": grant.subject,
            "aud": grant.audience[0] if len(grant.audience) == 1 else list(grant.audience),
            "client_id": grant.client_id,
            "iat": now,
            "exp": now + grant.lifetime,
            "jti": jti,
            "grant_id": grant.grant_id,
            "scope": " ".join(grant.scope),
            **({} if grant.auth_time is None else {"auth_time": grant.auth_time}),
            **build_confirmation(grant.proof),
            **extra,
        }
        return IssuedToken(jose.sign_with_head(self._find_head(signing), claims, signing), jti, grant)

    def _find_head(self, signing: jose.PrivateKey) -> bytes:
        known = self._head
        if known is None or known[0] is not signing:
            known = self._head = signing, jose.encode_head({"typ": TYP, "kid": signing.public.kid}, signing)
        return known[1]
