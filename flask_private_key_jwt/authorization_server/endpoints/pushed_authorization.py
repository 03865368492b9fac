"""The pushed authorization request endpoint (RFC 9126)."""

import flask

from ..state import current_state


def pushed_authorization() -> flask.Response:
    """``POST /oauth2/par``; its steps are in ``server.py``."""
    return current_state().server.create_pushed_authorization_response()
