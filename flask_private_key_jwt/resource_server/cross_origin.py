"""Pages of other origins at an API in Flask (CORS): what ``OAUTH2_CORS_ORIGINS`` opens, and the public documents."""

from collections.abc import Iterable

import flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect, Rule

from ..web.cross_origin import FOR_EVERYBODY, CrossOrigin, Headers, find_preflight
from .in_flask import current_request
from .marked_views import find_marks

DOCUMENT_METHODS = ("GET", "HEAD")


def allow_cross_origin(app: flask.Flask, cross_origin: CrossOrigin, *, documents: Iterable[str]) -> None:
    """Let pages of other origins call the protected views of *app*, and everybody's pages read the documents.

    A preflight of a listed origin is answered before the app's own functions: it carries no token, so one of them that
    requires a login would refuse it.

    :param documents: The paths of the public documents.
    """
    public = frozenset(documents)

    def answer_preflight() -> flask.Response | None:
        request = current_request()
        method = read_preflight(request)
        if method is None or request.path in public or not cross_origin.is_listed(request.headers.get("Origin")):
            return None
        if _find_protected_methods(method) is None:
            return None
        answer = flask.Response(status=204)
        del answer.headers["Content-Type"]
        return answer

    def add_headers(response: flask.Response) -> flask.Response:
        request = current_request()
        if request.path in public:
            headers = build_headers(request, FOR_EVERYBODY, methods=DOCUMENT_METHODS)
        elif cross_origin.origins and (methods := _find_protected_methods(read_preflight(request))) is not None:
            headers = build_headers(request, cross_origin, methods=methods)
        else:
            return response
        return replace_headers(response, headers)

    if cross_origin.origins:
        app.before_request_funcs.setdefault(None, []).insert(0, answer_preflight)
    run_last(app, add_headers)


def read_preflight(request: flask.Request) -> str | None:
    """The method that a preflight asks for; ``None`` if the request is no preflight."""
    return find_preflight(
        request.method,
        origin=request.headers.get("Origin"),
        requested_method=request.headers.get("Access-Control-Request-Method"),
    )


def build_headers(request: flask.Request, cross_origin: CrossOrigin, *, methods: Iterable[str]) -> Headers:
    """The headers of the answer to *request*, which may be a preflight.

    :param methods: What is served there.
    """
    origin = request.headers.get("Origin")
    if read_preflight(request) is not None:
        return cross_origin.build_preflight_headers(origin, methods)
    return cross_origin.build_headers(origin)


def replace_headers(response: flask.Response, headers: Headers) -> flask.Response:
    """Give *response* these headers, and no other of CORS: two decisions about one answer would contradict each other.

    With two values of one header a browser lets nobody read the answer.
    """
    for name in {name for name, _ in response.headers if name.lower().startswith("access-control-")}:
        del response.headers[name]
    for name, value in headers:
        if name == "Vary":
            response.vary.add(value)
        else:
            response.headers[name] = value
    return response


def run_last(app: flask.Flask, function: flask.typing.AfterRequestCallable[flask.Response]) -> None:
    """Register an ``after_request`` function that runs after all others, an extension's for CORS for example.

    Flask calls them in reverse order, those that are registered later too.
    """
    app.after_request_funcs.setdefault(None, []).insert(0, function)


def _find_protected_methods(requested: str | None) -> tuple[str, ...] | None:
    """The methods of the protected view that a request is for; ``None`` if it is for no protected view.

    :param requested: The method that a preflight asks for.
    """
    rule = flask.request.url_rule if requested is None else _match(requested)
    if rule is None or not _is_protected(rule):
        return None
    return tuple(sorted((rule.methods or set()) - {"OPTIONS"}))


def _match(method: str) -> Rule | None:
    """The rule that serves *method* at the path of the current request."""
    adapter = flask.globals.request_ctx.url_adapter
    if adapter is None:
        return None
    try:
        rule, _ = adapter.match(method=method, return_rule=True)
    except (HTTPException, RequestRedirect):
        return None
    return rule


def _is_protected(rule: Rule) -> bool:
    app, endpoint = flask.current_app, rule.endpoint
    functions: list[object] = [app.view_functions.get(endpoint)]
    names = endpoint.split(".")[:-1]
    for length in range(1, len(names) + 1):  # "outer.inner.view": the functions of both blueprints run
        functions += app.before_request_funcs.get(".".join(names[:length]), ())
    return any(True for function in functions for _ in find_marks(function))
