"""private_key_jwt and DPoP for Flask.

A package is a role on the wire: ``authorization_server`` issues tokens, ``resource_server`` takes them, ``client`` asks
for them. What two of them need lies beside them. Begin with ``authorization_server/server.py``, the seven steps of a
token request; ``docs/architecture.md`` has the map.
"""

from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .authorization_server.authorization.interaction import ConsentPage, SignIn
    from .authorization_server.endpoints.browser_session import note_sign_in
    from .authorization_server.stores.tables.former_columns import gather_client_metadata, spread_client_metadata
    from .errors import TooManyRequests
    from .extension import PrivateKeyJWT
    from .resource_server import ResourceProtector, current_token

_EXPORTS = {
    "PrivateKeyJWT": ".extension",
    "ResourceProtector": ".resource_server",
    "current_token": ".resource_server",
    "ConsentPage": ".authorization_server.authorization.interaction",
    "TooManyRequests": ".errors",
    "SignIn": ".authorization_server.authorization.interaction",
    "note_sign_in": ".authorization_server.endpoints.browser_session",
    "gather_client_metadata": ".authorization_server.stores.tables.former_columns",
    "spread_client_metadata": ".authorization_server.stores.tables.former_columns",
}

__all__ = [
    "ConsentPage",
    "PrivateKeyJWT",
    "ResourceProtector",
    "SignIn",
    "TooManyRequests",
    "__version__",
    "current_token",
    "gather_client_metadata",
    "note_sign_in",
    "spread_client_metadata",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is asked for (PEP 562): a client's process needs no Flask."""
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_EXPORTS[name], __name__), name)
