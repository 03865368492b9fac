"""The arguments that every client shares, for signatures that pass them on."""

from collections.abc import Mapping
from typing import Required, TypedDict

from ..jose import jose
from .certificate import CertificateSource
from .key import KeySource


class ClientOptions(TypedDict, total=False):
    """Named arguments of :class:`.TokenClient` that say who the client is and how its server is reached."""

    key: Required[KeySource]
    alg: str | None
    key_password: str | None
    kid: str | None
    certificate: CertificateSource | None
    audience: str | None
    timeout: float
    proxies: Mapping[str, str] | None
    ca_bundle: str | None


class TokenClientOptions(ClientOptions, total=False):
    """All named arguments of :class:`.TokenClient`."""

    dpop_key: jose.PrivateKey | None
