"""The endpoint of the metadata document in a Flask app (RFC 9728 §3)."""

from urllib.parse import unquote

import flask

from ..settings.resource import ResourceSettings
from .in_flask import EXTENSION_KEY, current_app, current_guard, current_request, make_response
from .marked_views import find_requirements
from .metadata import metadata_path
from .metadata_answer import answer_metadata

NAME = f"{EXTENSION_KEY}.metadata"


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
        return _answer() if current_request().path == path else None

    # Before the app's own functions: if one of them requires a login, it must not block the document.
    app.before_request_funcs.setdefault(None, []).insert(0, answer_first)
    return [path]


def _answer() -> flask.Response:
    app = current_app()
    return make_response(
        answer_metadata(current_guard(), find_requirements(app), method=flask.request.method, sender=app)
    )
