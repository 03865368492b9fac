"""What is kept of a JWK Set that somebody registers: the members this package knows, and nothing else (RFC 7517 §4)."""

from collections.abc import Mapping
from typing import Any

from ...jose.unset import without_unset

LABELS = ("x5t", "x5t#S256")
"""Members that limit nothing: one that does not fit costs no key."""
TEXTS = ("kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", *LABELS)
LISTS = ("key_ops", "x5c")


def keep_known_members(jwks: Mapping[str, Any]) -> dict[str, Any]:
    """The set with the members of its keys that this package knows. Others would fill memory and serve nobody.

    Of ``x5c`` the first certificate is kept, the only one that is ever looked at (RFC 7517 §4.7).

    :param jwks: A JWK Set whose usable keys were checked.
    """
    kept = (_keep(entry) for entry in jwks["keys"])
    return {"keys": [entry for entry in kept if entry is not None]}


def _keep(entry: object) -> dict[str, Any] | None:
    """``None`` for what is no key. A member of another type goes with its key: without it the key could mean more."""
    if not isinstance(entry, Mapping):
        return None
    kept: dict[str, Any] = {}
    given = without_unset(entry)
    for name in (*TEXTS, *LISTS):
        value = given.get(name)
        if value is None:
            continue
        if name in TEXTS:
            is_fit = isinstance(value, str)
        else:
            is_fit = isinstance(value, list) and all(isinstance(item, str) for item in value)
        if not is_fit and name in LABELS:
            continue
        if not is_fit:
            return None
        kept[name] = value[:1] if name == "x5c" else value
    return kept
