"""From Flask's request to an endpoint and back. Whatever happens, the answer is JSON and says nothing private."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import flask
from authlib.oauth2 import OAuth2Error
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Rule

from ..errors import (
    ConfigurationError,
    InvalidRequest,
    MethodNotAllowed,
    NotOffered,
    OAuthError,
    ServerError,
    TemporarilyUnavailable,
    TooManyRequests,
)
from ..response import error_response, translate
from ..settings import ServerSettings
from ..state import EXTENSION_KEY, State, current_state
from ..stores.deadline import request_budget

log = logging.getLogger("flask_private_key_jwt")

CACHE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One machine endpoint."""

    name: str
    path: str
    methods: tuple[str, ...]
    view: Callable[[], ResponseReturnValue]
    metadata_member: str = ""
    """Its member of the metadata document, if it has one (RFC 8414 §2)."""
    for_people: bool = False
    """Whether it is only there when the application has people to ask."""
    for_openid: bool = False
    """Whether it is only there when OpenID Connect is offered."""
    in_browser: bool = False
    """Whether it is an ordinary view: pages for people, after the app's own hooks."""
    is_served: Callable[[ServerSettings], bool] = lambda _settings: True
    """Whether an app with these settings has it at all."""
    needs: Callable[[State], bool] = lambda _state: True
    """What else the application must say of its people for it to be there; asked each time."""

    def is_offered(self, state: State) -> bool:
        """Whether it is there, by what the application says of its people so far."""
        server = state.server
        people, openid = not self.for_people or server.has_people(), not self.for_openid or server.offers_openid()
        return people and openid and self.needs(state)

    def respond(self) -> ResponseReturnValue:
        """Answer the current request, come what may."""
        try:
            state = current_state()
            if (answer := self._ask_application(state)) is not None:
                return answer
            with request_budget(state.settings.STORE_TIMEOUT_SECONDS):
                return self._respond(state, flask.request.method)
        except Exception as error:
            refusal = _refusal_for(error)
        app = flask.current_app._get_current_object()  # type: ignore[attr-defined]
        return current_state().server.send(error_response(refusal, endpoint=self.name, sender=app))

    def _ask_application(self, state: State) -> flask.Response | None:
        """What the application answers in the endpoint's place, before anything of the request is read."""
        for function in state.server.declarations.before_requests:
            if (answer := function(self.name)) is not None:
                return flask.make_response(answer)
        return None

    def _respond(self, state: State, method: str) -> ResponseReturnValue:
        if not self.is_offered(state):
            raise NotOffered(
                "OpenID Connect is not offered" if self.for_openid else "the application says nothing of its people"
            )
        if method in self.methods:
            return self.view()
        if method == "OPTIONS":
            allow = flask.Response(status=204, headers={"Allow": ", ".join((*self.methods, "OPTIONS"))})
            del allow.headers["Content-Type"]
            return allow
        raise MethodNotAllowed(f"method {method[:20]!r}", allow=self.methods)


class MachineEndpoints:
    """Puts the endpoints into an app so that nothing of that app changes what they answer.

    A login-required ``before_request``, ``CSRFProtect`` or HTML error handlers are made for people; a client that sends
    a signed assertion must not meet them. So the machine endpoints answer in the app's very first ``before_request``
    function. ``after_request`` functions of the app (headers, metrics) still run, and in place of ``before_request``
    there is ``before_machine_request``.
    """

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
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
            view = endpoint.view if endpoint.in_browser else endpoint.respond
            app.add_url_rule(path, name, view, methods=methods, **rule)
            self._rules[path] = next(app.url_map.iter_rules(name))
        # In front, whenever the app registered its own: Flask offers no other way to come first.
        app.before_request_funcs.setdefault(None, []).insert(0, self._dispatch)

    def _dispatch(self) -> ResponseReturnValue | None:
        request = flask.request
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
        return endpoint.respond()


def _refusal_for(error: Exception) -> OAuthError:
    """What to answer when an endpoint raises."""
    if isinstance(error, OAuth2Error):
        return translate(error)
    if isinstance(error, HTTPException) and error.code == TooManyRequests.status:  # what a limiter raises
        wait = getattr(error, "retry_after", None)
        reason = f"{type(error).__name__} by the application"
        return TooManyRequests(reason, retry_after_seconds=wait) if isinstance(wait, int) else TooManyRequests(reason)
    if isinstance(error, HTTPException):  # flask.abort in a token policy, say
        return InvalidRequest(f"{type(error).__name__} while the request was handled")
    if isinstance(error, ConfigurationError):
        if error.__cause__ is not None:  # a function of the application's own failed
            _report_defect(error, "a defect in the application")
        return TemporarilyUnavailable(f"set up wrongly: {error}")
    _report_defect(error, "a defect in an endpoint")
    return ServerError(f"unexpected {type(error).__name__}")


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


__all__ = ["Endpoint", "MachineEndpoints", "State", "public_json"]
