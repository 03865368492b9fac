"""Our own cookie, for the requests that a browser has in progress. They are not kept in the application's session.

The application may empty its session when somebody signs in, as Flask's tutorial does. And a browser sends no
``SameSite=Strict`` session with a link from a client's page: a session written then would replace the application's,
and sign the person out.
"""

from hashlib import sha256
from typing import Any

import flask

from ...jose.derived import Secrets
from ...jose.jose import b64url
from ...jose.seal import Seal
from ...settings.server import ServerSettings
from ..state import EXTENSION_KEY, State

_PENDING = "_private_key_jwt_cookie"


class BrowserCookie:
    """The cookie of the current request.

    :param settings: The server's. The cookie's name is made from the issuer, because one cookie may reach servers at
        other ports and paths of a host.
    :param secrets: The application's secrets.
    """

    def __init__(self, settings: ServerSettings, secrets: Secrets) -> None:
        self._lifetime = settings.INTERACTION_LIFETIME_SECONDS
        self._secure = settings.ISSUER.startswith("https:")
        self._issuer = b64url(sha256(settings.ISSUER.encode()).digest()[:6])
        self._seal = Seal(secrets, purpose="browser cookie", lifetime=self._lifetime)

    @property
    def name(self) -> str:
        """The cookie's name. Its prefix stops other hosts of the domain from setting it (RFC 6265bis §4.1.3).

        If the application shares its session with other hosts, they can set this cookie too.
        """
        prefix = ("__Secure-" if _find_domain() else "__Host-") if self._secure else ""
        return f"{prefix}oauth2_{self._issuer}"

    def load(self) -> dict[str, Any]:
        """The cookie's content, as of this request's changes; empty if there is no cookie of ours."""
        pending: dict[str, Any] | None = flask.g.get(_PENDING)
        if pending is not None:
            return pending
        sealed = flask.request.cookies.get(self.name)
        return (self._seal.find(sealed) if sealed else None) or {}

    def save(self, value: dict[str, Any]) -> None:
        """Set the cookie with the answer to this request; an empty *value* removes it."""
        if _PENDING not in flask.g:
            flask.after_this_request(self._set)
        setattr(flask.g, _PENDING, value)

    def _set(self, response: flask.Response) -> flask.Response:
        value = flask.g.pop(_PENDING)
        # The same as for the application's session, because people may sign in with a form from another site. But never
        # Strict, because clients link here from their own pages.
        same_site = flask.current_app.session_interface.get_cookie_samesite(_find_app())
        response.set_cookie(
            self.name,
            self._seal.seal(value) if value else "",
            max_age=self._lifetime if value else 0,
            domain=_find_domain(),
            secure=self._secure,
            httponly=True,
            samesite="Lax" if str(same_site).lower() == "strict" else same_site,
        )
        return response


def _find_domain() -> str | None:
    """The domain in which the application shares its session; ``None``: this host only."""
    return flask.current_app.session_interface.get_cookie_domain(_find_app())


def _find_app() -> flask.Flask:
    app: flask.Flask = flask.current_app._get_current_object()  # type: ignore[attr-defined]
    return app


def find_browser_id() -> str:
    """The id of this request's browser, if it has a request in progress at the current app; otherwise ``""``."""
    state = flask.current_app.extensions.get(EXTENSION_KEY)
    if not isinstance(state, State):
        return ""
    browser_id: str = BrowserCookie(state.settings, state.secrets).load().get("id", "")
    return browser_id
