"""private_key_jwt and DPoP for Flask.

Reading order: ``server.py`` (the seven steps of a token request), then the package each step names:
``request.py``, ``client_auth/``, ``dpop/``, ``stores/``, ``grants/``, ``tokens/``, ``response.py``. The API's side is
``resource_server/``, the client's side ``client/``; they load neither each other's needs nor the server's.
"""

from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .authorization.interaction import ConsentPage, SignIn
    from .endpoints.browser_session import note_sign_in
    from .errors import TooManyRequests
    from .extension import PrivateKeyJWT
    from .resource_server import ResourceProtector, current_token

_EXPORTS = {
    "PrivateKeyJWT": ".extension",
    "ResourceProtector": ".resource_server",
    "current_token": ".resource_server",
    "ConsentPage": ".authorization.interaction",
    "TooManyRequests": ".errors",
    "SignIn": ".authorization.interaction",
    "note_sign_in": ".endpoints.browser_session",
}

__all__ = [
    "ConsentPage",
    "PrivateKeyJWT",
    "ResourceProtector",
    "SignIn",
    "TooManyRequests",
    "__version__",
    "current_token",
    "note_sign_in",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is asked for (PEP 562): a client's process needs no Flask."""
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_EXPORTS[name], __name__), name)
