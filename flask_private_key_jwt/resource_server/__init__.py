"""The API's side: :class:`ResourceProtector` and :data:`current_token` (RFC 6750, 9068 §4, 9449 §7, 9728).

What is in ``__all__`` is public. Reading order: ``guard.py`` is the table of contents of one request, ``protector.py``
ties it to Flask.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .admission import current_token
    from .protector import ResourceProtector

__all__ = ["ResourceProtector", "current_token"]

_HOMES = {"ResourceProtector": ".protector", "current_token": ".admission"}
"""Public name -> where it is; loaded when it is asked for (PEP 562): importing one file loads no other."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
