"""JSON merge patch (RFC 7396), and what it means for a client's metadata."""

from collections.abc import Mapping
from typing import Any

from ...jose.unset import is_unset

KEY_SOURCES = ("jwks", "jwks_uri")
"""A client publishes its keys in one of these, never in both (RFC 7591 §2)."""


def merge_patch(target: Any, patch: Any) -> Any:
    """The result of applying *patch* to *target*: ``None`` removes, an object merges, all else replaces (RFC 7396 §2).

    An array is replaced whole. Neither argument is changed.
    """
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def merge_metadata(metadata: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A client's metadata after a change (RFC 7396). A new ``jwks`` also removes the ``jwks_uri``, and vice versa.

    If *patch* has both, :func:`.metadata.build_client` refuses the result.
    """
    kept = dict(metadata)
    for given, other in (KEY_SOURCES, KEY_SOURCES[::-1]):
        if not is_unset(patch.get(given)):
            kept.pop(other, None)
    merged: dict[str, Any] = merge_patch(kept, patch)
    return merged
