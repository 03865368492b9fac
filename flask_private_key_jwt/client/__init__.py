"""The client's side: get tokens with a signed assertion, send them with a proof. Imports neither Flask nor the server.

What is in ``__all__`` is public. Read in this order: ``auth`` (what a program uses) · ``token_client`` (one token
request) · ``endpoint_client`` (one authenticated form) · ``assertion`` · ``proofs``. ``introspection`` is for APIs:
what a token is worth right now. ``authlib_auth`` is for programs on Authlib's client.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..fetching.discovery import DiscoveryError, ServerMetadata
    from ..jose.certificates import Certificate
    from ..jose.jose import PrivateKey, PublicKey
    from .assertion import build_client_assertion
    from .auth import PrivateKeyJWTAuth
    from .authlib_auth import AuthlibClientAuth
    from .certificate import CertificateSource
    from .errors import EndpointError, ForeignOrigin, IntrospectionError, RevocationError, TokenRequestError
    from .introspection import Introspection, IntrospectionClient
    from .key import KeySource, generate_key, load_key
    from .proofs import Prover
    from .token import Token
    from .token_client import TokenClient

__all__ = [
    "AuthlibClientAuth",
    "Certificate",
    "CertificateSource",
    "DiscoveryError",
    "EndpointError",
    "ForeignOrigin",
    "Introspection",
    "IntrospectionClient",
    "IntrospectionError",
    "KeySource",
    "PrivateKey",
    "PrivateKeyJWTAuth",
    "Prover",
    "PublicKey",
    "RevocationError",
    "ServerMetadata",
    "Token",
    "TokenClient",
    "TokenRequestError",
    "build_client_assertion",
    "generate_key",
    "load_key",
]

_HOMES = {
    "AuthlibClientAuth": ".authlib_auth",
    "Certificate": "..jose.certificates",
    "CertificateSource": ".certificate",
    "DiscoveryError": "..fetching.discovery",
    "EndpointError": ".errors",
    "ForeignOrigin": ".errors",
    "Introspection": ".introspection",
    "IntrospectionClient": ".introspection",
    "IntrospectionError": ".errors",
    "KeySource": ".key",
    "PrivateKey": "..jose.jose",
    "PrivateKeyJWTAuth": ".auth",
    "Prover": ".proofs",
    "PublicKey": "..jose.jose",
    "RevocationError": ".errors",
    "ServerMetadata": "..fetching.discovery",
    "Token": ".token",
    "TokenClient": ".token_client",
    "TokenRequestError": ".errors",
    "build_client_assertion": ".assertion",
    "generate_key": ".key",
    "load_key": ".key",
}
"""Public name -> where it is; loaded when it is asked for (PEP 562)."""


def __getattr__(name: str) -> Any:
    if name == "PrivateKeyJWTClientAuth":
        # An ImportError: of an AttributeError, "from … import" shows nothing but the missing name.
        raise ImportError("PrivateKeyJWTClientAuth is called AuthlibClientAuth: import that from here.")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
