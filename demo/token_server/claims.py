"""What UserInfo says about the demo's people: the extension passes on what the client's scopes allow."""

import re
from typing import Any

from .database import db
from .users import User

MAIL_DOMAIN = "demo.example"
"""A domain that nobody can own (RFC 6761 §6.5), so no mail reaches a stranger."""

_LOCAL_PART = re.compile(r"[a-z0-9]+(?:[._+-][a-z0-9]+)*")


def describe_person(subject: str, _scope: frozenset[str]) -> dict[str, Any] | None:
    """The claims about a person (OpenID Connect Core §5.1); ``None``: there is no such person any more."""
    user = db.session.get(User, subject)
    if user is None:
        return None
    claims: dict[str, Any] = {"name": user.name, "preferred_username": user.name}
    if _LOCAL_PART.fullmatch(user.name):
        # Made up from the name: nobody has shown that mail to it arrives.
        claims |= {"email": f"{user.name}@{MAIL_DOMAIN}", "email_verified": False}
    return claims
