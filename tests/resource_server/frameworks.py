"""The same API in each framework, so that the same tests run against all of them."""

import json
from collections.abc import Callable
from typing import Annotated, Any, Protocol

import flask
from fastapi import Depends, FastAPI
from quart import Quart
from quart import request as quart_request
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from werkzeug.test import Client

from flask_private_key_jwt.resource_server import (
    ASGIProtector,
    FastAPIProtector,
    QuartProtector,
    ResourceProtector,
    StarletteProtector,
    WSGIProtector,
    current_token,
    find_token,
)
from tests.servers.asgi_client import AsgiClient


class Api(Protocol):
    """An API under test; a Flask app is one."""

    def test_client(self) -> Any:
        """A client like that of Flask."""


class Served:
    """An API that is no Flask app.

    :param sender: Who sends the signals of its refusals.
    """

    def __init__(self, sender: Any, *, wsgi: Any = None, asgi: Any = None) -> None:
        self.sender = sender
        self.asgi = asgi
        self._client: Any = AsgiClient(asgi) if asgi else None
        self._wsgi = wsgi

    def test_client(self) -> Client:
        return self._client.test_client() if self._client else Client(self._wsgi)

    def close(self) -> None:
        if self._client:
            self._client.close()


def tell_client(claims: Any) -> dict[str, Any]:
    return {"client": claims["client_id"] if claims else None}


def tell_all(claims: Any) -> dict[str, Any]:
    return {"claims": dict(claims)}


def views_of(
    config: dict[str, Any],
) -> list[tuple[str, tuple[Any, ...], dict[str, Any], Callable[[Any], dict[str, Any]]]]:
    """Path, arguments and options of ``require_oauth``, and what the view says: ``/bound`` only where proofs are
    checked, ``/online`` only where the issuer can be asked."""
    views: list[Any] = [
        ("/any", (), {}, tell_client),
        ("/read", ("read",), {}, tell_all),
        ("/optional", ("read",), {"optional": True}, tell_client),
    ]
    if config["OAUTH2_REPLAY_STORE"] is not None:
        views.append(("/bound", (), {"dpop": "required"}, tell_client))
    if "OAUTH2_CLIENT_KEY" in config:
        views.append(("/online", ("read",), {"online": True}, tell_client))
        views.append(("/optional-online", (), {"online": True, "optional": True}, tell_client))
    return views


def methods_of(path: str) -> list[str]:
    """The methods of a view."""
    return ["GET", "POST"] if path in ("/any", "/online") else ["GET"]


def make_flask(config: dict[str, Any]) -> Api:
    app = flask.Flask("api")
    app.config.from_mapping(config)
    require_oauth = ResourceProtector()
    require_oauth.init_app(app)
    for path, arguments, options, tell in views_of(config):

        def view(tell: Any = tell) -> dict[str, Any]:
            return tell(current_token)  # type: ignore[no-any-return]

        app.add_url_rule(path, path, require_oauth(*arguments, **options)(view), methods=methods_of(path))
    return app


def make_wsgi(config: dict[str, Any]) -> Api:
    require_oauth = WSGIProtector(config)
    apps: dict[str, Any] = {}
    for path, arguments, options, tell in views_of(config):

        def view(environ: Any, start_response: Any, tell: Any = tell) -> Any:
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(tell(find_token(environ))).encode()]

        apps[path] = require_oauth.protect(view, *arguments, **options)

    def not_found(environ: Any, start_response: Any) -> Any:
        start_response("404 Not Found", [])
        return [b""]

    def route(environ: Any, start_response: Any) -> Any:
        return apps.get(environ["PATH_INFO"], not_found)(environ, start_response)

    return Served(require_oauth, wsgi=require_oauth.describe(route))


def make_asgi(config: dict[str, Any]) -> Api:
    require_oauth = ASGIProtector(config)
    apps: dict[str, Any] = {}
    for path, arguments, options, tell in views_of(config):

        async def view(scope: Any, receive: Any, send: Any, tell: Any = tell) -> None:
            await JSONResponse(tell(find_token(scope)))(scope, receive, send)

        apps[path] = require_oauth.protect(view, *arguments, **options)

    async def route(scope: Any, receive: Any, send: Any) -> None:
        app = apps.get(scope["path"], JSONResponse({}, 404))
        await app(scope, receive, send)

    return Served(require_oauth, asgi=require_oauth.describe(route))


def make_starlette(config: dict[str, Any]) -> Api:
    require_oauth = StarletteProtector(config)
    routes = []
    for path, arguments, options, tell in views_of(config):

        async def view(request: Any, tell: Any = tell) -> JSONResponse:
            return JSONResponse(tell(find_token(request)))

        routes.append(Route(path, require_oauth(*arguments, **options)(view), methods=methods_of(path)))
    app = Starlette(routes=routes)
    require_oauth.init_app(app)
    return Served(require_oauth, asgi=app)


def make_fastapi(config: dict[str, Any]) -> Api:
    require_oauth = FastAPIProtector(config)
    app = FastAPI()
    for path, arguments, options, tell in views_of(config):
        dependency = Depends(require_oauth(*arguments, **options))

        def add(path: str, dependency: Any, tell: Any) -> None:
            @app.api_route(path, methods=methods_of(path))
            def view(token: Annotated[Any, dependency]) -> Any:
                return tell(token)

        add(path, dependency, tell)
    require_oauth.init_app(app)
    return Served(require_oauth, asgi=app)


def make_quart(config: dict[str, Any]) -> Api:
    app = Quart("api")
    app.config.from_mapping(config)
    require_oauth = QuartProtector(app.config)
    for path, arguments, options, tell in views_of(config):

        async def view(tell: Any = tell) -> Any:
            return tell(find_token(quart_request))

        app.add_url_rule(path, path, require_oauth(*arguments, **options)(view), methods=methods_of(path))
    require_oauth.init_app(app)
    return Served(require_oauth, asgi=app)


FRAMEWORKS: dict[str, Callable[[dict[str, Any]], Api]] = {
    "flask": make_flask,
    "wsgi": make_wsgi,
    "asgi": make_asgi,
    "starlette": make_starlette,
    "fastapi": make_fastapi,
    "quart": make_quart,
}
