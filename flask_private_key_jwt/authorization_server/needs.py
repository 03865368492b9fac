"""What an endpoint or a grant needs the application to have. One frozen set says what it has; nothing asks twice."""

from collections.abc import Callable, Set
from typing import Literal

Need = Literal["people", "openid", "sign_out", "registration"]
"""What an application has or has not: people it can ask, OpenID Connect, a way to sign people out, registration."""

Offered = Callable[[], frozenset[Need]]
"""What the application has by now: it may say who its people are at any time before the first request."""

REASONS: dict[Need, str] = {
    "people": "the application says nothing of its people",
    "openid": "OpenID Connect is not offered",
    "sign_out": "the application does not say how its people are signed out: it needs @oauth.sign_out",
    "registration": "OAUTH2_REGISTRATION is closed",
}
"""Why something that has this need is not there, for the private reason."""

SETTLED_AT_START: frozenset[Need] = frozenset({"registration"})
"""Needs that the settings alone decide: an endpoint that lacks one has no path at all."""


def find_missing(needs: Set[Need], offered: Set[Need]) -> Need | None:
    """The first of *needs*, in the order of :data:`REASONS`, that is not offered; ``None`` when all are."""
    return next((need for need in REASONS if need in needs and need not in offered), None)
