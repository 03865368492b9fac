"""The client's side: get tokens with a signed assertion, send them with a proof. Imports neither Flask nor the server.

The names in ``__all__`` are public. Read in this order: ``auth`` (what a program uses) · ``token_client`` (one token
request) · ``endpoint_client`` (one authenticated form) · ``assertion`` · ``proofs``. ``introspection`` is for APIs: is
a token active right now? ``authlib_auth`` is for programs that use Authlib's clients.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..fetching.discovery import DiscoveryError, ServerMetadata
    from ..jose.certificates import Certificate
    from ..jose.jose import PrivateKey, PublicKey
    from .assertion import build_client_assertion
    from .auth import PrivateKeyJWTAuth
    from .authlib_auth import AuthlibClientAuth
    from .certificate import CertificateSource
    from .code_flow.client import AuthorizationCodeClient, SignInRequest
    from .code_flow.pending import PendingSignIn
    from .code_flow.pending_sign_ins import PendingSignIns
    from .code_flow.person_auth import PersonAuth
    from .code_flow.token_store import FileTokenStore, MappingTokenStore, TokenStore
    from .code_flow.tokens import PersonTokens
    from .errors import (
        EndpointError,
        ForeignOrigin,
        IntrospectionError,
        PushError,
        RevocationError,
        SignInError,
        SignInRequired,
        TokenRequestError,
        UnrepeatableBody,
        UserInfoError,
    )
    from .in_httpx.async_token_client import AsyncTokenClient
    from .in_httpx.auth import HTTPXPrivateKeyJWTAuth
    from .in_httpx.transport import AsyncFreshProofTransport, FreshProofTransport
    from .introspection import Introspection, IntrospectionClient
    from .key import KeySource, generate_key, load_key
    from .proofs import Prover
    from .token import Token
    from .token_client import TokenClient

__all__ = [
    "AsyncFreshProofTransport",
    "AsyncTokenClient",
    "AuthlibClientAuth",
    "AuthorizationCodeClient",
    "Certificate",
    "CertificateSource",
    "DiscoveryError",
    "EndpointError",
    "FileTokenStore",
    "ForeignOrigin",
    "FreshProofTransport",
    "HTTPXPrivateKeyJWTAuth",
    "Introspection",
    "IntrospectionClient",
    "IntrospectionError",
    "KeySource",
    "MappingTokenStore",
    "PendingSignIn",
    "PendingSignIns",
    "PersonAuth",
    "PersonTokens",
    "PrivateKey",
    "PrivateKeyJWTAuth",
    "Prover",
    "PublicKey",
    "PushError",
    "RevocationError",
    "ServerMetadata",
    "SignInError",
    "SignInRequest",
    "SignInRequired",
    "Token",
    "TokenClient",
    "TokenRequestError",
    "TokenStore",
    "UnrepeatableBody",
    "UserInfoError",
    "build_client_assertion",
    "generate_key",
    "load_key",
]

_HOMES = {
    "AsyncFreshProofTransport": ".in_httpx.transport",
    "AsyncTokenClient": ".in_httpx.async_token_client",
    "AuthlibClientAuth": ".authlib_auth",
    "AuthorizationCodeClient": ".code_flow.client",
    "Certificate": "..jose.certificates",
    "CertificateSource": ".certificate",
    "DiscoveryError": "..fetching.discovery",
    "EndpointError": ".errors",
    "FileTokenStore": ".code_flow.token_store",
    "ForeignOrigin": ".errors",
    "FreshProofTransport": ".in_httpx.transport",
    "HTTPXPrivateKeyJWTAuth": ".in_httpx.auth",
    "Introspection": ".introspection",
    "IntrospectionClient": ".introspection",
    "IntrospectionError": ".errors",
    "KeySource": ".key",
    "MappingTokenStore": ".code_flow.token_store",
    "PendingSignIn": ".code_flow.pending",
    "PendingSignIns": ".code_flow.pending_sign_ins",
    "PersonAuth": ".code_flow.person_auth",
    "PersonTokens": ".code_flow.tokens",
    "PrivateKey": "..jose.jose",
    "PrivateKeyJWTAuth": ".auth",
    "Prover": ".proofs",
    "PublicKey": "..jose.jose",
    "PushError": ".errors",
    "RevocationError": ".errors",
    "ServerMetadata": "..fetching.discovery",
    "SignInError": ".errors",
    "SignInRequest": ".code_flow.client",
    "SignInRequired": ".errors",
    "Token": ".token",
    "TokenClient": ".token_client",
    "TokenRequestError": ".errors",
    "TokenStore": ".code_flow.token_store",
    "UnrepeatableBody": ".errors",
    "UserInfoError": ".errors",
    "build_client_assertion": ".assertion",
    "generate_key": ".key",
    "load_key": ".key",
}
"""Public name -> its module, which is imported at first use (PEP 562)."""


if find_spec("httpx") is None:  # the extra is not installed: "import *" must not fail for it
    for _name in [name for name, home in _HOMES.items() if home.startswith(".in_httpx.")]:
        __all__.remove(_name)


def __getattr__(name: str) -> Any:
    if name == "PrivateKeyJWTClientAuth":
        # An ImportError, because "from … import" hides the message of an AttributeError.
        raise ImportError("PrivateKeyJWTClientAuth is called AuthlibClientAuth: import that from here.")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
