"""The client's side: get tokens with a signed assertion, send them with a proof. Imports neither Flask nor the server.

The names in ``__all__`` are public. Read in this order: ``auth`` (what a program uses) · ``token_client`` (one token
request) · ``endpoint_client`` (one authenticated form) · ``assertion`` · ``proofs``. ``introspection`` is for APIs: is
a token active right now? ``authlib_auth`` is for programs that use Authlib's clients.
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
"""Public name -> its module, which is imported at first use (PEP 562)."""


def __getattr__(name: str) -> Any:
    if name == "PrivateKeyJWTClientAuth":
        # An ImportError, because "from … import" hides the message of an AttributeError.
        raise ImportError("PrivateKeyJWTClientAuth is called AuthlibClientAuth: import that from here.")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
