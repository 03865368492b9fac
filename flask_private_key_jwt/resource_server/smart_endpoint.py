"""The endpoint of an API's ``/.well-known/smart-configuration`` in Flask, under the profile ``smart``."""

import json

import flask

from ..errors import MethodNotAllowed, OAuthError
from ..settings.resource import ResourceSettings
from .guard import EXTENSION_KEY, current_guard, refuse
from .issuer_metadata import IssuerMetadata
from .metadata_endpoint import CACHE_SECONDS
from .smart_configuration import build_smart_configuration, find_paths

NAME = f"{EXTENSION_KEY}.smart_configuration"
ENDPOINT = "smart_configuration"
_ALLOW = ("GET", "HEAD", "OPTIONS")


def add_smart_endpoint(app: flask.Flask, settings: ResourceSettings) -> list[str]:
    """Add the document to *app*.

    :return: Its paths; none without the profile, or if the resource is not a URL.
    :raises ConfigurationError: ``OAUTH2_PROXY`` or ``OAUTH2_CA_BUNDLE`` cannot be used.
    """
    paths = find_paths(settings) if settings.PROFILE == "smart" else []
    if not paths:
        return []
    fetched = IssuerMetadata(settings)

    def answer() -> flask.Response:
        if flask.request.method not in _ALLOW:
            method = flask.request.method[:20]
            return refuse(MethodNotAllowed(f"method {method!r}", allow=_ALLOW), endpoint=ENDPOINT)
        if flask.request.method == "OPTIONS":  # a browser asks what it may do; the issuer has no part in that
            allow = flask.Response(status=204, headers={"Allow": ", ".join(_ALLOW)})
            del allow.headers["Content-Type"]
            return allow
        issuer = current_guard().find_issuer()
        try:
            metadata = fetched.load() if issuer is None else issuer.describe()
        except OAuthError as error:
            return refuse(error, endpoint=ENDPOINT)
        document = build_smart_configuration(metadata, settings.SMART_CAPABILITIES)
        headers = {"Cache-Control": f"public, max-age={CACHE_SECONDS}", "Access-Control-Allow-Origin": "*"}
        return flask.Response(json.dumps(document), headers=headers, content_type="application/json")

    def answer_first() -> flask.Response | None:
        return answer() if flask.request.path in paths else None

    for number, path in enumerate(paths):
        app.add_url_rule(path, f"{NAME}{number or ''}", answer, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    # Before the app's own functions, as the metadata document is: one that requires a login must not block it.
    app.before_request_funcs.setdefault(None, []).insert(0, answer_first)
    return paths
