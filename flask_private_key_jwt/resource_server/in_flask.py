"""The guard in Flask: for the current request, with Flask's responses."""

import json
from collections.abc import Iterable

import flask

from ..errors import ConfigurationError, OAuthError
from ..event_loops.run_now import run_now
from ..signals.refusal import Answer
from .call import read_environ
from .guard import Guard
from .requirement import Requirement

EXTENSION_KEY = "private_key_jwt_resource"


def current_guard() -> Guard:
    """The guard of the current app.

    :raises ConfigurationError: ``init_app`` was not called on the app.
    """
    guard = current_app().extensions.get(EXTENSION_KEY)
    if not isinstance(guard, Guard):
        raise ConfigurationError("A view is protected, but ResourceProtector().init_app(app) was not called.")
    return guard


def enter(guard: Guard, requirement: Requirement) -> flask.Response | None:
    """Let the current request in and return ``None``, or refuse it and return the answer."""
    environ = current_request().environ
    entry = run_now(guard.enter(read_environ(environ), requirement, notes=environ, sender=current_app()))
    if entry.refusal is not None:
        return make_response(entry.refusal)
    if entry.headers:
        _add_later(entry.headers)
    return None


def turn_away(guard: Guard, error: OAuthError, requirement: Requirement) -> flask.Response:
    """Refuse the current request, which was let in, for a reason that the view found."""
    call = read_environ(current_request().environ)
    return make_response(guard.turn_away(error, call, requirement, sender=current_app()))


def current_app() -> flask.Flask:
    """The current app itself: the sender of its signals. Flask's proxy would look it up again for each attribute."""
    return flask.current_app._get_current_object()  # type: ignore[attr-defined, no-any-return]


def current_request() -> flask.Request:
    """The current request itself."""
    return flask.request._get_current_object()  # type: ignore[attr-defined, no-any-return]


def make_response(answer: Answer) -> flask.Response:
    """A response, not an exception, so that the app's error handlers, which make pages for people, do not change it."""
    response = flask.Response(
        "" if answer.body is None else json.dumps(answer.body), answer.status, list(answer.headers)
    )
    if answer.body is None:
        del response.headers["Content-Type"]
    return response


def _add_later(headers: Iterable[tuple[str, str]]) -> None:
    @flask.after_this_request
    def add(response: flask.Response) -> flask.Response:
        for name, value in headers:
            response.headers[name] = value
        return response
