"""Read a private key from the usual formats, or say what was given instead (RFC 7468, RFC 5958, RFC 7292)."""

import binascii
import re

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_ssh_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

from .compact import JoseProblem
from .plain_text import tidy

PUBLIC_KEY = "it is a public key: give the private key that belongs to it"
CERTIFICATE = "it is a certificate: give the private key here, and the certificate as certificate="
_NEITHER = "it is no private key in PEM, OpenSSH, DER, PKCS #12 (PFX) or JWK, or base64 of one"
_OTHERS = {
    b"PUBLIC KEY": PUBLIC_KEY,
    b"RSA PUBLIC KEY": PUBLIC_KEY,
    b"CERTIFICATE": CERTIFICATE,
    b"CERTIFICATE REQUEST": "it is a certificate request: give the private key it was made with",
}
"""PEM labels -> what to do about them."""

_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]+={0,2}")
_URLSAFE = bytes.maketrans(b"-_", b"+/")
_KEY_STARTS = (b"\x30", b"-----BEGIN", b"{")
"""The first bytes of DER (a SEQUENCE), PEM and a JWK."""
_SSH_PUBLIC = (b"ssh-rsa ", b"ssh-ed25519 ", b"ecdsa-sha2-", b"sk-")
# A SEQUENCE that starts with the INTEGER 3 (RFC 7292 §4); in PKCS #8 the INTEGER is 0 or 1.
_PKCS12 = re.compile(rb"\x30(?:[\x00-\x80]|\x81.|\x82..|\x83...)\x02\x01\x03", re.DOTALL)


def load_native_key(data: bytes, password: str | None) -> object:
    """The private key in *data*, as an object of ``cryptography``.

    :param data: PEM, OpenSSH, PKCS #8 or SEC 1 in DER, or PKCS #12.
    :raises JoseProblem: It is something else, or the password is wrong; the message quotes nothing of *data*.
    """
    data = tidy(data)
    secret = password.encode() if password else None
    if labels := _LABEL.findall(data):
        return _load_pem(data, labels, secret)
    if data.startswith(b"\x30"):
        return _load_der(data, secret)
    if not data.strip():
        raise JoseProblem("it is empty")
    if data.startswith(_SSH_PUBLIC):
        raise JoseProblem(PUBLIC_KEY)
    if data.startswith(b"PuTTY-User-Key-File"):
        raise JoseProblem("it is a PuTTY key: export it as an OpenSSH key")
    raise JoseProblem(_NEITHER)


def decode_base64_key(data: bytes) -> bytes | None:
    """The decoded *data*, if it is base64 of DER, PEM or a JWK; else ``None``.

    Base64 of DER is a PEM without its first and last line. Base64 of a whole file is used to put a key into an
    environment variable as one line.
    """
    text = b"".join(data.split())
    if not _BASE64.fullmatch(text):
        return None
    try:
        decoded = binascii.a2b_base64(text.translate(_URLSAFE), strict_mode=True)
    except binascii.Error:
        return None
    return decoded if tidy(decoded).lstrip().startswith(_KEY_STARTS) else None


def is_key_material(data: bytes) -> bool:
    """Whether *data* is PEM, or a public key, a private key or a certificate in OpenSSH or DER."""
    if _LABEL.search(data) or data.startswith(_SSH_PUBLIC) or is_pkcs12(data):
        return True
    if not data.startswith(b"\x30"):
        return False
    try:
        _load_der(data, None)
    except JoseProblem as problem:
        return str(problem) in (PUBLIC_KEY, CERTIFICATE) or "encrypted" in str(problem)
    return True


def is_pkcs12(data: bytes) -> bool:
    """Whether *data* is a PKCS #12 file (PFX)."""
    return _PKCS12.match(data) is not None


def find_pem_labels(data: bytes) -> list[str]:
    """The labels of the PEM blocks in *data*, e.g. ``PRIVATE KEY``; empty if it is not PEM."""
    return [label.decode() for label in _LABEL.findall(data)]


def _load_pem(data: bytes, labels: list[bytes], secret: bytes | None) -> object:
    if not any(label.endswith(b"PRIVATE KEY") for label in labels):
        raise JoseProblem(_OTHERS.get(labels[0], "not a private key in PEM"))
    load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in labels else load_pem_private_key
    try:
        return load(data.strip(), secret)
    except TypeError as error:
        raise _password_problem("PEM", secret) from error
    except UnsupportedAlgorithm as error:
        raise JoseProblem("the encryption of the PEM is not supported here: write it as PKCS #8") from error
    except ValueError as error:
        raise JoseProblem("not a private key in PEM, or the wrong password") from error


def _load_der(der: bytes, secret: bytes | None) -> object:
    if is_pkcs12(der):
        return _load_pkcs12(der, secret)
    try:
        return load_der_private_key(der, secret)
    except TypeError as error:
        raise _password_problem("key", secret) from error
    except (ValueError, UnsupportedAlgorithm):
        raise JoseProblem(_name_der(der)) from None


def _load_pkcs12(data: bytes, secret: bytes | None) -> object:
    try:
        key, _, _ = load_key_and_certificates(data, secret)
    except (ValueError, UnsupportedAlgorithm):
        cause = "give its password" if secret is None else "the wrong password, or it is damaged"
        raise JoseProblem(f"the PKCS #12 file (PFX) cannot be opened: {cause}") from None
    if key is None:
        raise JoseProblem("the PKCS #12 file (PFX) holds no private key: export it with the key")
    return key


def _name_der(der: bytes) -> str:
    for load, name in ((load_der_public_key, PUBLIC_KEY), (x509.load_der_x509_certificate, CERTIFICATE)):
        try:
            load(der)
        except (ValueError, TypeError, OverflowError, UnsupportedAlgorithm, x509.InvalidVersion, Warning):
            continue
        return name
    return "not a private key in DER, or the wrong password"


def _password_problem(what: str, secret: bytes | None) -> JoseProblem:
    if secret is None:
        return JoseProblem(f"the {what} is encrypted: give its password")
    return JoseProblem(f"the {what} is not encrypted, but a password was given")
