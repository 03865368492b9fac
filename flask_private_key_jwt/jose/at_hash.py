"""``at_hash``: what ties an ID token to the access token beside it (OpenID Connect Core §3.1.3.6), at both ends."""

from collections.abc import Mapping
from hashlib import sha256, sha384, sha512
from typing import Any

from .compact import b64url

_HASHES: Mapping[str, Any] = {"256": sha256, "384": sha384, "512": sha512}


def build_at_hash(access_token: str, alg: str) -> str:
    """The left half of the access token's hash, base64url; *alg* decides the hash (OpenID Connect Core §3.1.3.6).

    Ed25519 hashes with SHA-512 (RFC 8032 §5.1).
    """
    digest = _HASHES.get(alg[-3:], sha512)(access_token.encode()).digest()
    return b64url(digest[: len(digest) // 2])
