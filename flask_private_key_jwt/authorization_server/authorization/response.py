"""Where an authorization response goes, and what it says (RFC 6749 §4.1.2, RFC 9207)."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from html import escape
from urllib.parse import quote_plus, urlencode

from ...errors import InvalidRequest
from ...settings.server import ServerSettings
from ...web.url import find_url
from ..wording.catalogues import N_

RESPONSE_MODES = ("query", "form_post")
"""How a response may be sent (OAuth 2.0 Multiple Response Types §2.1, Form Post Response Mode §2)."""
FRAGMENT = "fragment"
"""Under ``atproto`` also so: apps in a browser read it there. A page that redirects takes a fragment along to another
site (RFC 9700 §4.1.1), which is of no use there: under this profile a code needs the app's DPoP key and verifier."""

CONTINUE = N_("Continue")
_SUBMIT = "document.forms[0].submit()"
SUBMIT_SCRIPT_HASH = "sha256-" + base64.b64encode(sha256(_SUBMIT.encode()).digest()).decode()
"""Lets the page of :func:`build_form_page` run its one script (Content Security Policy 3 §2.3.1)."""


MAX_STATE_BYTES = 4096
"""Longest accepted ``state``, encoded as in a URL, because it must fit into the ``Location`` of the answer."""


def list_response_modes(settings: ServerSettings) -> tuple[str, ...]:
    """How a response may be sent, with these settings."""
    return (*RESPONSE_MODES, FRAGMENT) if settings.PROFILE == "atproto" else RESPONSE_MODES


def is_too_long(state: str | None) -> bool:
    """Whether a ``state`` is too long to be sent back."""
    return state is not None and len(quote_plus(state)) > MAX_STATE_BYTES


def check_state(state: str | None) -> None:
    """Refuse a ``state`` that is too long to be sent back.

    :raises InvalidRequest: It is.
    """
    if is_too_long(state):
        raise InvalidRequest(f"state is longer than {MAX_STATE_BYTES} bytes", cause="state_too_long")


@dataclass(frozen=True, slots=True)
class ResponseTarget:
    """A checked place: an authorization response, success or error, may go there."""

    redirect_uri: str
    response_mode: str
    state: str | None

    def build_members(self, issuer: str, **members: str) -> dict[str, str]:
        """The parameters of a response: *members*, ``state`` if there was one, and always ``iss`` (RFC 9207 §2)."""
        if self.state is not None:
            members["state"] = self.state
        return {**members, "iss": issuer}


@dataclass(frozen=True, slots=True)
class Onward:
    """A link or form to the client on a page; the person decides whether to follow it (RFC 9700 §4.11.2)."""

    place: str
    """The client's host, or the private scheme of a program on the device, for the person to recognize."""
    location: str
    """Where the link leads, or where the form posts :attr:`fields` to."""
    fields: Mapping[str, str] | None = field(default=None, repr=False)
    """The fields of the form; ``None``: it is a link."""


def build_onward(target: ResponseTarget, members: dict[str, str]) -> Onward:
    """The link or form that takes the response *members* to *target*, in its response mode."""
    if target.response_mode == "form_post":
        return Onward(name_place(target.redirect_uri), target.redirect_uri, members)
    location = build_location(target.redirect_uri, members, mode=target.response_mode)
    return Onward(name_place(target.redirect_uri), location)


def name_place(uri: str) -> str:
    """The part of a registered URI that a person can recognize: its host and port, or its private scheme."""
    url = find_url(uri)
    # A URI registered under older rules may not be readable: then no part of it is shown as a host.
    return url.authority or url.scheme if url is not None else uri.partition(":")[0]


def build_location(redirect_uri: str, members: dict[str, str], *, mode: str = "query") -> str:
    """*redirect_uri* with the response in its query; its own query stays in front (RFC 6749 §3.1.2).

    :param mode: ``fragment``: in its fragment instead; no redirect URI has one of its own.
    """
    if mode == FRAGMENT:
        return f"{redirect_uri}#{urlencode(members)}"
    separator = "&" if "?" in redirect_uri else "?"
    return f"{redirect_uri}{separator}{urlencode(members)}"


def build_form_page(
    redirect_uri: str, members: dict[str, str], *, language: str = "en", direction: str = "ltr", word: str = CONTINUE
) -> str:
    """A page that posts the response to *redirect_uri* by itself, or with a button where scripts do not run.

    :param language: Of the page, as a language tag.
    :param direction: Its writing direction, as HTML's ``dir`` names it.
    :param word: What the button says in that language.
    """
    word = escape(word)
    fields = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in members.items()
    )
    return (
        f'<!doctype html><html lang="{escape(language)}" dir="{direction}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{word}</title></head>'
        f'<body><main><h1>{word}</h1><form method="post" action="{escape(redirect_uri)}">{fields}'
        f'<button type="submit">{word}</button></form></main><script>{_SUBMIT}</script></body></html>'
    )
