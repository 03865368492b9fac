"""The server's public keys (RFC 7517 §5)."""

import flask

from ..state import current_state
from .http import public_json


def jwks() -> flask.Response:
    """``GET /oauth2/jwks``."""
    return public_json(current_state().server_keys.look().jwks, content_type="application/jwk-set+json")
