"""What a client holds for one person: the tokens, and who signed in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from ...errors import ConfigurationError
from ..token import Token
from .id_token import IdClaims

_NOT_OURS = "What was kept is not what PersonTokens.to_json made."
_TEXTS = ("issuer", "client_id", "access_token", "token_type")
_PERHAPS_TEXTS = ("scope", "refresh_token", "id_token", "jkt")
_TOKEN_TYPES = ("Bearer", "DPoP")


@dataclass(frozen=True, slots=True)
class PersonTokens:
    """The tokens of one sign-in. Keep them where only this program can read them, never in a browser's cookie."""

    issuer: str
    """The server that gave them."""
    client_id: str
    """The client that they were given to."""
    token: Token
    """The access token."""
    refresh_token: str | None = field(default=None, repr=False)
    """Renews the access token; ``None`` if the server gave none."""
    id_token: str | None = field(default=None, repr=False)
    """The newest ID token, for ``id_token_hint`` when the person signs out."""
    claims: IdClaims = field(default_factory=dict, repr=False)
    """The claims of the ID token, checked; empty if ``openid`` was not asked for."""
    jkt: str | None = None
    """The thumbprint of the key that they are bound to; ``None`` for Bearer tokens."""
    resources: tuple[str, ...] = ()
    """The APIs that they were asked for; a refresh asks for the same (RFC 8707 §2.2)."""

    @property
    def subject(self) -> str | None:
        """Who signed in: the ``sub`` of the ID token, unique at its issuer; ``None`` without an ID token."""
        return self.claims.get("sub")

    def to_json(self) -> dict[str, Any]:
        """The same as JSON, for a store. It contains the tokens."""
        return {
            "issuer": self.issuer,
            "client_id": self.client_id,
            "access_token": self.token.access_token,
            "token_type": self.token.token_type,
            "obtained_at": self.token.obtained_at,
            "expires_at": self.token.expires_at,
            "scope": self.token.scope,
            "refresh_token": self.refresh_token,
            "id_token": self.id_token,
            "claims": dict(self.claims),
            "jkt": self.jkt,
            "resources": [*self.resources],
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read back what :meth:`to_json` made.

        :raises ConfigurationError: It is something else. The message contains no token.
        """
        if not isinstance(kept, Mapping) or not _is_ours(kept):
            raise ConfigurationError(_NOT_OURS)
        token = Token(
            kept["access_token"],
            kept["token_type"],
            obtained_at=kept["obtained_at"],
            expires_at=kept["expires_at"],
            scope=kept["scope"],
            raw={},
        )
        return cls(
            kept["issuer"],
            kept["client_id"],
            token,
            refresh_token=kept["refresh_token"],
            id_token=kept["id_token"],
            claims=kept["claims"],
            jkt=kept["jkt"],
            resources=tuple(kept["resources"]),
        )


def _is_ours(kept: Mapping[str, Any]) -> bool:
    return (
        all(isinstance(kept.get(name), str) and kept[name] for name in _TEXTS)
        and all(name in kept and isinstance(kept[name], str | None) for name in _PERHAPS_TEXTS)
        and kept["token_type"] in _TOKEN_TYPES
        and isinstance(kept.get("obtained_at"), int)
        and "expires_at" in kept
        and isinstance(kept["expires_at"], int | None)
        and isinstance(kept.get("claims"), Mapping)
        and _are_texts(kept.get("resources"))
    )


def _are_texts(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(item, str) for item in value)
