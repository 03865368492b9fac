"""Calls an ASGI application from the test client of a WSGI one, so that both are tested in the same words."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import unquote


class ASGIBridge:
    """A WSGI application that passes its requests to an ASGI one, in an event loop of its own.

    The application is started at once, and ended by :meth:`close`. A test that runs in an event loop itself cannot use
    it.

    :param app: The ASGI application.
    :raises RuntimeError: The application says that it cannot start.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app
        self._runner = asyncio.Runner()
        self._lifespan = Lifespan(app)
        try:
            self._runner.run(self._lifespan.start())
        except BaseException:
            self._runner.close()
            raise

    def close(self) -> None:
        """End the application, and close the event loop."""
        try:
            self._runner.run(self._lifespan.end())
        finally:
            self._runner.close()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        """Answer one request (PEP 3333)."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, headers, content = self._runner.run(call(self._app, self._build_scope(environ), body))
        start_response(f"{status} ", headers)
        return iter([content])

    def _build_scope(self, environ: dict[str, Any]) -> dict[str, Any]:
        return {**build_scope(environ), "state": dict(self._lifespan.state)}


class Lifespan:
    """The start and the end of an application (ASGI Lifespan specification), in one task of the event loop.

    :param app: The ASGI application.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self.state: dict[str, Any] = {}
        """What the application keeps for its requests."""

    async def start(self) -> None:
        """Start the application; one that knows no lifespan has nothing to start.

        :raises RuntimeError: The application says that it cannot start.
        """
        self._task = asyncio.create_task(self._run())
        await self._tell("startup")

    async def end(self) -> None:
        """End the application."""
        await self._tell("shutdown")

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        await self._app(scope, self._messages.get, self._said.put)

    async def _tell(self, what: str) -> None:
        assert self._task is not None
        if self._task.done():
            return
        await self._messages.put({"type": f"lifespan.{what}"})
        answer = asyncio.create_task(self._said.get())
        await asyncio.wait([self._task, answer], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():  # the application ended, or raised, without a word: it knows no lifespan
            answer.cancel()
            self._task.exception()
        elif answer.result()["type"].endswith(".failed"):
            await asyncio.wait([self._task])
            self._task.exception()
            done = {"startup": "start", "shutdown": "end"}[what]
            raise RuntimeError(f"The application under test did not {done}: {answer.result().get('message', '')}")
        elif what == "shutdown":
            await self._task


def build_scope(environ: dict[str, Any]) -> dict[str, Any]:
    """The ASGI scope of a request (ASGI HTTP specification)."""
    headers = [
        (name[5:].replace("_", "-").lower().encode(), value.encode("latin-1"))
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers.append((name.replace("_", "-").lower().encode(), environ[name].encode("latin-1")))
    raw_path = environ.get("REQUEST_URI", environ["PATH_INFO"]).partition("?")[0]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": environ["REQUEST_METHOD"],
        "scheme": environ["wsgi.url_scheme"],
        "path": unquote(raw_path),
        "raw_path": raw_path.encode("latin-1"),
        "root_path": "",
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": (environ["SERVER_NAME"], int(environ["SERVER_PORT"])),
        "extensions": {},
    }


async def call(
    app: Callable[..., Awaitable[None]], scope: dict[str, Any], body: bytes = b""
) -> tuple[int, list[tuple[str, str]], bytes]:
    """The status, the headers and the body of an answer."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    never = asyncio.get_running_loop().create_future()
    started: dict[str, Any] = {}
    content = bytearray()

    async def receive() -> Any:
        return messages.pop(0) if messages else await never

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert not started, "an answer began twice"
            started.update(message)
        elif message["type"] == "http.response.body":
            assert started, "a body came before its status"
            content.extend(message.get("body", b""))

    await app(scope, receive, send)
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in started["headers"]]
    return started["status"], headers, bytes(content)
