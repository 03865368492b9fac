"""The endpoint of the metadata document (RFC 9728 §3)."""

import json
from urllib.parse import unquote

import flask

from ..errors import ConfigurationError, MethodNotAllowed, TemporarilyUnavailable
from ..settings.resource import ResourceSettings
from .guard import EXTENSION_KEY, current_guard, refuse
from .metadata import build_metadata, find_requirements, metadata_path

NAME = f"{EXTENSION_KEY}.metadata"
CACHE_SECONDS = 300
_ALLOW = ("GET", "HEAD", "OPTIONS")


def add_metadata_endpoint(app: flask.Flask, settings: ResourceSettings) -> list[str]:
    """Add the document to *app*, unless its resource is not a URL: then there is no path for the document.

    :return: The path of the document, or nothing.
    """
    path = metadata_path(settings.RESOURCE)
    if path is None:
        return []
    path = unquote(path)
    app.add_url_rule(path, NAME, _answer, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])

    def answer_first() -> flask.Response | None:
        # Compare the path, not the matched rule: with host_matching the router does not match a rule without a host.
        return _answer() if flask.request.path == path else None

    # Before the app's own functions: if one of them requires a login, it must not block the document.
    app.before_request_funcs.setdefault(None, []).insert(0, answer_first)
    return [path]


def _answer() -> flask.Response:
    if flask.request.method not in _ALLOW:
        refusal = MethodNotAllowed(f"method {flask.request.method[:20]!r}", allow=_ALLOW)
        return refuse(refusal, endpoint="resource_metadata")
    guard = current_guard()
    try:
        with_dpop = guard.find_replay_store() is not None
    except ConfigurationError as error:
        return refuse(
            TemporarilyUnavailable(f"set up wrongly: {error}", cause="setup_wrong"), endpoint="resource_metadata"
        )
    requirements = map(guard.tighten, find_requirements(flask.current_app))
    document = build_metadata(guard.settings, requirements, with_dpop=with_dpop)
    headers = {"Cache-Control": f"public, max-age={CACHE_SECONDS}", "Access-Control-Allow-Origin": "*"}
    return flask.Response(json.dumps(document), headers=headers, content_type="application/json")
