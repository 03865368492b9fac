"""The client's side: get tokens with a signed assertion, send them with a proof. Imports neither Flask nor the server.

Read in this order: ``auth`` (what a program uses) · ``token_client`` (one token request) · ``endpoint_client`` (one
authenticated form) · ``assertion`` · ``proofs``. ``introspection`` is for APIs: what a token is worth right now.
``authlib_auth`` is for programs on Authlib's client.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..fetching.discovery import DiscoveryError
    from .assertion import build_client_assertion
    from .auth import PrivateKeyJWTAuth
    from .authlib_auth import PrivateKeyJWTClientAuth
    from .errors import ForeignOrigin, IntrospectionError, RevocationError, TokenRequestError
    from .introspection import Introspection, IntrospectionClient
    from .key import load_key
    from .token import Token
    from .token_client import TokenClient

__all__ = [
    "DiscoveryError",
    "ForeignOrigin",
    "Introspection",
    "IntrospectionClient",
    "IntrospectionError",
    "PrivateKeyJWTAuth",
    "PrivateKeyJWTClientAuth",
    "RevocationError",
    "Token",
    "TokenClient",
    "TokenRequestError",
    "build_client_assertion",
    "load_key",
]

_HOMES = {
    "DiscoveryError": "..fetching.discovery",
    "ForeignOrigin": ".errors",
    "Introspection": ".introspection",
    "IntrospectionClient": ".introspection",
    "IntrospectionError": ".errors",
    "PrivateKeyJWTAuth": ".auth",
    "PrivateKeyJWTClientAuth": ".authlib_auth",
    "RevocationError": ".errors",
    "Token": ".token",
    "TokenClient": ".token_client",
    "TokenRequestError": ".errors",
    "build_client_assertion": ".assertion",
    "load_key": ".key",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
