"""The introspection endpoint (RFC 7662)."""

import flask

from ...errors import InvalidClient, InvalidClientSecret, UnauthenticatedCaller
from ..state import current_state


def introspection() -> flask.Response:
    """``POST /oauth2/introspect``; its steps are in ``server.py``."""
    try:
        return current_state().server.create_introspection_response()
    except InvalidClientSecret:  # a 401 already, which names the scheme that the caller used
        raise
    except InvalidClient as refusal:  # 400 at the token endpoint; a resource server is told with 401 (RFC 7662 §2.3)
        raise UnauthenticatedCaller(refusal.reason, cause=refusal.cause, client_id=refusal.client_id) from None
