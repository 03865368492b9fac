"""Pages of other origins at the authorization server (CORS): the machine endpoints say whose may read them.

The pages for people are for nobody: a page that could read one would also have its decision token. There the headers of
an application that opens all of itself are removed.
"""

from collections.abc import Mapping

import flask

from ...resource_server.cross_origin import build_headers, replace_headers, run_last
from ...resource_server.in_flask import current_request
from ...settings.server import ServerSettings
from ...web.cross_origin import FOR_EVERYBODY, FOR_NOBODY, CrossOrigin, open_to
from ..endpoint import ServerEndpoint


def allow_cross_origin(app: flask.Flask, settings: ServerSettings, endpoints: Mapping[str, ServerEndpoint]) -> None:
    """Add the headers to the answers of *endpoints*; what the application's own functions added there is replaced.

    :param endpoints: By path.
    """
    listed = open_to(settings.CORS_ORIGINS, what="the authorization server")

    def add_headers(response: flask.Response) -> flask.Response:
        request = current_request()
        endpoint = endpoints.get(request.path)
        if endpoint is None or (cross_origin := _find_rule(endpoint, settings, listed)) is None:
            return response
        return replace_headers(response, build_headers(request, cross_origin, methods=endpoint.methods))

    run_last(app, add_headers)


def _find_rule(endpoint: ServerEndpoint, settings: ServerSettings, listed: CrossOrigin) -> CrossOrigin | None:
    """Who may read the answers of *endpoint*; ``None``: what the application says."""
    if endpoint.cross_origin == "everybody":
        return FOR_EVERYBODY
    if endpoint.in_browser:
        return FOR_NOBODY
    if endpoint.cross_origin == "never" or (endpoint.name == "registration" and settings.REGISTRATION != "open"):
        return FOR_NOBODY if listed.origins else None
    return listed if listed.origins else None
