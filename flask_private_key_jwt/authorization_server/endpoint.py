"""What a machine endpoint is: where it answers, to which methods, and what must be there for it."""

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Literal

from flask.typing import ResponseReturnValue

Need = Literal["people", "openid", "sign_out", "registration"]
"""What an application has or has not: people it can ask, OpenID Connect, a way to sign people out, registration."""

REASONS: dict[Need, str] = {
    "people": "the application says nothing of its people",
    "openid": "OpenID Connect is not offered",
    "sign_out": "the application does not say how its people are signed out: it needs @oauth.sign_out",
    "registration": "OAUTH2_REGISTRATION is closed",
}
"""Why an endpoint is not there, for the private reason."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint of the authorization server."""

    name: str
    path: str
    methods: tuple[str, ...]
    view: Callable[[], ResponseReturnValue]
    metadata_member: str = ""
    """Its member of the metadata document, if it has one (RFC 8414 §2)."""
    needs: frozenset[Need] = frozenset()
    """What the application must have for it to be there."""
    in_browser: bool = False
    """Whether it is an ordinary view: pages for people, after the app's own hooks."""

    def find_missing(self, offered: Set[Need]) -> Need | None:
        """What the application lacks for this endpoint; ``None`` when it is there."""
        return next((need for need in REASONS if need in self.needs and need not in offered), None)
