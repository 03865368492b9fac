"""The metrics of an app, as a blueprint that the application mounts (extra ``[metrics]``, prometheus-client)."""

from contextlib import nullcontext
from typing import TYPE_CHECKING

import flask

from ..database.deadline import request_budget
from ..errors import ConfigurationError
from ..signals import request_refused

if TYPE_CHECKING:
    from .prometheus_metrics import Metrics

NAME = "private_key_jwt_metrics"
"""Of the blueprint, and of what it keeps in ``app.extensions``."""
_SERVER, _API = "private_key_jwt", "private_key_jwt_resource"
"""Where the authorization server and the API are, in ``app.extensions``."""


def metrics_blueprint(*, path: str = "/metrics") -> flask.Blueprint:
    """A blueprint with one view that Prometheus scrapes: ``app.register_blueprint(metrics_blueprint())``.

    From then on the app measures; register it after ``init_app``. With several worker processes, set
    ``PROMETHEUS_MULTIPROC_DIR``: then each of them answers for all.

    :param path: The path of the view.
    :raises ConfigurationError: When it is registered: prometheus-client is not installed, or the app is neither an
        authorization server nor an API yet.
    """
    blueprint = flask.Blueprint(NAME, __name__)
    blueprint.record(lambda setup: _measure(setup.app))  # type: ignore[arg-type]  # it is a Flask app
    blueprint.add_url_rule(path, "metrics", _answer, methods=["GET"])
    return blueprint


def _measure(app: flask.Flask) -> None:
    roles = [app.extensions[name] for name in (_SERVER, _API) if name in app.extensions]
    if not roles:
        raise ConfigurationError("Register metrics_blueprint() after init_app: there is nothing to measure yet.")
    if NAME in app.extensions:
        raise ConfigurationError("metrics_blueprint() is registered on this app already.")
    app.extensions[NAME] = metrics = _load()([role.caches for role in roles])
    for role in roles:
        role.meter.observer = metrics
    if _SERVER in app.extensions:
        server = app.extensions[_SERVER]
        server.database.measure(metrics.note_database)
    request_refused.connect(metrics.note_refusal, sender=app, weak=False)


def _answer() -> flask.Response:
    app = flask.current_app
    metrics: Metrics = app.extensions[NAME]
    server = app.extensions.get(_SERVER)
    with request_budget(server.settings.STORE_TIMEOUT_SECONDS) if server is not None else nullcontext():
        body, content_type = metrics.expose(server)
    return flask.Response(body, headers={"Cache-Control": "no-store"}, content_type=content_type)


def _load() -> "type[Metrics]":
    try:
        from .prometheus_metrics import Metrics
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "prometheus_client":
            raise
        raise ConfigurationError(
            "metrics_blueprint needs prometheus-client: pip install flask-private-key-jwt[metrics]"
        ) from None
    return Metrics
