"""A ``SameSite=Strict`` session, which the browser does not send when a client's page links here.

The person then looks signed out, and a sign-in page that starts a session would really sign them out. So we answer with
a page that links to the same URL: this is a link of our own site, and the browser sends the session with it.
"""

from html import escape

import flask

from ..authorization.response import CONTINUE
from .page_words import page_words

_MARK = b"&from_here=1"
"""The end of the query of our own link. With it, a client's link arrives without a session, as it would anyway."""


def read_own_query() -> bytes:
    """The query of the current request, without our mark."""
    return flask.request.query_string.removesuffix(_MARK)


def find_way_in() -> flask.Response | None:
    """A page that links to the same URL, if the browser did not send the application's session; otherwise ``None``."""
    http = flask.request
    if http.method != "GET" or http.query_string.endswith(_MARK) or not _is_session_kept_back():
        return None
    query = (http.query_string + _MARK).decode("latin-1")
    url = escape(f"{http.script_root}{http.path}?{query}")
    word, language, stylesheet = map(
        escape, (page_words.translate(CONTINUE), page_words.language, page_words.stylesheet)
    )
    return flask.Response(
        f'<!doctype html><html lang="{language}" dir="{page_words.direction}" class="oauth-page">'
        f'<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{word}</title><link rel="stylesheet" href="{stylesheet}">'
        f'<meta http-equiv="refresh" content="0; url={url}"></head>'
        f'<body><main class="oauth-card"><h1>{word}</h1><p><a href="{url}">{word}</a></p></main></body></html>'
    )


def _is_session_kept_back() -> bool:
    """Whether the application's session is ``Strict``, and the browser says that another site's page linked here.

    Not in a frame: nothing of ours may be shown there, and a browser never sends such a session there.
    """
    app: flask.Flask = flask.current_app._get_current_object()  # type: ignore[attr-defined]
    interface, headers = app.session_interface, flask.request.headers
    return (
        str(interface.get_cookie_samesite(app)).lower() == "strict"
        and interface.get_cookie_name(app) not in flask.request.cookies
        and (headers.get("Sec-Fetch-Site"), headers.get("Sec-Fetch-Dest")) == ("cross-site", "document")
    )
