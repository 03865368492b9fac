"""Verify and sign compact JWTs (RFC 7515)."""

import hmac
import warnings

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from ..settings.values import ASYMMETRIC_ALGS
from .compact import (
    JWT,
    Claims,
    b64,
    encode_json,
)
from .keys import PrivateKey, PublicKey, SymmetricKey

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # "EdDSA" is deprecated in favour of "Ed25519" (RFC 9864); we take both
    _ALGORITHMS = {alg: JWSRegistry.algorithms["Ed25519" if alg == "EdDSA" else alg] for alg in ASYMMETRIC_ALGS}
_ECDSA = {
    "ES256": (ec.ECDSA(hashes.SHA256()), 32),
    "ES384": (ec.ECDSA(hashes.SHA384()), 48),
    "ES512": (ec.ECDSA(hashes.SHA512()), 66),
}
"""Algorithm -> cryptography's object for it, and the bytes of each of the signature's two numbers (RFC 7518 §3.4).

Used instead of joserfc, which makes a new object and checks the key again for every signature: that costs a tenth of a
verification.
"""


_HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def verify(jwt: JWT, key: PublicKey) -> bool:
    """Whether *key* verifies the signature, with the JWT's algorithm. Check :meth:`PublicKey.fits` first.

    :raises KeyError: The algorithm is not supported; callers check it against their allow-list first.
    """
    ecdsa = _ECDSA.get(jwt.alg)
    try:
        if ecdsa is None:
            return _ALGORITHMS[jwt.alg].verify(jwt.signing_input, jwt.signature, key.native)
        return _verify_ecdsa(jwt, key, *ecdsa)
    except (JoseError, ValueError):  # e.g. a signature whose r is out of range
        return False


def _verify_ecdsa(jwt: JWT, key: PublicKey, algorithm: ec.ECDSA, size: int) -> bool:
    signature = jwt.signature
    if len(signature) != 2 * size:
        return False
    der = encode_dss_signature(int.from_bytes(signature[:size]), int.from_bytes(signature[size:]))
    try:
        key.native.public_key.verify(der, jwt.signing_input, algorithm)
    except InvalidSignature:
        return False
    return True


def verify_mac(jwt: JWT, key: SymmetricKey) -> bool:
    """Whether *key* made the MAC of the JWT (RFC 7518 §3.2). The key decides the algorithm, never the JWT alone."""
    if not key.fits(jwt.alg):
        return False
    return hmac.compare_digest(hmac.digest(key.octets, jwt.signing_input, _HASHES[key.alg]), jwt.signature)


def sign(header: Claims, claims: Claims, key: PrivateKey) -> str:
    """Make a compact JWS with *key* and its algorithm (RFC 7515 §3.1)."""
    return sign_with_head(encode_head(header, key), claims, key)


def encode_head(header: Claims, key: PrivateKey) -> bytes:
    """The first part of a compact JWS, with the ``alg`` of *key*; for :func:`sign_with_head`."""
    return b64(encode_json({"alg": key.alg, **header}).encode())


def sign_with_head(head: bytes, claims: Claims, key: PrivateKey) -> str:
    """As :func:`sign`, for many JWTs with the same header.

    :param head: The result of :func:`encode_head` for this *key*.
    """
    signing_input = head + b"." + b64(encode_json(claims).encode())
    ecdsa = _ECDSA.get(key.alg)
    if ecdsa is None:
        signature = _ALGORITHMS[key.alg].sign(signing_input, key.native)
    else:
        algorithm, size = ecdsa
        r, s = decode_dss_signature(key.native.raw_value.sign(signing_input, algorithm))
        signature = r.to_bytes(size) + s.to_bytes(size)
    return (signing_input + b"." + b64(signature)).decode()
