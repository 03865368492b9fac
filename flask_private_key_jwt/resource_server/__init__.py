"""The API's side: :class:`ResourceProtector` and :data:`current_token` (RFC 6750, 9068 §4, 9449 §7, 9728).

The names in ``__all__`` are public. Read ``guard.py`` first: it holds the steps of one request. ``protector.py``
connects them to Flask.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .protector import ResourceProtector
    from .token_in_flask import current_token

__all__ = ["ResourceProtector", "current_token"]

_HOMES = {"ResourceProtector": ".protector", "current_token": ".token_in_flask"}
"""Public name -> its module, which is imported at first use (PEP 562), so that importing one file imports no other."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
