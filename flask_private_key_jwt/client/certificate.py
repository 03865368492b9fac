"""The certificate of a client's key, for servers that identify the client by a certificate, as .NET's do."""

import os

from .. import clock
from ..errors import ConfigurationError
from ..jose import jose
from ..jose.certificates import Certificate, load_certificate
from .source_file import read_file

CertificateSource = str | bytes | os.PathLike[str] | Certificate
"""The path of a certificate file; a certificate in PEM, base64 DER or DER; or one that is already loaded."""


def load_client_certificate(source: CertificateSource, key: jose.PrivateKey) -> Certificate:
    """Load the certificate of *key*.

    :raises ConfigurationError: There is no such file, it contains no certificate, or the certificate belongs to another
        key, has expired or is not valid yet.
    """
    try:
        certificate = source if isinstance(source, Certificate) else load_certificate(_read(source))
    except jose.JoseProblem as problem:
        raise ConfigurationError(f"The certificate is not usable: {problem}.") from None
    if certificate.public_key.thumbprint != key.public.thumbprint:
        raise ConfigurationError("The certificate is another key's, not the private key's.")
    if not certificate.is_current(clock.now()):
        raise ConfigurationError("The certificate is not in its lifetime, so no server accepts it: make a new one.")
    return certificate


def _read(source: str | bytes | os.PathLike[str]) -> str | bytes:
    if isinstance(source, str) and not source.strip():
        raise ConfigurationError("The certificate is empty: give its path, or the certificate itself.")
    # A certificate in base64 always starts with MII: a SEQUENCE whose length takes two bytes.
    if isinstance(source, bytes) or (isinstance(source, str) and ("-----BEGIN" in source or source.startswith("MII"))):
        return source
    return read_file(source, "certificate")
