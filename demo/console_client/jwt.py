"""Decode a JWT to show it. Nothing is verified here, so nothing here may be trusted."""

import base64
import json
from typing import Any


def decode_unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a JWT, whoever signed it (RFC 7515 §3.1)."""
    header, claims, _signature = token.split(".")
    return _decode(header), _decode(claims)


def encode_base64url(octets: bytes) -> str:
    """base64url without padding, as JWTs and PKCE have it (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _decode(part: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return members
