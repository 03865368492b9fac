"""X.509 certificates as a client's key: read one, find it in a JWK, write a self-signed one (RFC 5280, RFC 7517 §4.7).

A certificate here is only a public key with a lifetime. No chain is built and no authority is trusted: a certificate
belongs to a client because it was registered for that client. RFC 7523 §3 allows that, and .NET's servers do the same.
"""

import base64
import binascii
import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from . import jose
from .jose import JoseProblem
from .keys import PrivateKey, PublicKey
from .plain_text import tidy
from .private_keys import find_pem_labels, is_pkcs12

log = logging.getLogger("flask_private_key_jwt")

MAX_CERTIFICATE_BYTES = 65536
"""Longest certificate or ``x5c`` entry that is read, in bytes."""

_HEX = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")
_HASHES: dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None] = {
    "ES256": hashes.SHA256(),
    "ES384": hashes.SHA384(),
    "ES512": hashes.SHA512(),
    "EdDSA": None,
    "Ed25519": None,
}


@dataclass(frozen=True, slots=True)
class Certificate:
    """One X.509 certificate, whose public key is of a supported type."""

    public_key: PublicKey
    """The certified key."""
    not_before: int
    """First second of its lifetime, since the epoch (RFC 5280 §4.1.2.5)."""
    not_after: int
    """Last second of its lifetime, since the epoch."""
    der: str
    """The certificate, DER in base64: an ``x5c`` entry (RFC 7517 §4.7), .NET's ``X509CertificateBase64``."""
    sha1_hex: str
    """The SHA-1 thumbprint in upper-case hex: .NET's ``Thumbprint``, which it sends as ``kid``."""
    x5t: str
    """The SHA-1 thumbprint, base64url (RFC 7515 §4.1.7)."""
    x5t_s256: str
    """The SHA-256 thumbprint, base64url (RFC 7515 §4.1.8)."""
    names: frozenset[str]
    """Every spelling of the two thumbprints that :func:`_canonical_name` returns."""

    def is_named(self, name: str) -> bool:
        """Whether *name* is the SHA-1 or SHA-256 thumbprint of this certificate, in one of the usual spellings.

        These are: base64url of the digest, or of its hex string, padded or not; hex in any case, with or without
        colons.
        """
        return name in self.names or _canonical_name(name) in self.names

    def is_current(self, now: int, *, skew: int = 0) -> bool:
        """Whether *now* is in the certificate's lifetime (RFC 5280 §4.1.2.5).

        :param now: Seconds since the epoch.
        :param skew: How far the maker's clock may have been ahead, in seconds. It extends the start, never the end.
        """
        return self.not_before - skew <= now <= self.not_after


def load_certificate(text: str | bytes) -> Certificate:
    """Read a certificate: PEM (the first, if there are several), base64 DER as .NET shows it, or DER.

    :raises JoseProblem: It is none of these, is too long, or its public key is of a type that is not supported.
    """
    data = tidy(text.encode("utf-8", "replace") if isinstance(text, str) else text)
    if len(data) > MAX_CERTIFICATE_BYTES:
        raise JoseProblem(f"the certificate is longer than {MAX_CERTIFICATE_BYTES} bytes", cause="certificate_too_long")
    labels = find_pem_labels(data)
    if labels and "CERTIFICATE" not in labels:
        raise JoseProblem(f"not a certificate, but PEM of a {labels[0][:40]}", cause="certificate_other_pem")
    if is_pkcs12(data):
        raise JoseProblem(
            "not a certificate, but a PKCS #12 file (PFX): export the certificate from it, without the key",
            cause="certificate_pfx",
        )
    try:
        if b"-----BEGIN" in data:
            return _wrap(x509.load_pem_x509_certificate(data))
        if not data.startswith(b"\x30"):  # DER starts with a SEQUENCE; its base64 starts with "M"
            data = binascii.a2b_base64(b"".join(data.split()), strict_mode=True)
        return _wrap(x509.load_der_x509_certificate(data))
    except JoseProblem:
        raise
    except (ValueError, TypeError, OverflowError, x509.InvalidVersion, UnsupportedAlgorithm, Warning) as error:
        # Warning: a malformed serial number causes one, which is raised if the application turns warnings into errors.
        raise JoseProblem(
            f"not a certificate in PEM, base64 or DER: {type(error).__name__}", cause="certificate_malformed"
        ) from None


