"""The token endpoint (RFC 6749 §3.2)."""

import flask

from ..state import current_state


def token() -> flask.Response:
    """``POST /oauth2/token``; the seven steps are in ``server.py``."""
    return current_state().server.create_token_response()
