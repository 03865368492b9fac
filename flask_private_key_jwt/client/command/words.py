"""What stands in a JWT, in words: its kind, its claims, and its times as dates."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from .output import quote

KINDS = {
    "at+jwt": "an access token (RFC 9068)",
    "dpop+jwt": "a DPoP proof (RFC 9449)",
    "oauth-authz-req+jwt": "a signed authorization request (RFC 9101)",
    "client-authentication+jwt": "a client assertion (RFC 7523)",
    "token-introspection+jwt": "an introspection answer (RFC 9701)",
    "logout+jwt": "a logout token (OpenID Connect)",
}
"""``typ`` -> what such a JWT is."""

MEANINGS = {
    "alg": "signed with",
    "typ": "kind",
    "kid": "name of the key",
    "jwk": "public key of the signer",
    "x5t": "SHA-1 thumbprint of the certificate",
    "iss": "issued by",
    "sub": "about",
    "aud": "for",
    "azp": "for the client",
    "client_id": "for the client",
    "iat": "issued at",
    "nbf": "not before",
    "exp": "expires",
    "auth_time": "signed in at",
    "jti": "id, to be used once",
    "nonce": "nonce",
    "scope": "allows",
    "cnf": "bound to a key",
    "htm": "method of the request",
    "htu": "URL of the request",
    "ath": "hash of the access token",
    "at_hash": "hash of the access token",
    "acr": "how well the person signed in",
    "amr": "how the person signed in",
}
"""Header parameter or claim -> what it says."""

TIMES = ("iat", "nbf", "exp", "auth_time", "updated_at")
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def name_kind(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """What kind of JWT it seems to be."""
    typ = str(header.get("typ", "")).lower().removeprefix("application/")
    if typ in KINDS:
        return KINDS[typ]
    if "nonce" in claims or "at_hash" in claims or "auth_time" in claims:
        return "probably an ID token (OpenID Connect)"
    if "iss" in claims and claims.get("iss") == claims.get("sub"):
        return "probably a client assertion (RFC 7523)"
    return "a JWT of a kind that it does not name"


def describe(members: Mapping[str, Any], *, now: int) -> Iterator[str]:
    """One line for each member: its name, its value, and what that means."""
    width = max((len(name) for name in members), default=0)
    for name, value in members.items():
        label = quote(name)
        shown = quote(value) if isinstance(value, str) else json.dumps(value)
        meaning = MEANINGS.get(name)
        if (time := find_time(name, value)) is not None:
            meaning = f"{meaning or 'time'}: {show_time(time)}, {show_distance(time, now=now)}"
        yield f"  {label:{width}}  {shown}" + (f"   ({meaning})" if meaning else "")


def find_time(name: str, value: object) -> float | None:
    """The moment that a claim names, in seconds since the epoch; ``None`` if it names none that can be shown."""
    if name not in TIMES or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value < 253_402_300_800 else None  # the year 10000


def show_time(moment: float) -> str:
    """A moment as a date, in UTC."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def show_distance(moment: float, *, now: int) -> str:
    """How far a moment is from now: ``in 5 minutes``, ``2 days ago``."""
    seconds = int(moment) - now
    if seconds == 0:
        return "now"
    size, unit = next((size, unit) for size, unit in _UNITS if abs(seconds) >= size)
    count = round(abs(seconds) / size)
    length = f"{count} {unit}{'' if count == 1 else 's'}"
    return f"in {length}" if seconds > 0 else f"{length} ago"
