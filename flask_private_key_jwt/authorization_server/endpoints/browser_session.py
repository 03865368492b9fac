"""What a browser did here: when the person signed in (in Flask's session), which requests it opened (in our cookie)."""

import hmac
import secrets
from collections.abc import Iterator
from hashlib import sha256
from importlib.util import find_spec
from typing import Any, NamedTuple

import flask

from ... import clock
from ...jose.derived import Secrets
from ...jose.jose import b64url
from ...settings.server import ServerSettings
from .browser_cookie import BrowserCookie, find_browser_id

SESSION_KEY = "_private_key_jwt"
MAX_OPEN_REQUESTS = 8
"""A cookie can hold 4 KiB; if more requests are open at the same time, the oldest is forgotten."""


class SignInNote(NamedTuple):
    """A sign-in; it is kept in the application's session and ends with it."""

    sign_in: str = ""
    """Random."""
    at: int = 0
    """In seconds since the epoch."""
    browser: str = ""
    """The browser's id in our own cookie, if it had one."""


class RequestNote(NamedTuple):
    """A request that a browser opened."""

    sign_in: str
    """The sign-in at that time; empty: nobody was signed in, or nobody noted it."""
    at: int
    """In seconds since the epoch."""
    nonce: str
    """Random, so that two decisions about the same request have different tokens."""
    language: str = ""
    """The language that its client asks for, as a tag; empty: none that there is."""
    chosen: str = ""
    """A hash of the ``sub`` of the account that the person chose for it; empty: none yet."""


def note_sign_in() -> None:
    """Note that the person at this browser has just signed in. With Flask-Login's ``login_user`` this is automatic.

    If the application clears or renews its session at sign-in, call this afterwards.
    """
    flask.session[SESSION_KEY] = {"sign_in": [*SignInNote(secrets.token_urlsafe(8), clock.now(), find_browser_id())]}


def listen_to_flask_login(app: flask.Flask) -> None:
    """Note when people sign in with Flask-Login."""
    if find_spec("flask_login") is None:
        return
    from flask_login import user_logged_in, user_login_confirmed

    for signal in (user_logged_in, user_login_confirmed):
        signal.connect(_note_sign_in, app, weak=False)


def _note_sign_in(_app: flask.Flask, **_: Any) -> None:
    note_sign_in()


