"""What a client keeps of an authorization request until the browser brings the answer."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Self

from ... import clock
from ...errors import ConfigurationError
from ...jose import jose

LIFETIME_SECONDS = 3600
"""How long an answer is waited for, in seconds: some people look for their second factor."""
OPENID = "openid"

_TEXTS = ("issuer", "client_id", "redirect_uri", "state", "nonce", "code_verifier")


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """One authorization request whose answer is not there yet. Keep it where only the browser that was sent away leads.

    Whoever can put another's pending sign-in into a person's session signs that person in as somebody else
    (RFC 6749 §10.12), so it belongs into the session, never into a URL or a hidden field.
    """

    issuer: str
    """The server that was asked, and the only one that may answer (RFC 9207)."""
    client_id: str
    """The client that asked."""
    redirect_uri: str
    """Where the answer goes; repeated when the code is redeemed (RFC 6749 §4.1.3)."""
    state: str = field(repr=False)
    """Random; the answer repeats it (RFC 6749 §4.1.1)."""
    nonce: str = field(repr=False)
    """Random; the ID token repeats it (OpenID Connect Core §3.1.2.1)."""
    code_verifier: str = field(repr=False)
    """Random; without it nobody can redeem the code (RFC 7636 §4.1)."""
    started_at: int
    """When the request was made, in seconds since the epoch."""
    scope: str | None = None
    """What was asked for, separated by spaces; ``None``: what the server gives by default."""
    resources: tuple[str, ...] = ()
    """The APIs that the tokens are for (RFC 8707 §2)."""
    max_age: int | None = None
    """Longest accepted time since the person signed in, in seconds."""
    jkt: str | None = None
    """The thumbprint of the DPoP key that the code is bound to (RFC 9449 §10)."""

    @property
    def code_challenge(self) -> str:
        """The S256 challenge of the verifier (RFC 7636 §4.2)."""
        return jose.b64url(sha256(self.code_verifier.encode()).digest())

    @property
    def wants_id_token(self) -> bool:
        """Whether ``openid`` was asked for, so that there must be an ID token."""
        return OPENID in (self.scope or "").split()

    @property
    def is_over(self) -> bool:
        """Whether it is too late for an answer."""
        return clock.is_over(self.started_at + LIFETIME_SECONDS)

    def to_json(self) -> dict[str, Any]:
        """The same as JSON, for a session."""
        return {
            **{name: getattr(self, name) for name in _TEXTS},
            "started_at": self.started_at,
            "scope": self.scope,
            "resources": [*self.resources],
            "max_age": self.max_age,
            "jkt": self.jkt,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read back what :meth:`to_json` made.

        :raises ConfigurationError: It is something else.
        """
        try:
            texts = {name: kept[name] for name in _TEXTS}
            started_at, scope = kept["started_at"], kept["scope"]
            max_age, jkt = kept["max_age"], kept["jkt"]
            resources = tuple(kept["resources"])
        except (KeyError, TypeError):
            raise ConfigurationError("What was kept of the sign-in is not what PendingSignIn.to_json made.") from None
        is_right = (
            all(isinstance(text, str) and text for text in (*texts.values(), *resources))
            and isinstance(started_at, int)
            and isinstance(scope, str | None)
            and isinstance(max_age, int | None)
            and isinstance(jkt, str | None)
        )
        if not is_right:
            raise ConfigurationError("What was kept of the sign-in is not what PendingSignIn.to_json made.")
        return cls(**texts, started_at=started_at, scope=scope, resources=resources, max_age=max_age, jkt=jkt)


def begin(
    issuer: str,
    client_id: str,
    redirect_uri: str,
    *,
    scope: str | None,
    resources: Sequence[str],
    max_age: int | None,
    jkt: str | None,
) -> PendingSignIn:
    """A new sign-in, with random values of its own."""
    return PendingSignIn(
        issuer,
        client_id,
        redirect_uri,
        state=secrets.token_urlsafe(24),
        nonce=secrets.token_urlsafe(24),
        code_verifier=secrets.token_urlsafe(32),  # 43 characters, the shortest that RFC 7636 §4.1 allows
        started_at=clock.now(),
        scope=scope,
        resources=tuple(resources),
        max_age=max_age,
        jkt=jkt,
    )
