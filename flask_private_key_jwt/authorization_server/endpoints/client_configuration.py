"""The client configuration endpoint: how a client manages its own registration (RFC 7592 §2, RFC 7396)."""

import flask

from ...signals.refusal import Answer
from ..registration.self_registration import ManagedClient
from ..response import empty_response
from ..state import State, current_state
from .json_request import JSON_TYPE, MERGE_PATCH_TYPE, read_bearer, read_metadata


def client_configuration() -> flask.Response:
    """``GET``, ``PUT``, ``PATCH`` and ``DELETE /oauth2/register/client?client_id=…``, the ``registration_client_uri``.

    The ``client_id`` is in the query because it may contain a slash, which would be a separator in a path.
    """
    http, state = flask.request, current_state()
    client_ids = http.args.getlist("client_id")
    client_id = client_ids[0] if len(client_ids) == 1 else None
    managed = state.self_registration.authenticate(client_id, read_bearer(http.environ))
    if http.method == "DELETE":
        state.self_registration.remove(managed)
        return state.server.send(empty_response(204))
    if http.method in ("PUT", "PATCH"):
        managed = _change(state, managed)
    return state.server.send(Answer(200, state.self_registration.describe(managed)))


def _change(state: State, managed: ManagedClient) -> ManagedClient:
    http, largest = flask.request, state.settings.REQUEST_MAX_BYTES
    if http.method == "PUT":
        return state.self_registration.replace(managed, read_metadata(http, types=(JSON_TYPE,), max_bytes=largest))
    patch = read_metadata(http, types=(MERGE_PATCH_TYPE, JSON_TYPE), max_bytes=largest)
    return state.self_registration.merge(managed, patch)
