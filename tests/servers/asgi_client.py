"""Call an ASGI app in this process through werkzeug's test client, and so in the words of every other test."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from threading import current_thread, main_thread
from typing import Any

from werkzeug.test import Client

from flask_private_key_jwt.testing.asgi_bridge import build_scope as bridge_scope
from flask_private_key_jwt.testing.asgi_bridge import call

__all__ = ["AsgiClient", "call"]

ASGIApp = Callable[..., Awaitable[None]]


class AsgiClient:
    """Makes test clients of one ASGI app, whose requests run in one event loop; close it in the end."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._runner = asyncio.Runner()

    def test_client(self) -> Client:
        return Client(self._answer)

    def close(self) -> None:
        self._runner.close()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        # Other threads have loops of their own.
        run = self._runner.run if current_thread() is main_thread() else asyncio.run
        status, headers, content = run(call(self.app, build_scope(environ), body))
        start_response(f"{status} ", headers)
        return iter([content])


def build_scope(environ: dict[str, Any]) -> dict[str, Any]:
    """The ASGI scope of a request, as a server behind https has it."""
    return {**bridge_scope(environ), "scheme": "https", "server": ("api.example", 443), "state": {}}
