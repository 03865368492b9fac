"""private_key_jwt and DPoP for Flask.

A package is a role on the wire: ``authorization_server`` issues tokens, ``resource_server`` takes them, ``client`` asks
for them. What two of them need lies beside them. Begin with ``authorization_server/server.py``, the seven steps of a
token request; ``docs/architecture.md`` has the map.

What an application may import is in the ``__all__`` of this module and of ``errors``, ``signals``, ``client``,
``resource_server`` and ``replay``, and described in ``docs/api.md``. Everything else may move.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .authorization_server.authorization.interaction import ConsentPage, SignIn
    from .authorization_server.endpoints.browser_session import note_sign_in
    from .authorization_server.registered_client import RegisteredClient
    from .authorization_server.registration.registry import ClientRegistry
    from .authorization_server.request import FormRequest
    from .authorization_server.stores.sql.registration_tokens import RegistrationToken, RegistrationTokens
    from .authorization_server.stores.tables.former_columns import gather_client_metadata, spread_client_metadata
    from .authorization_server.tokens.access_token import Grant
    from .dpop.proof import DPoPProof
    from .errors import TooManyRequests
    from .extension import PrivateKeyJWT
    from .resource_server import ResourceProtector, current_token

__all__ = [
    "ClientRegistry",
    "ConsentPage",
    "DPoPProof",
    "FormRequest",
    "Grant",
    "PrivateKeyJWT",
    "RegisteredClient",
    "RegistrationToken",
    "RegistrationTokens",
    "ResourceProtector",
    "SignIn",
    "TooManyRequests",
    "__version__",
    "current_token",
    "gather_client_metadata",
    "note_sign_in",
    "spread_client_metadata",
]

_HOMES = {
    "ClientRegistry": ".authorization_server.registration.registry",
    "ConsentPage": ".authorization_server.authorization.interaction",
    "DPoPProof": ".dpop.proof",
    "FormRequest": ".authorization_server.request",
    "Grant": ".authorization_server.tokens.access_token",
    "PrivateKeyJWT": ".extension",
    "RegisteredClient": ".authorization_server.registered_client",
    "RegistrationToken": ".authorization_server.stores.sql.registration_tokens",
    "RegistrationTokens": ".authorization_server.stores.sql.registration_tokens",
    "ResourceProtector": ".resource_server",
    "SignIn": ".authorization_server.authorization.interaction",
    "TooManyRequests": ".errors",
    "current_token": ".resource_server",
    "gather_client_metadata": ".authorization_server.stores.tables.former_columns",
    "note_sign_in": ".authorization_server.endpoints.browser_session",
    "spread_client_metadata": ".authorization_server.stores.tables.former_columns",
}
"""Public name -> where it is; loaded when it is asked for (PEP 562): a client's process needs no Flask."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
