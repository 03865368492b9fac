"""The endpoint of an API's ``/.well-known/smart-configuration`` in Flask, under the profile ``smart``."""

from collections.abc import Mapping
from typing import Any

import flask

from ..event_loops.run_now import run_now
from ..settings.resource import ResourceSettings
from .in_flask import EXTENSION_KEY, current_app, current_guard, make_response
from .issuer_metadata import IssuerMetadata
from .smart_answer import answer_smart
from .smart_configuration import find_paths

NAME = f"{EXTENSION_KEY}.smart_configuration"


def add_smart_endpoint(app: flask.Flask, settings: ResourceSettings) -> list[str]:
    """Add the document to *app*.

    :return: Its paths; none without the profile, or if the resource is not a URL.
    :raises ConfigurationError: ``OAUTH2_PROXY`` or ``OAUTH2_CA_BUNDLE`` cannot be used.
    """
    paths = find_paths(settings) if settings.PROFILE == "smart" else []
    if not paths:
        return []
    fetched = IssuerMetadata(settings)

    async def load() -> Mapping[str, Any]:
        issuer = current_guard().find_issuer()
        return fetched.load() if issuer is None else issuer.describe()

    def answer() -> flask.Response:
        return make_response(run_now(answer_smart(settings, load, method=flask.request.method, sender=current_app())))

    def answer_first() -> flask.Response | None:
        return answer() if flask.request.path in paths else None

    for number, path in enumerate(paths):
        app.add_url_rule(path, f"{NAME}{number or ''}", answer, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    # Before the app's own functions, as the metadata document is: one that requires a login must not block it.
    app.before_request_funcs.setdefault(None, []).insert(0, answer_first)
    return paths
