"""A listener on this machine for one authorization response (RFC 8252 §7.3): on an address, on any free port."""

import socketserver
from http.server import BaseHTTPRequestHandler
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from urllib.parse import parse_qsl

HOST = "127.0.0.1"
IDLE_SECONDS = 10.0

PAGE = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Done</title></head>
<body><h1>Done</h1><p>The console client has its answer. You may close this page.</p></body></html>
"""
"""The page is constant: it contains nothing of the request."""


class NobodyCame(Exception):
    """The browser did not come back in time."""


class LoopbackListener:
    """Listens for the length of a ``with`` block.

    :param path: The path of the redirect URI.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._queries: SimpleQueue[str] = SimpleQueue()
        self._server = _Server(path, self._queries)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="loopback", daemon=True)

    @property
    def redirect_uri(self) -> str:
        """The client's redirect URI with the port that was free."""
        return f"http://{HOST}:{self._server.server_address[1]}{self._path}"

    def wait(self, seconds: float) -> list[tuple[str, str]]:
        """The parameters of the first answer, as they came.

        :raises NobodyCame: None came within *seconds*.
        """
        try:
            query = self._queries.get(timeout=seconds)
        except Empty:
            raise NobodyCame(f"The browser did not come back within {seconds:.0f} seconds.") from None
        return parse_qsl(query, keep_blank_values=True)

    def __enter__(self) -> "LoopbackListener":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, path: str, queries: "SimpleQueue[str]") -> None:
        super().__init__((HOST, 0), _Handler)
        self.path = path
        self.queries = queries


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = IDLE_SECONDS

    def do_GET(self) -> None:  # the name http.server calls it by
        """Keep the query of a request to the redirect URI."""
        path, _, query = self.path.partition("?")
        if path != self.server.path:  # a browser that looks for an icon
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(PAGE)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")  # the code is in this page's address
        self.send_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.end_headers()
        self.wfile.write(PAGE)
        self.server.queries.put(query)

    def log_message(self, format: str, *words: object) -> None:  # noqa: A002  # the name http.server calls it by
        """Say nothing: the code is in the request line."""
