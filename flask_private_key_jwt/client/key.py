"""Load a client's private key from any of the usual formats."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import ConfigurationError
from ..jose import jose
from ..jose.private_keys import decode_base64_key
from .source_file import is_file, read_file

KeySource = str | bytes | os.PathLike[str] | Mapping[str, Any] | jose.PrivateKey
"""The path of a key file; the content of one, as a string or bytes; a JWK; or a key that is already loaded."""


def generate_key(alg: str = "ES256") -> jose.PrivateKey:
    """Make a new key pair, for DPoP or for a client. ``python -m flask_private_key_jwt.client keygen`` makes key files.

    :param alg: The algorithm it signs with (RFC 7518 §3.1); an RSA key has 2048 bits.
    :raises ConfigurationError: The algorithm is not one of ours.
    """
    try:
        return jose.generate_private_key(alg)
    except jose.JoseProblem as problem:
        raise ConfigurationError(f"No key can be made: {problem}.") from None


def load_key(source: KeySource, *, alg: str | None = None, password: str | None = None) -> jose.PrivateKey:
    """Load a client's private key: PEM, OpenSSH, DER, PKCS #12 (PFX) or JWK, or the base64 of one of these.

    :param source: The path of a key file, or the key itself.
    :param alg: The algorithm to sign with (RFC 7518 §3.1). Default: the JWK's ``alg``, else the usual algorithm of the
        key's type: ES256, ES384 or ES512 by its curve, PS256 for RSA, EdDSA for Ed25519.
    :param password: The password of an encrypted PEM or PKCS #12 file.
    :raises ConfigurationError: There is no such file, it contains no private key, the password is wrong, or the
        algorithm does not fit the key.
    """
    if source is None or (isinstance(source, str) and not source.strip()):
        raise ConfigurationError(
            f"The key is {'None' if source is None else 'empty'}: give its path, or the key itself."
        )
    if not isinstance(source, (str, bytes, os.PathLike, Mapping, jose.PrivateKey)):
        raise ConfigurationError(f"The key is a {type(source).__name__}: give its path, or the key as PEM or JWK.")
    try:
        if isinstance(source, jose.PrivateKey):
            return _with_alg(source, alg)
        if isinstance(source, os.PathLike) or (isinstance(source, str) and not _is_key_text(source)):
            source = read_file(source, "key")
        return jose.import_private_key(source, alg=alg, password=password)
    except jose.JoseProblem as problem:
        raise ConfigurationError(f"The private key is not usable: {problem}.") from None


def _with_alg(key: jose.PrivateKey, alg: str | None) -> jose.PrivateKey:
    if alg is not None and not key.public.fits(alg):
        raise jose.JoseProblem(f"alg {alg!r} does not fit the key; it can do {', '.join(sorted(key.public.algs))}")
    return replace(key, alg=alg or key.alg)


def _is_key_text(source: str) -> bool:
    text = source.lstrip("\ufeff \t\r\n")
    if "-----BEGIN" in text or text.startswith(("{", "ssh-", "ecdsa-sha2-")):
        return True
    return not is_file(source) and decode_base64_key(text.encode("utf-8", "replace")) is not None
