"""Unset members: in JSON that describes a key, a client or a server, null or empty means absent.

Many programs write every member they know, set or not: .NET writes a JWK with ``"key_ops": []`` and ``"d": null``,
others a registration with ``"logo_uri": ""``. RFC 8414 §3.2 says to omit such members. Assertions, proofs, request
objects and access tokens are never read in this way, because there a missing member can mean less protection.
"""

from collections.abc import Collection, Mapping
from typing import Any


def is_unset(value: object) -> bool:
    """Whether *value* is null, or an empty string, list or object; zero and false are values."""
    return value is None or (isinstance(value, (str, list, tuple, Mapping)) and not value)


def without_unset(members: Mapping[str, Any], *, keep: Collection[str] = ()) -> dict[str, Any]:
    """*members* without those that are null or empty.

    :param keep: Members that may be empty on purpose; they are left out only if they are null.
    """
    return {
        name: value for name, value in members.items() if not is_unset(value) or (name in keep and value is not None)
    }
