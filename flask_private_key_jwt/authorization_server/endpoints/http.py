"""From Flask's request to an endpoint and back. Every answer is JSON and tells nothing private, even after an error."""

import json
import logging
from collections.abc import Mapping
from functools import partial
from time import perf_counter
from typing import Any

import flask
from authlib.oauth2 import OAuth2Error
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Rule

from ...database.deadline import request_budget
from ...errors import (
    ConfigurationError,
    InvalidRequest,
    MethodNotAllowed,
    NotOffered,
    OAuthError,
    ServerError,
    TemporarilyUnavailable,
    TooManyRequests,
)
from ...resource_server.in_flask import current_app, current_request
from ...signals.refusal import REFERENCE_HEADER, error_response
from ..endpoint import ServerEndpoint
from ..response import translate
from ..state import EXTENSION_KEY, State, current_state
from .session_on_demand import SessionOnDemand

log = logging.getLogger("flask_private_key_jwt")

CACHE_SECONDS = 300


def respond(endpoint: ServerEndpoint) -> ResponseReturnValue:
    """Answer the current request to a machine *endpoint*, also after an exception."""
    state = current_state()
    observer = state.meter.observer
    if observer is None:
        return _respond(endpoint, state)
    started = perf_counter()
    answer = _respond(endpoint, state)
    if not isinstance(answer, flask.Response):
        answer = flask.make_response(answer)
    observer.note_request(endpoint.name, perf_counter() - started, refused=is_refusal(answer))
    return answer


def is_refusal(answer: flask.Response) -> bool:
    """Whether an answer has the id of a refusal, which one with status 200 may have too.

    Not ``REFERENCE_HEADER in answer.headers``: Werkzeug raises and catches an exception for each header that is absent.
    """
    return any(name == REFERENCE_HEADER for name, _ in answer.headers)


def _respond(endpoint: ServerEndpoint, state: State) -> ResponseReturnValue:
    try:
        if (answer := _ask_application(endpoint, state)) is not None:
            return answer
        with request_budget(state.settings.STORE_TIMEOUT_SECONDS):
            return _call_view(endpoint, state, current_request().method)
    except Exception as error:
        refusal = _refusal_for(error)
    return state.server.send(error_response(refusal, endpoint=endpoint.name, sender=current_app()))


def _ask_application(endpoint: ServerEndpoint, state: State) -> flask.Response | None:
    """The application's answer instead of the endpoint's, before anything of the request is read."""
    for function in state.server.declarations.before_requests:
        if (answer := function(endpoint.name)) is not None:
            return flask.make_response(answer)
    return None


def _call_view(endpoint: ServerEndpoint, state: State, method: str) -> ResponseReturnValue:
    if missing := state.find_missing(endpoint.needs):
        raise NotOffered(missing, cause="endpoint_not_served")
    if method in endpoint.methods:
        return endpoint.view()
    if method == "OPTIONS":
        allow = flask.Response(status=204, headers={"Allow": ", ".join((*endpoint.methods, "OPTIONS"))})
        del allow.headers["Content-Type"]
        return allow
    raise MethodNotAllowed(f"method {method[:20]!r}", allow=endpoint.methods)


