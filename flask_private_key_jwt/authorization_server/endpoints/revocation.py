"""The revocation endpoint (RFC 7009)."""

import flask

from ..state import current_state


def revocation() -> flask.Response:
    """``POST /oauth2/revoke``; its steps are in ``server.py``."""
    return current_state().server.create_revocation_response()
