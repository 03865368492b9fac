"""Where an authorization response goes, and what it says (RFC 6749 §4.1.2, RFC 9207)."""

import base64
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from urllib.parse import urlencode

RESPONSE_MODES = ("query", "form_post")
"""How a response may travel (OAuth 2.0 Multiple Response Types §2.1, Form Post Response Mode §2)."""

_SUBMIT = "document.forms[0].submit()"
SUBMIT_SCRIPT_HASH = "sha256-" + base64.b64encode(sha256(_SUBMIT.encode()).digest()).decode()
"""Lets the page of :func:`build_form_page` run its one script (Content Security Policy 3 §2.3.1)."""


@dataclass(frozen=True, slots=True)
class ResponseTarget:
    """A place that was checked: an authorization response, good or bad, may go there."""

    redirect_uri: str
    response_mode: str
    state: str | None

    def build_members(self, issuer: str, **members: str) -> dict[str, str]:
        """The parameters of a response: *members*, ``state`` if one came, and ``iss`` in any case (RFC 9207 §2)."""
        if self.state is not None:
            members["state"] = self.state
        return {**members, "iss": issuer}


def build_location(redirect_uri: str, members: dict[str, str]) -> str:
    """*redirect_uri* with the response in its query; a query of its own stays in front (RFC 6749 §3.1.2)."""
    separator = "&" if "?" in redirect_uri else "?"
    return f"{redirect_uri}{separator}{urlencode(members)}"


def build_form_page(redirect_uri: str, members: dict[str, str]) -> str:
    """A page that posts the response to *redirect_uri* by itself, or with a button where scripts do not run."""
    fields = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in members.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Continue</title></head><body>'
        f'<form method="post" action="{escape(redirect_uri)}">{fields}<button type="submit">Continue</button></form>'
        f"<script>{_SUBMIT}</script></body></html>"
    )