def certificate_of_jwk(jwk: Mapping[str, Any]) -> Certificate | None:
    """The first ``x5c`` certificate of a public JWK, which must contain the key of the JWK (RFC 7517 §4.7).

    ``x5t`` and ``x5t#S256`` are only labels. Some directories publish wrong ones: these are ignored, because the key in
    the certificate is compared anyway.

    :return: ``None`` for a JWK without ``x5c``.
    :raises JoseProblem: ``x5c`` is malformed, or contains another key.
    """
    if "x5c" not in jwk:
        return None
    chain = jwk["x5c"]
    if not isinstance(chain, list) or not chain or not all(isinstance(entry, str) for entry in chain):
        raise JoseProblem("x5c is not a list of base64 certificates", cause="x5c_malformed")
    if "-" in chain[0]:  # neither PEM nor base64url is allowed here
        raise JoseProblem("x5c does not hold base64 DER", cause="x5c_not_base64")
    certificate = load_certificate(chain[0])
    if jose.import_public_jwk(jwk).thumbprint != certificate.public_key.thumbprint:
        raise JoseProblem("the first x5c certificate holds another key than the JWK", cause="x5c_key_mismatch")
    for name, thumbprint in (("x5t", certificate.x5t), ("x5t#S256", certificate.x5t_s256)):
        if jwk.get(name, thumbprint) != thumbprint:
            log.info("the %s of key %s is not used: not the thumbprint of its certificate", name, certificate.sha1_hex)
    return certificate


def jwk_of(certificate: Certificate, *, kid: str | None = None) -> dict[str, Any]:
    """The public JWK to register for a certificate.

    It has no ``alg``: an RSA certificate does not say which algorithm its key will sign with.

    :param kid: The key's name. Default: the SHA-1 thumbprint in upper-case hex, which .NET's
        ``X509SigningCredentials`` sends. The certificate's thumbprints also identify the key.
    """
    return {
        **certificate.public_key.jwk,
        "use": "sig",
        "kid": kid or certificate.sha1_hex,
        "x5c": [certificate.der],
        "x5t": certificate.x5t,
        "x5t#S256": certificate.x5t_s256,
    }


def build_self_signed(key: PrivateKey, *, common_name: str, days: int, now: int) -> bytes:
    """Make a self-signed certificate for signing, in PEM.

    :param common_name: Subject and issuer, 1 to 64 characters (RFC 5280 appendix A).
    :param days: Its lifetime from *now*, in days.
    :param now: Seconds since the epoch.
    :raises JoseProblem: A certificate cannot have this name or this lifetime.
    """
    try:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
        begin = datetime.fromtimestamp(now, UTC)
        builder = (
            x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.native.public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_signatures_only(), critical=True)
        )
        certificate = builder.sign(key.native.private_key, _HASHES.get(key.alg, hashes.SHA256()))
    except (ValueError, OverflowError) as error:
        raise JoseProblem(f"no certificate for {common_name!r} and {days} days: {error}") from None
    return certificate.public_bytes(Encoding.PEM)


def _signatures_only() -> x509.KeyUsage:
    off = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    more = ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(digital_signature=True, **dict.fromkeys((*off, *more), False))


def _wrap(certificate: x509.Certificate) -> Certificate:
    der = certificate.public_bytes(Encoding.DER)
    sha1 = hashlib.sha1(der, usedforsecurity=False).digest()  # a name for the certificate, not a proof of anything
    sha256 = hashlib.sha256(der).digest()
    return Certificate(
        public_key=jose.public_key_of(certificate.public_key()),
        not_before=int(certificate.not_valid_before_utc.timestamp()),
        not_after=int(certificate.not_valid_after_utc.timestamp()),
        der=base64.b64encode(der).decode(),
        sha1_hex=sha1.hex().upper(),
        x5t=jose.b64url(sha1),
        x5t_s256=jose.b64url(sha256),
        names=_names_of(sha1) | _names_of(sha256),
    )


def _names_of(digest: bytes) -> frozenset[str]:
    text = digest.hex()
    of_hex_text = (jose.b64url(text.encode()), jose.b64url(text.upper().encode()))
    return frozenset({jose.b64url(digest), text.upper(), *of_hex_text})


def _canonical_name(name: str) -> str:
    """*name* in one spelling: hex in upper case and without colons, anything else without padding."""
    digits = name.replace(":", "").upper()
    return digits if _HEX.fullmatch(digits) else name.rstrip("=")
