"""An API for the tests of real servers: one protected application, and one that is not."""

from typing import Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute

from flask_private_key_jwt.resource_server import StarletteProtector, find_token

require_oauth = StarletteProtector()


@require_oauth("read", dpop="required")
async def show_values(request: Any) -> JSONResponse:
    """Who calls."""
    return JSONResponse({"client": (find_token(request) or {})["client_id"]})


@require_oauth("read")
async def add_value(request: Any) -> JSONResponse:
    """How much came."""
    return JSONResponse({"bytes": len(await request.body())})


@require_oauth("read")
async def talk(websocket: Any) -> None:
    """Say who calls."""
    await websocket.accept()
    await websocket.send_json({"client": (find_token(websocket) or {})["client_id"]})
    await websocket.close()


async def show_health(request: Any) -> JSONResponse:
    """For everybody."""
    return JSONResponse({})


app = Starlette(
    routes=[
        Route("/values", show_values),
        Route("/values", add_value, methods=["POST"]),
        Route("/caf\u00e9", show_values),
        Mount("/v1", routes=[Route("/values", show_values)]),
        WebSocketRoute("/talk", talk),
        Route("/health", show_health),
    ]
)
require_oauth.init_app(app)
