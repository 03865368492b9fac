"""The stylesheet of the pages for people: one file, served at a path of ours, so that no page needs inline styles."""

from hashlib import sha256
from pathlib import Path

import flask

PATH = "/pages.css"
CACHE_SECONDS = 86400
_CONTENT = (Path(__file__).parent / "pages.css").read_bytes()
VERSION = sha256(_CONTENT).hexdigest()[:12]
"""Part of the URL in a page, so that a browser does not use the stylesheet of another release."""


def stylesheet() -> flask.Response:
    """``GET /oauth2/pages.css``."""
    response = flask.Response(_CONTENT, content_type="text/css; charset=utf-8")
    response.cache_control.public = True
    response.cache_control.max_age = CACHE_SECONDS
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.set_etag(VERSION)
    response.make_conditional(flask.request)
    return response
