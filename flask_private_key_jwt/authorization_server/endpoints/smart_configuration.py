"""The document that SMART clients read first, below the issuer (SMART App Launch 2.2, Conformance)."""

import flask

from ...resource_server.smart_configuration import build_smart_configuration
from ..state import current_state
from .http import public_json
from .metadata import build_metadata


def smart_configuration() -> flask.Response:
    """``GET /.well-known/smart-configuration``, after an issuer's path."""
    state = current_state()
    return public_json(build_smart_configuration(build_metadata(state), state.settings.SMART_CAPABILITIES))