class MachineEndpoints:
    """Adds the endpoints to an app so that nothing else in the app changes their answers.

    A ``before_request`` function that requires a login, ``CSRFProtect`` and HTML error handlers are made for people;
    they must not refuse a client that sends a signed assertion. So the machine endpoints answer in the app's very first
    ``before_request`` function. The app's ``after_request`` functions (headers, metrics) still run; instead of
    ``before_request`` there is ``before_machine_request``.
    """

    def __init__(self, endpoints: Mapping[str, ServerEndpoint]) -> None:
        self._endpoints = endpoints
        self._rules: dict[str, Rule] = {}

    def install(self, app: flask.Flask) -> None:
        """Add the routes, for ``flask routes`` and ``url_for``, and the function that answers them."""
        for path, endpoint in self._endpoints.items():
            methods = {"GET", "POST", "PUT", "PATCH", "DELETE"}
            name = f"{EXTENSION_KEY}.{endpoint.name}"
            if name in app.view_functions:  # the same endpoint at a second path
                name = f"{name}{path.replace('/', '_').replace('.', '_')}"
            # No redirect from //oauth2/token: the client would send its assertion again, to the host in Host.
            rule = {"provide_automatic_options": False, "merge_slashes": False}
            if endpoint.in_browser:
                methods.add("OPTIONS")
            view = endpoint.view if endpoint.in_browser else partial(respond, endpoint)
            app.add_url_rule(path, name, view, methods=methods, **rule)
            self._rules[path] = next(app.url_map.iter_rules(name))
        machines = frozenset(path for path, endpoint in self._endpoints.items() if not endpoint.in_browser)
        app.session_interface = SessionOnDemand(app.session_interface, machines)  # type: ignore[assignment]
        # Inserted in front of the functions that the app has registered; Flask has no other way to be the first.
        app.before_request_funcs.setdefault(None, []).insert(0, self._dispatch)

    def _dispatch(self) -> ResponseReturnValue | None:
        """Answer machine endpoints before the app's own hooks; let Flask dispatch pages and everything else."""
        request = current_request()
        endpoint = self._endpoints.get(request.path)
        if endpoint is None:
            return None
        if endpoint.in_browser:
            # With host_matching or subdomain_matching the router may find nothing, or a view for any path; ours are
            # found by the path alone. Its other errors stay, for example for a host that is not trusted.
            if request.routing_exception is None or isinstance(request.routing_exception, NotFound):
                request.url_rule, request.view_args, request.routing_exception = self._rules[request.path], {}, None
            # Our form has its own token, and a client's form (OpenID Connect Core §3.1.2.1) cannot have one.
            if csrf := flask.current_app.extensions.get("csrf"):
                csrf.exempt(endpoint.view)
            return None
        return respond(endpoint)


def _refusal_for(error: Exception) -> OAuthError:
    """The refusal to answer when an endpoint raises *error*."""
    if isinstance(error, OAuth2Error):
        return translate(error)
    if isinstance(error, HTTPException) and error.code == TooManyRequests.status:  # a rate limiter raises it
        wait = getattr(error, "retry_after", None)
        reason = f"{type(error).__name__} by the application"
        return (
            TooManyRequests(reason, cause="application_limit", retry_after_seconds=wait)
            if isinstance(wait, int)
            else TooManyRequests(reason, cause="application_limit")
        )
    if isinstance(error, HTTPException):  # flask.abort in a token policy, say
        return InvalidRequest(f"{type(error).__name__} while the request was handled", cause="application_abort")
    if isinstance(error, ConfigurationError):
        if error.__cause__ is not None:  # one of the application's functions failed
            _report_defect(error, "a defect in the application")
        return TemporarilyUnavailable(f"set up wrongly: {error}", cause="setup_wrong")
    _report_defect(error, "a defect in an endpoint")
    return ServerError(f"unexpected {type(error).__name__}", cause="unexpected_error")


def _report_defect(error: Exception, what: str) -> None:
    """Send Flask's signal and write to the log; in tests and in debug mode, raise *error* instead."""
    app = flask.current_app
    flask.got_request_exception.send(app._get_current_object(), exception=error)  # type: ignore[attr-defined]
    if app.testing or app.debug:
        raise error
    log.error(what, exc_info=error)


def public_json(document: Mapping[str, Any], *, content_type: str = "application/json") -> flask.Response:
    """A public document: cacheable for five minutes, with an ETag, readable from any origin."""
    response = flask.Response(json.dumps(document), content_type=content_type)
    response.cache_control.public = True
    response.cache_control.max_age = CACHE_SECONDS
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.add_etag()
    response.make_conditional(flask.request)
    return response