class BrowserSession:
    """The browser of the current request.

    :param settings: The server's: how long a request stays open, and how long a decision may be repeated.
    :param secrets: The application's secrets; the key for decision tokens is derived from them.
    """

    def __init__(self, settings: ServerSettings, secrets: Secrets) -> None:
        self._secrets = secrets
        self._cookie = BrowserCookie(settings, secrets)
        self._lifetime = settings.INTERACTION_LIFETIME_SECONDS
        self._repeat_seconds = settings.CODE_LIFETIME_SECONDS

    @property
    def auth_time(self) -> int | None:
        """When the person signed in, in seconds since the epoch; ``None``: nobody noted it."""
        sign_in = _find_sign_in()
        return sign_in.at if sign_in.sign_in else None

    def open(self, request: str, *, language: str = "") -> None:
        """Note that *request* is open, and the sign-in at the time it was first opened.

        :param language: The language that its client asks for, for the pages that the person sees in between.
        """
        if self.is_open(request):
            return
        kept = self._cookie.load()
        notes = [(name, note) for name, note in kept.get("open", {}).items() if self._is_current(RequestNote(*note))]
        note = RequestNote(_find_sign_in().sign_in, clock.now(), secrets.token_urlsafe(6), language)
        notes.append((_shorten(request), _pack(note)))
        self._cookie.save({"id": secrets.token_urlsafe(16), **kept, "open": dict(notes[-MAX_OPEN_REQUESTS:])})

    def find_language(self) -> str | None:
        """The language of the request that this browser opened last, if its client asked for one."""
        notes = [RequestNote(*note) for note in self._cookie.load().get("open", {}).values()]
        return next((note.language for note in reversed(notes) if self._is_current(note)), None) or None

    def choose_account(self, request: str, subject: str) -> None:
        """Note which account the person chose for an open *request*."""
        note, kept = self._find_open(request), self._cookie.load()
        if note is not None:
            chosen = note._replace(chosen=_shorten(subject))
            self._cookie.save({**kept, "open": {**kept["open"], _shorten(request): _pack(chosen)}})

    def has_chosen(self, request: str, subject: str, *, deciding: bool = False) -> bool:
        """Whether the person chose the account of *subject* for *request*, while it is open.

        :param deciding: Whether a decision is posted; then also while it may be repeated.
        """
        notes = self._find_notes(request) if deciding else filter(None, [self._find_open(request)])
        return any(note.chosen == _shorten(subject) for note in notes)

    def was_just_answered(self, request: str) -> bool:
        """Whether *request* was answered a moment ago."""
        return self._find_answered(request) is not None

    def is_open(self, request: str) -> bool:
        """Whether this browser opened *request* not too long ago, and it is not answered yet."""
        return self._find_open(request) is not None

    def is_undecided(self, request: str) -> bool:
        """Whether a decision about *request* is accepted: the request is open, or was decided a moment ago."""
        return any(True for _ in self._find_notes(request))

    def signed_in_since(self, request: str, *, deciding: bool = False) -> bool:
        """Whether the person signed in at this browser after *request* was first opened, while it is open.

        :param deciding: Whether a decision is posted; then also while it may be repeated.
        """
        # An abandoned request that somebody opens again days later must not make an old sign-in count as new.
        notes = self._find_notes(request) if deciding else filter(None, [self._find_open(request)])
        sign_in = _find_sign_in()
        # In this browser: our cookie may be copied from another one, where the request was opened earlier.
        is_here = bool(sign_in.sign_in) and sign_in.browser == self._cookie.load().get("id")
        return is_here and any(sign_in.sign_in != note.sign_in and sign_in.at >= note.at for note in notes)

    def close(self, request: str, *, decision_token: str = "") -> None:
        """Note that *request* is answered.

        :param decision_token: The token that our page sent back, if the person decided.
        """
        kept, name = self._cookie.load(), _shorten(request)
        note = kept.get("open", {}).get(name)
        if note is not None:
            rest = {other: kept["open"][other] for other in kept["open"] if other != name}
            self._cookie.save({**kept, "open": rest, "answered": [name, note, clock.now(), _shorten(decision_token)]})

    def forget(self) -> None:
        """Forget the sign-in of a person who has signed out, and their open requests, but not the last answer."""
        flask.session.pop(SESSION_KEY, None)
        answered = self._cookie.load().get("answered")
        self._cookie.save({"id": secrets.token_urlsafe(16), "answered": answered} if answered else {})

    def was_decided_with(self, token: str, request: str) -> bool:
        """Whether *token* decided about *request* a moment ago, even if the person is no longer signed in."""
        answered = self._find_answered(request)
        return answered is not None and bool(token) and hmac.compare_digest(answered[3], _shorten(token))

    def issue_decision_token(self, request: str, subject: str, *, shown: str = "") -> str:
        """The token that the page about an open *request* sends back. It cannot be guessed, or used for another page.

        So another site cannot decide for the person (RFC 6749 §10.12), and one session cannot decide for another.

        :param shown: What the page shows, if the request alone does not determine it.
        """
        note = self._find_open(request)
        assert note is not None  # it was just opened
        return self._decision_token(self._keys()[0], request, subject, note, shown)

    def is_decision_token(self, token: str, request: str, subject: str, *, shown: str = "") -> bool:
        """Whether *token* was issued to this browser, for this *request* and person, and for a page with *shown* on it.

        It is accepted while the request is open, and for a moment longer, because a button may be pressed twice.
        """
        given = token.encode("utf-8", "surrogatepass")
        return any(
            hmac.compare_digest(self._decision_token(key, request, subject, note, shown).encode(), given)
            for note in self._find_notes(request)
            for key in self._keys()
        )

    def _keys(self) -> tuple[bytes, ...]:
        return self._secrets.derive("consent decision")

    def _decision_token(self, key: bytes, request: str, subject: str, note: RequestNote, shown: str) -> str:
        about = (self._cookie.load()["id"], _shorten(request), note.at, note.nonce, _shorten(shown), subject)
        text = "\x00".join(map(str, about))
        return b64url(hmac.digest(key, text.encode("utf-8", "surrogatepass"), sha256))

    def _find_notes(self, request: str) -> Iterator[RequestNote]:
        """The notes of a request that a decision may belong to."""
        if (note := self._find_open(request)) is not None:
            yield note
        if (answered := self._find_answered(request)) is not None:
            yield RequestNote(*answered[1])

    def _find_open(self, request: str) -> RequestNote | None:
        members = self._cookie.load().get("open", {}).get(_shorten(request))
        note = RequestNote(*members) if members else None
        return note if note is not None and self._is_current(note) else None

    def _is_current(self, note: RequestNote) -> bool:
        return not clock.is_over(note.at + self._lifetime)

    def _find_answered(self, request: str) -> list[Any] | None:
        answered: list[Any] | None = self._cookie.load().get("answered")
        if answered is None or answered[0] != _shorten(request) or clock.is_over(answered[2] + self._repeat_seconds):
            return None
        return answered


def _find_sign_in() -> SignInNote:
    """The note of the current sign-in; an empty note if there is none."""
    kept = flask.session.get(SESSION_KEY) or {}
    return SignInNote(*kept.get("sign_in", ()))


def _pack(note: RequestNote) -> list[Any]:
    """A note as the cookie keeps it: without the two strings at its end if they are empty."""
    return [*note] if note.chosen else [*note[:4]] if note.language else [*note[:3]]


def _shorten(text: str) -> str:
    """A short hash, because requests are long and secret, and a cookie is small."""
    return b64url(sha256(text.encode("utf-8", "surrogatepass")).digest()[:12])
