"""The client's side: get tokens with a signed assertion, send them with a proof. Imports neither Flask nor the server.

Read in this order: ``auth`` (what a program uses) · ``token_client`` (one token request) · ``assertion`` · ``proofs``;
``authlib_auth`` is for programs on Authlib's client.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..discovery import DiscoveryError
    from .assertion import build_client_assertion
    from .auth import PrivateKeyJWTAuth
    from .authlib_auth import PrivateKeyJWTClientAuth
    from .errors import ForeignOrigin, TokenRequestError
    from .key import load_key
    from .token import Token
    from .token_client import TokenClient

__all__ = [
    "DiscoveryError",
    "ForeignOrigin",
    "PrivateKeyJWTAuth",
    "PrivateKeyJWTClientAuth",
    "Token",
    "TokenClient",
    "TokenRequestError",
    "build_client_assertion",
    "load_key",
]

_HOMES = {
    "DiscoveryError": "..discovery",
    "ForeignOrigin": ".errors",
    "PrivateKeyJWTAuth": ".auth",
    "PrivateKeyJWTClientAuth": ".authlib_auth",
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
