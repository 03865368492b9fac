"""Makes JWTs that are signed with a secret: this package only verifies them."""

import base64
import hmac
import json
from typing import Any

HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def sign_mac(header: dict[str, Any], claims: dict[str, Any], secret: str | bytes) -> str:
    """A compact JWS with the MAC of *secret* (RFC 7518 §3.2); an unknown algorithm in the header gets HS256."""
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims))
    signing_input = b".".join(parts)
    key = secret.encode() if isinstance(secret, str) else secret
    mac = hmac.digest(key, signing_input, HASHES.get(str(header.get("alg")), "sha256"))
    return (signing_input + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()
