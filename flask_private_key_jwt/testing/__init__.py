"""For the tests of applications that use this package: a pytest plugin, and what its fixtures are made of.

``plugin.py`` has the fixtures. The names in ``__all__`` are public; importing this package alone loads none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api_client import APIClient, SentCall
    from .attack import Attack, Refused
    from .held_token import HeldToken
    from .in_process_server import InProcessServer, MadeClient, SentTokenRequest
    from .refusals import Refusal
    from .replay_contract import ReplayStoreContract
    from .time_machine import TimeMachine

__all__ = [
    "APIClient",
    "Attack",
    "HeldToken",
    "InProcessServer",
    "MadeClient",
    "Refusal",
    "Refused",
    "ReplayStoreContract",
    "SentCall",
    "SentTokenRequest",
    "TimeMachine",
]

_HOMES = {
    "APIClient": ".api_client",
    "Attack": ".attack",
    "HeldToken": ".held_token",
    "InProcessServer": ".in_process_server",
    "MadeClient": ".in_process_server",
    "Refusal": ".refusals",
    "Refused": ".attack",
    "ReplayStoreContract": ".replay_contract",
    "SentCall": ".api_client",
    "SentTokenRequest": ".in_process_server",
    "TimeMachine": ".time_machine",
}
"""Public name -> its module, which is imported at first use (PEP 562)."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
