"""Load a client's private key, from whatever it is kept in."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from ..keys import jose

KeySource = str | bytes | os.PathLike[str] | Mapping[str, Any] | jose.PrivateKey
"""A path of a PEM or JWK file; PEM or JWK text; a JWK; or a key that is loaded already."""


def load_key(source: KeySource, *, alg: str | None = None, password: str | None = None) -> jose.PrivateKey:
    """Load the private key a client signs with.

    :param alg: The algorithm to sign with (RFC 7518 §3.1). Default: the JWK's ``alg``, else the usual one of the
        key's type: ES256, ES384 or ES512 by its curve, PS256 for RSA, EdDSA for Ed25519.
    :param password: Of an encrypted PEM.
    :raises ConfigurationError: There is no such file, it holds no private key, the password is wrong, or the
        algorithm does not fit the key.
    """
    try:
        if isinstance(source, jose.PrivateKey):
            return _with_alg(source, alg)
        if isinstance(source, (str, os.PathLike)) and not _is_key_text(source):
            source = _read(source)
        assert not isinstance(source, os.PathLike)
        return jose.import_private_key(source, alg=alg, password=password)
    except jose.JoseProblem as problem:
        raise ConfigurationError(f"The private key is not usable: {problem}.") from None


def _with_alg(key: jose.PrivateKey, alg: str | None) -> jose.PrivateKey:
    if alg is not None and not key.public.fits(alg):
        raise jose.JoseProblem(f"alg {alg!r} does not fit the key; it can do {', '.join(sorted(key.public.algs))}")
    return replace(key, alg=alg or key.alg)


def _is_key_text(source: str | os.PathLike[str]) -> bool:
    return isinstance(source, str) and ("-----BEGIN" in source or source.lstrip().startswith("{"))


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in it
        cause = (error.strerror if isinstance(error, OSError) else None) or "no path at all"
        # Not quoted in full: what was meant as the text of a key must not end in a log.
        raise ConfigurationError(f"The key file {str(path)[:80]!r} cannot be read: {cause}.") from None
