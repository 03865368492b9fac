"""The language of the current page and its words: what templates get as ``private_key_jwt``.

First what the client asked for (``ui_locales``), then what Flask-Babel says if the application has it, then the
browser's ``Accept-Language``.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import flask
from markupsafe import Markup
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from ..state import EXTENSION_KEY, State, current_state
from ..wording.catalogues import N_, fill
from ..wording.descriptions import Wording
from ..wording.languages import find_direction, find_language, read_tags
from .app_catalogues import load_catalogues
from .browser_session import BrowserSession
from .metadata import issuer_path
from .stylesheet import PATH, VERSION

_ASKED = "_private_key_jwt_ui_locales"
_CHOSEN = "_private_key_jwt_language"
_MAX_HEADER_CHARACTERS = 1000
"""How much of ``Accept-Language`` is looked at."""
MONTHS = (
    N_("January"),
    N_("February"),
    N_("March"),
    N_("April"),
    N_("May"),
    N_("June"),
    N_("July"),
    N_("August"),
    N_("September"),
    N_("October"),
    N_("November"),
    N_("December"),
)
DATE = N_("%(day)s %(month)s %(year)s")


def prefer_languages(ui_locales: str | None) -> None:
    """Note the languages that the client of the current request asks for, or that it asks for none.

    So the request of another client, which this browser opened later, does not decide.
    """
    tags = read_tags(ui_locales)
    if tags or _ASKED not in flask.g:
        setattr(flask.g, _ASKED, tags)
        flask.g.pop(_CHOSEN, None)


def find_asked_language() -> str | None:
    """The language of the current request that its client asked for; ``None``: it asked for none that there is."""
    return find_language(flask.g.get(_ASKED, ()), load_catalogues().languages)


def build_wording(state: State) -> Wording:
    """The words for scopes and resources in the language of the current page."""
    return Wording(
        page_words.language, page_words.translate, state.settings.scope_descriptions, state.people.describe_scope
    )


class PageWords:
    """What templates get as ``private_key_jwt``; everything is about the current request."""

    @property
    def language(self) -> str:
        """The language tag of the page."""
        if not flask.has_request_context():
            return load_catalogues().languages[0]
        language: str | None = flask.g.get(_CHOSEN)
        if language is None:  # once for a request: a page has many words
            languages = load_catalogues().languages
            found = (find_language(tags, languages) for tags in _find_wishes())
            language = next(filter(None, found), languages[0])
            setattr(flask.g, _CHOSEN, language)
        return language

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``."""
        return find_direction(self.language)

    @property
    def stylesheet(self) -> str:
        """The URL of the pages' stylesheet, as a path."""
        settings, http = current_state().settings, flask.request
        mount = issuer_path(settings.ISSUER)
        # An app at the root of its host, behind a proxy that does not change paths, is asked below the issuer's path.
        below = mount if mount and http.path.startswith(f"{mount}/") else ""
        return f"{http.script_root}{below}{settings.URL_PREFIX}{PATH}?v={VERSION}"

    def translate(self, message: str) -> str:
        """A message in the language of the page."""
        return load_catalogues().find(self.language)(message)

    def text(self, message: str, **values: object) -> Markup:
        """The same as HTML, with its ``%(name)s`` filled in and everything escaped."""
        return fill(message, self.translate(message), values)

    def name(self, text: object) -> Markup:
        """A name, set apart so that its writing direction changes nothing around it."""
        return Markup("<bdi>{}</bdi>").format(text)

    def strong(self, text: object) -> Markup:
        """The same, as something important."""
        return Markup("<strong><bdi>{}</bdi></strong>").format(text)

    def quote(self, text: object) -> Markup:
        """The same, as somebody's own word."""
        return Markup("<q><bdi>{}</bdi></q>").format(text)

    def date(self, seconds: int) -> Markup:
        """A day (UTC) in words, as a ``<time>`` element.

        :param seconds: Since the epoch.
        """
        day = datetime.fromtimestamp(seconds, UTC)
        words = self.text(DATE, day=day.day, month=self.text(MONTHS[day.month - 1]), year=day.year)
        return Markup('<time datetime="{}">{}</time>').format(day.date().isoformat(), words)


page_words = PageWords()


def _find_wishes() -> Iterator[tuple[str, ...]]:
    """Lists of language tags, the most important list first."""
    yield flask.g.get(_ASKED, ())
    state = flask.current_app.extensions.get(EXTENSION_KEY)
    if isinstance(state, State) and _ASKED not in flask.g:
        # The application's sign-in page has the language of the request that it is for.
        yield tuple(filter(None, [BrowserSession(state.settings, state.secrets).find_language()]))
    if "babel" in flask.current_app.extensions:
        yield tuple(filter(None, [_ask_flask_babel()]))
    yield read_accepted(flask.request.headers.get("Accept-Language", ""))


def read_accepted(header: str) -> tuple[str, ...]:
    """The language tags of an ``Accept-Language`` header, the best first; those with ``q=0`` left out."""
    accepted = parse_accept_header(header[:_MAX_HEADER_CHARACTERS], LanguageAccept)
    return read_tags(" ".join(tag for tag, quality in accepted if quality > 0))


def _ask_flask_babel() -> str | None:
    try:
        from flask_babel import get_locale
    except ImportError:  # another extension has that name
        return None
    locale: Any = get_locale()
    return None if locale is None else str(locale).replace("_", "-")
