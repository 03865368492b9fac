"""An access token in a test's hands, with the key that it is bound to."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .. import clock
from ..dpop.proof import build_proof
from ..jose import jose


@dataclass(frozen=True, slots=True)
class HeldToken:
    """An access token, and what is needed to send it."""

    value: str = field(repr=False)
    """The token: a JWT."""
    claims: Mapping[str, Any]
    """What it says (RFC 9068 §2.2)."""
    key: jose.PrivateKey | None = field(default=None, repr=False)
    """The DPoP key that it is bound to; ``None``: it is a Bearer token."""

    @property
    def scheme(self) -> Literal["DPoP", "Bearer"]:
        """The authentication scheme that it is sent under."""
        return "Bearer" if self.key is None else "DPoP"

    def build_headers(self, method: str, url: str, *, nonce: str | None = None) -> dict[str, str]:
        """The headers of one call of an API: ``Authorization``, and for a bound token a new proof, ``DPoP``.

        :param method: The HTTP method: the proof's ``htm``.
        :param url: The URL of the call: without its query it is the proof's ``htu``.
        :param nonce: The newest nonce that the API gave (RFC 9449 §9).
        """
        headers = {"Authorization": f"{self.scheme} {self.value}"}
        if self.key is not None:
            headers["DPoP"] = prove(self.key, method=method, url=url, nonce=nonce, access_token=self.value)
        return headers


def prove(
    key: jose.PrivateKey, *, method: str, url: str, nonce: str | None = None, access_token: str | None = None
) -> str:
    """A new proof (RFC 9449 §4.2) for one request."""
    return build_proof(
        key,
        jti=secrets.token_urlsafe(12),
        method=method,
        url=url,
        now=clock.now(),
        access_token=access_token,
        nonce=nonce,
    )
