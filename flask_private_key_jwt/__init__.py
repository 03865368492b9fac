"""private_key_jwt and DPoP for Flask.

Each role has its package: ``authorization_server`` issues tokens, ``resource_server`` accepts them, ``client`` requests
them. Code that two roles share is in the packages beside them. Start with ``authorization_server/server.py``: it holds
the seven steps of a token request. ``docs/architecture.md`` has the map.

An application may import the names in ``__all__`` of this module and of ``errors``, ``signals``, ``client``,
``resource_server``, ``replay`` and ``testing``; ``docs/api.md`` describes them. Everything else may move.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .authorization_server.authorization.interaction import ConsentPage, SignIn
    from .authorization_server.authorization.person_grants import PersonGrant, PersonGrants
    from .authorization_server.endpoints.browser_session import note_sign_in
    from .authorization_server.extension import PrivateKeyJWT
    from .authorization_server.machine_limits import MachineLimits
    from .authorization_server.registered_client import RegisteredClient
    from .authorization_server.registration.client_secrets import ClientSecret, ClientSecretRegistry, GivenSecret
    from .authorization_server.registration.registry import ClientRegistry
    from .authorization_server.request import FormRequest
    from .authorization_server.stores.sql.registration_tokens import RegistrationToken, RegistrationTokens
    from .authorization_server.stores.tables.former_columns import gather_client_metadata, spread_client_metadata
    from .authorization_server.tokens.access_token import Grant
    from .dpop.proof import DPoPProof
    from .errors import TooManyRequests
    from .operations.health import health_blueprint
    from .operations.metrics import metrics_blueprint
    from .operations.traces import trace_steps
    from .resource_server import ResourceProtector, current_token

__all__ = [
    "ClientRegistry",
    "ClientSecret",
    "ClientSecretRegistry",
    "ConsentPage",
    "DPoPProof",
    "FormRequest",
    "GivenSecret",
    "Grant",
    "MachineLimits",
    "PersonGrant",
    "PersonGrants",
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
    "health_blueprint",
    "metrics_blueprint",
    "note_sign_in",
    "spread_client_metadata",
    "trace_steps",
]

_HOMES = {
    "ClientRegistry": ".authorization_server.registration.registry",
    "ClientSecret": ".authorization_server.registration.client_secrets",
    "ClientSecretRegistry": ".authorization_server.registration.client_secrets",
    "ConsentPage": ".authorization_server.authorization.interaction",
    "DPoPProof": ".dpop.proof",
    "FormRequest": ".authorization_server.request",
    "GivenSecret": ".authorization_server.registration.client_secrets",
    "Grant": ".authorization_server.tokens.access_token",
    "MachineLimits": ".authorization_server.machine_limits",
    "PersonGrant": ".authorization_server.authorization.person_grants",
    "PersonGrants": ".authorization_server.authorization.person_grants",
    "PrivateKeyJWT": ".authorization_server.extension",
    "RegisteredClient": ".authorization_server.registered_client",
    "RegistrationToken": ".authorization_server.stores.sql.registration_tokens",
    "RegistrationTokens": ".authorization_server.stores.sql.registration_tokens",
    "ResourceProtector": ".resource_server",
    "SignIn": ".authorization_server.authorization.interaction",
    "TooManyRequests": ".errors",
    "current_token": ".resource_server",
    "gather_client_metadata": ".authorization_server.stores.tables.former_columns",
    "health_blueprint": ".operations.health",
    "metrics_blueprint": ".operations.metrics",
    "note_sign_in": ".authorization_server.endpoints.browser_session",
    "spread_client_metadata": ".authorization_server.stores.tables.former_columns",
    "trace_steps": ".operations.traces",
}
"""Public name -> its module, which is imported at first use (PEP 562), because a client's process needs no Flask."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
