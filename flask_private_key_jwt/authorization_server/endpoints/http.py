"""From Flask's request to an endpoint and back. Whatever happens, the answer is JSON and says nothing private."""

import json
import logging
from collections.abc import Mapping
from functools import partial
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
from ...refusal import error_response
from ..endpoint import ServerEndpoint
from ..response import translate
from ..state import EXTENSION_KEY, State, current_state
from .session_on_demand import SessionOnDemand

log = logging.getLogger("flask_private_key_jwt")

CACHE_SECONDS = 300


def respond(endpoint: ServerEndpoint) -> ResponseReturnValue:
    """Answer the current request to a machine *endpoint*, come what may."""
    try:
        state = current_state()
        if (answer := _ask_application(endpoint, state)) is not None:
            return answer
        with request_budget(state.settings.STORE_TIMEOUT_SECONDS):
            return _call_view(endpoint, state, flask.request.method)
    except Exception as error:
        refusal = _refusal_for(error)
    app = flask.current_app._get_current_object()  # type: ignore[attr-defined]
    return current_state().server.send(error_response(refusal, endpoint=endpoint.name, sender=app))


def _ask_application(endpoint: ServerEndpoint, state: State) -> flask.Response | None:
    """What the application answers in the endpoint's place, before anything of the request is read."""
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
    """Puts the endpoints into an app so that nothing of that app changes what they answer.

    A login-required ``before_request``, ``CSRFProtect`` or HTML error handlers are made for people; a client that sends
    a signed assertion must not meet them. So the machine endpoints answer in the app's very first ``before_request``
    function. ``after_request`` functions of the app (headers, metrics) still run, and in place of ``before_request``
    there is ``before_machine_request``.
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
            # No redirect from //oauth2/token: it would send the assertion again, to wherever Host says.
            rule = {"provide_automatic_options": False, "merge_slashes": False}
            if endpoint.in_browser:
                methods.add("OPTIONS")
            view = endpoint.view if endpoint.in_browser else partial(respond, endpoint)
            app.add_url_rule(path, name, view, methods=methods, **rule)
            self._rules[path] = next(app.url_map.iter_rules(name))
        machines = frozenset(path for path, endpoint in self._endpoints.items() if not endpoint.in_browser)
        app.session_interface = SessionOnDemand(app.session_interface, machines)  # type: ignore[assignment]
        # In front, whenever the app registered its own: Flask offers no other way to come first.
        app.before_request_funcs.setdefault(None, []).insert(0, self._dispatch)

    def _dispatch(self) -> ResponseReturnValue | None:
        request: flask.Request = flask.request._get_current_object()  # type: ignore[attr-defined]
        endpoint = self._endpoints.get(request.path)
        if endpoint is None:
            return None
        if endpoint.in_browser:
            # With host_matching or subdomain_matching the router may find nothing, or a view for any path: ours are
            # found by the path alone. What else it said stays: a host that is not trusted, say.
            if request.routing_exception is None or isinstance(request.routing_exception, NotFound):
                request.url_rule, request.view_args, request.routing_exception = self._rules[request.path], {}, None
            # It has a token of its own, and a client's form (OpenID Connect Core §3.1.2.1) can have none.
            if csrf := flask.current_app.extensions.get("csrf"):
                csrf.exempt(endpoint.view)
            return None
        return respond(endpoint)


def _refusal_for(error: Exception) -> OAuthError:
    """What to answer when an endpoint raises."""
    if isinstance(error, OAuth2Error):
        return translate(error)
    if isinstance(error, HTTPException) and error.code == TooManyRequests.status:  # what a limiter raises
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
        if error.__cause__ is not None:  # a function of the application's own failed
            _report_defect(error, "a defect in the application")
        return TemporarilyUnavailable(f"set up wrongly: {error}", cause="setup_wrong")
    _report_defect(error, "a defect in an endpoint")
    return ServerError(f"unexpected {type(error).__name__}", cause="unexpected_error")


def _report_defect(error: Exception, what: str) -> None:
    """Tell whoever watches the app, as Flask would, and the log; in tests and in debug mode *error* is raised."""
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
