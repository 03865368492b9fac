"""Make a client's key and write it to files: the private key for the client only, the public key for the server."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import clock
from ..errors import ConfigurationError
from ..jose import jose
from ..jose.certificates import build_self_signed, jwk_of, load_certificate


@dataclass(frozen=True, slots=True)
class KeyFile:
    """One file to write."""

    path: Path
    content: bytes
    meaning: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class CertificateWish:
    """What to write into a self-signed certificate."""

    common_name: str
    days: int


def make_key(alg: str, bits: int | None) -> jose.PrivateKey:
    """A new key.

    :param alg: What it signs with (RFC 7518 §3.1).
    :param bits: Size of an RSA key; ``None`` for the usual one.
    :raises ConfigurationError: The size does not fit.
    """
    if bits is None:
        return jose.generate_private_key(alg)
    if not alg.startswith(("PS", "RS")):
        raise ConfigurationError(f"--bits is for RSA keys (PS256, RS256 and the like), not for {alg}.")
    if not jose.RSA_MIN_BITS <= bits <= jose.RSA_MAX_BITS:
        raise ConfigurationError(f"--bits must lie between {jose.RSA_MIN_BITS} and {jose.RSA_MAX_BITS}.")
    return jose.generate_private_key(alg, rsa_bits=bits)


def build_key_files(
    prefix: str, key: jose.PrivateKey, *, password: str | None = None, certificate: CertificateWish | None = None
) -> list[KeyFile]:
    """The files of a new key, not written yet.

    :param prefix: The start of their names, folder included.
    :param password: Encrypts the private key.
    :raises ConfigurationError: The certificate cannot be made.
    """
    public_jwk = key.public_jwk()
    files = [KeyFile(Path(f"{prefix}.pem"), key.as_pem(password), "the private key: keep it secret", mode=0o600)]
    if certificate:
        pem = _build_certificate(key, certificate)
        public_jwk = {**jwk_of(load_certificate(pem)), **public_jwk}  # keeps the kid that the client sends
        files.append(KeyFile(Path(f"{prefix}.cert.pem"), pem, f"a self-signed certificate for {certificate.days} days"))
    jwks = {"keys": [public_jwk]}
    return [
        *files,
        KeyFile(Path(f"{prefix}.jwks.json"), _json(jwks), "the public key, as a JWK Set"),
        KeyFile(Path(f"{prefix}.registration.json"), _json({"jwks": jwks}), "the same, as client metadata (RFC 7591)"),
    ]


def write_key_files(files: list[KeyFile]) -> None:
    """Write all *files* or none; a file that exists is never overwritten.

    :raises ConfigurationError: A file exists, or cannot be written.
    """
    written: list[Path] = []
    try:
        for file in files:
            # The mode is set when the file is created, so that nobody else can ever open the private key.
            descriptor = os.open(file.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode)
            written.append(file.path)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(file.content)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        for path in written:
            path.unlink()
        if isinstance(error, FileExistsError):
            raise ConfigurationError(
                f"{file.path} exists already. Nothing was written; choose another --out."
            ) from None
        cause = (error.strerror if isinstance(error, OSError) else None) or "no path at all"
        raise ConfigurationError(f"{file.path} cannot be written: {cause}. Nothing was written.") from None


def _build_certificate(key: jose.PrivateKey, wish: CertificateWish) -> bytes:
    try:
        return build_self_signed(key, common_name=wish.common_name, days=wish.days, now=clock.now())
    except jose.JoseProblem as problem:
        raise ConfigurationError(f"The certificate cannot be made: {problem}.") from None


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"
