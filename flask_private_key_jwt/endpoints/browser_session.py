"""What a browser did here: when its person signed in, and which requests it opened; in Flask's signed session."""

import hmac
import secrets
from hashlib import sha256
from typing import Any

import flask

from .. import clock
from ..keys.derived import Secrets
from ..keys.jose import b64url

SESSION_KEY = "_private_key_jwt"
MAX_OPEN_REQUESTS = 8
"""A session may be a cookie, which holds 4 KiB; of more requests at once the oldest is forgotten."""


def note_sign_in() -> None:
    """Note that the person at this browser has just signed in; Flask-Login's ``login_user`` does it by itself."""
    session = _load()
    session["sign_in"] = [secrets.token_urlsafe(8), clock.now()]
    _save(session)


class BrowserSession:
    """The session of the current request.

    :param secrets: The application's secrets; decision tokens are made with a key of their own.
    :param lifetime: How long a request stays open, in seconds.
    """

    def __init__(self, secrets: Secrets, *, lifetime: int) -> None:
        self._secrets = secrets
        self._lifetime = lifetime

    @property
    def auth_time(self) -> int | None:
        """When the person signed in, in seconds since the epoch, if anybody noted it."""
        sign_in = _load().get("sign_in")
        return sign_in[1] if sign_in else None

    def open(self, request: str) -> None:
        """Note that *request* is open, and who was signed in when it was opened first."""
        if self.is_open(request):
            return
        session = _load()
        now = clock.now()
        kept = [(name, note) for name, note in session["open"].items() if not clock.is_over(note[1] + self._lifetime)]
        kept = [*kept, (_shorten(request), [_sign_in_id(session), now])]
        _save({**session, "open": dict(kept[-MAX_OPEN_REQUESTS:])})

    def is_open(self, request: str) -> bool:
        """Whether *request* was opened in this session, and not too long ago."""
        note = _load()["open"].get(_shorten(request))
        return note is not None and not clock.is_over(note[1] + self._lifetime)

    def signed_in_since(self, request: str) -> bool:
        """Whether the person signed in after *request* was opened first, while it is open."""
        session = _load()
        # An abandoned request does not vouch for an old sign-in when somebody opens it again days later.
        return self.is_open(request) and _sign_in_id(session) != session["open"][_shorten(request)][0]

    def close(self, request: str) -> None:
        """Note that *request* is answered."""
        session = _load()
        if session["open"].pop(_shorten(request), None) is not None:
            _save(session)

    def forget(self) -> None:
        """Forget everything, since the person has signed out: their sign-in, and what they had opened.

        Both together: a sign-in that is gone would look like a new one to a request that is still open.
        """
        flask.session.pop(SESSION_KEY, None)

    def issue_decision_token(self, request: str, subject: str) -> str:
        """What the page about an open *request* sends back: it cannot be guessed, nor used elsewhere.

        So another site cannot decide for the person (RFC 6749 §10.12), nor one session in the name of another.
        """
        return self._decision_token(self._keys()[0], request, subject)

    def is_decision_token(self, token: str, request: str, subject: str) -> bool:
        """Whether *token* was issued to this session, for this *request*, while it is open, and this person."""
        given = token.encode("utf-8", "surrogatepass")
        return self.is_open(request) and any(
            hmac.compare_digest(self._decision_token(key, request, subject).encode(), given) for key in self._keys()
        )

    def _keys(self) -> tuple[bytes, ...]:
        return self._secrets.derive("consent decision")

    @staticmethod
    def _decision_token(key: bytes, request: str, subject: str) -> str:
        session = _load()
        opened_at = session["open"][_shorten(request)][1]
        text = f"{session['id']}\x00{_shorten(request)}\x00{opened_at}\x00{subject}"
        return b64url(hmac.digest(key, text.encode("utf-8", "surrogatepass"), sha256))


def _load() -> dict[str, Any]:
    """A copy of what the session holds, or the beginning of it."""
    kept = flask.session.get(SESSION_KEY) or {}
    return {"id": secrets.token_urlsafe(16), **kept, "open": dict(kept.get("open", {}))}


def _save(session: dict[str, Any]) -> None:
    flask.session[SESSION_KEY] = session


def _sign_in_id(session: dict[str, Any]) -> str:
    return session["sign_in"][0] if session.get("sign_in") else ""


def _shorten(request: str) -> str:
    """Requests are long and secret, the session is small and readable by the person."""
    return b64url(sha256(request.encode("utf-8", "surrogatepass")).digest()[:12])
