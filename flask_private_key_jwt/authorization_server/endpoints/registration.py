"""The client registration endpoint (RFC 7591 §3)."""

import flask

from ...signals.refusal import Answer
from ..state import current_state
from .json_request import JSON_TYPE, read_bearer, read_metadata


def registration() -> flask.Response:
    """``POST /oauth2/register``. The body is read only after the token was found to be good."""
    http, state = flask.request, current_state()
    permit = state.self_registration.find_permit(read_bearer(http.environ))
    metadata = read_metadata(http, types=(JSON_TYPE,), max_bytes=state.settings.REQUEST_MAX_BYTES)
    managed = state.self_registration.register(metadata, permit, address=http.remote_addr)
    return state.server.send(Answer(201, state.self_registration.describe(managed)))
