"""The API's side: :class:`ResourceProtector` and :data:`current_token` (RFC 6750, 9068 §4, 9449 §7, 9728).

Reading order: ``guard.py`` is the table of contents of one request, ``protector.py`` ties it to Flask.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .admission import current_token as current_token
    from .protector import ResourceProtector as ResourceProtector

__all__ = ["ResourceProtector", "current_token"]


def __getattr__(name: str) -> Any:
    # Lazy (PEP 562): importing one file of this package does not load Flask and the rest of it.
    if name == "ResourceProtector":
        from .protector import ResourceProtector

        return ResourceProtector
    if name == "current_token":
        from .admission import current_token

        return current_token
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
