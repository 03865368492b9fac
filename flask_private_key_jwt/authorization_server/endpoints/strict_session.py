"""A session that the browser keeps back: ``SameSite=Strict``, and a client's page leads here.

Who arrives so looks signed out, and a sign-in page that starts a session would sign them out. A page of ours that leads
to the same place once more is this site's own link: with that the browser sends the session along.
"""

from html import escape

import flask

_MARK = b"&from_here=1"
"""The end of the query of our own link. Whoever adds it to theirs arrives without a session, as they do anyway."""


def read_own_query() -> bytes:
    """The query of the current request, without our mark."""
    return flask.request.query_string.removesuffix(_MARK)


def find_way_in() -> flask.Response | None:
    """A page that leads to the same place, if the browser keeps the application's session back; else ``None``."""
    http = flask.request
    if http.method != "GET" or http.query_string.endswith(_MARK) or not _is_session_kept_back():
        return None
    query = (http.query_string + _MARK).decode("latin-1")
    url = escape(f"{http.script_root}{http.path}?{query}")
    return flask.Response(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Continue</title>'
        f'<meta http-equiv="refresh" content="0; url={url}"></head>'
        f'<body><p><a href="{url}">Continue</a></p></body></html>'
    )


def _is_session_kept_back() -> bool:
    """Whether the application's session is ``Strict``, and the browser says that another site's page led here.

    Not in a frame: nothing of ours is shown there, and a browser sends no such session into one.
    """
    app: flask.Flask = flask.current_app._get_current_object()  # type: ignore[attr-defined]
    interface, headers = app.session_interface, flask.request.headers
    return (
        str(interface.get_cookie_samesite(app)).lower() == "strict"
        and interface.get_cookie_name(app) not in flask.request.cookies
        and (headers.get("Sec-Fetch-Site"), headers.get("Sec-Fetch-Dest")) == ("cross-site", "document")
    )
