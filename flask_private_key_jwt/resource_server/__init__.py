"""The API's side: a protector for each framework (RFC 6750, 9068 §4, 9449 §7, 9728).

The names in ``__all__`` are public. Read ``guard.py`` first: it holds the steps of one request. ``protector.py``
connects them to Flask, ``asgi.py`` and ``wsgi.py`` to everything else.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .admission import find_token
    from .asgi import ASGIProtector
    from .in_fastapi import FastAPIProtector
    from .in_quart import QuartProtector
    from .in_starlette import StarletteProtector
    from .protector import ResourceProtector
    from .token_in_flask import current_token
    from .wsgi import WSGIProtector

__all__ = [
    "ASGIProtector",
    "FastAPIProtector",
    "QuartProtector",
    "ResourceProtector",
    "StarletteProtector",
    "WSGIProtector",
    "current_token",
    "find_token",
]

_HOMES = {
    "ASGIProtector": ".asgi",
    "FastAPIProtector": ".in_fastapi",
    "QuartProtector": ".in_quart",
    "ResourceProtector": ".protector",
    "StarletteProtector": ".in_starlette",
    "WSGIProtector": ".wsgi",
    "current_token": ".token_in_flask",
    "find_token": ".admission",
}
"""Public name -> its module, which is imported at first use (PEP 562), so that importing one file imports no other."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
