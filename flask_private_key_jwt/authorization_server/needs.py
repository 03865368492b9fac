"""What an application must have for an endpoint or a grant to be served. One frozen set says what it has."""

from collections.abc import Callable, Set
from typing import Literal

Need = Literal["people", "openid", "sign_out", "registration", "smart"]
"""Something an application may have: people it can ask, OpenID Connect, a way to sign people out, registration, or
the profile ``smart``."""

Offered = Callable[[], frozenset[Need]]
"""Returns what the application has now; until the first request it may still register its user loader."""

REASONS: dict[Need, str] = {
    "people": "the application says nothing of its people",
    "openid": "OpenID Connect is not offered",
    "sign_out": "the application does not say how its people are signed out: it needs @oauth.sign_out",
    "registration": "OAUTH2_REGISTRATION is closed",
    "smart": "OAUTH2_PROFILE is not smart",
}
"""Need -> the private reason why something that has it is not served."""

SETTLED_AT_START: frozenset[Need] = frozenset({"registration", "smart"})
"""Needs that the settings alone decide: without them an endpoint gets no path at all."""


def find_missing(needs: Set[Need], offered: Set[Need]) -> Need | None:
    """The first of *needs*, in the order of :data:`REASONS`, that is not offered; ``None`` when all are."""
    return next((need for need in REASONS if need in needs and need not in offered), None)
