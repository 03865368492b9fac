"""A listener on this machine for one authorization response (RFC 8252 §7.3): on an address, on any free port.

Every program and every web page on this machine can call it. Only a request to the redirect URI with the right
``state`` counts; all others get a constant page, and the wait goes on.
"""

import contextlib
import re
import socket
import socketserver
from collections.abc import Callable
from html import escape
from http.server import BaseHTTPRequestHandler
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Thread, Timer
from types import TracebackType
from typing import Any

from ...errors import ConfigurationError
from ..errors import SignInError
from ..foreign_text import show_foreign
from .answer import read_answer

HOST = "127.0.0.1"
CONNECTION_SECONDS = 10.0
"""How long one connection may take, however slowly its bytes come."""
MOST_CONNECTIONS = 32
"""At the same time; further ones are closed, so that no stranger takes all memory."""
LONGEST_TARGET = 16_384
MOST_PATIENCE_SECONDS = 86_400
_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1><p>{text}</p></body></html>
"""

Values = dict[str, str]
IsOurs = Callable[[Values], bool]
"""Whether an answer has the right ``state``."""


class LoopbackListener:
    """Listens for the length of a ``with`` block; its port is its own alone.

    :param path: The path of the redirect URI.
    :raises ConfigurationError: It is no plain path.
    """

    def __init__(self, path: str = "/callback") -> None:
        if not _PATH.fullmatch(path):
            raise ConfigurationError(f"The path {path!r} of the redirect URI must be a plain one, such as /callback.")
        self._server = _Server(path)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="oauth2-loopback", daemon=True)

    @property
    def redirect_uri(self) -> str:
        """The redirect URI with the port that was free."""
        return f"http://{HOST}:{self._server.port}{self._server.path}"

    def expect(self, is_ours: IsOurs) -> None:
        """Say which answer is ours, before the browser is sent away; until then none is.

        :param is_ours: Says of the parameters of an answer whether it has the right ``state``.
        """
        self._server.is_ours = is_ours

    def wait(self, *, seconds: float) -> Values:
        """The parameters of the first answer that is ours.

        :raises ConfigurationError: *seconds* is not more than 0, or more than a day.
        :raises SignInError: None came within *seconds*.
        """
        if not 0 < seconds <= MOST_PATIENCE_SECONDS:
            raise ConfigurationError(
                f"A wait of {seconds!r} seconds makes no sense: more than 0, and at most {MOST_PATIENCE_SECONDS}."
            )
        try:
            return self._server.answers.get(timeout=seconds)
        except Empty:
            raise SignInError(
                f"The browser did not come back within {seconds:g} seconds. Sign in once more, or allow more time.",
                cause="sign_in_timeout",
            ) from None

    def __enter__(self) -> "LoopbackListener":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


def _refuse_all(_values: Values) -> bool:
    return False


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = MOST_CONNECTIONS
    allow_reuse_address = False  # no other program may listen on our port, or take it over
    allow_reuse_port = False

    def __init__(self, path: str) -> None:
        self.path = path
        self.is_ours: IsOurs = _refuse_all
        self.answers: SimpleQueue[Values] = SimpleQueue()
        self._free = BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__((HOST, 0), _Handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def server_bind(self) -> None:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows lets others share a port otherwise
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        super().server_bind()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        end = Timer(CONNECTION_SECONDS, _cut, (request,))
        end.daemon = True
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: the request line may hold a code."""


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = CONNECTION_SECONDS
    server_version = "private-key-jwt"
    sys_version = ""

    def do_GET(self) -> None:  # the name http.server calls it by
        """Take the answer if it is ours."""
        path, _, query = self.path.partition("?")
        # A web page can give this address a name of its own (DNS rebinding); the browser still sends that name.
        if path != self.server.path or self.headers.get_all("Host") != [f"{HOST}:{self.server.port}"]:
            self._say(404, "Nothing here", "This is not the address that a sign-in returns to.")
            return
        values = self._read(query)
        if values is None or not self.server.is_ours(values):
            self._say(400, "Not the answer", "This is not the answer to the sign-in that is under way.")
            return
        error = show_foreign(values.get("error"))
        if error is not None:
            self._say(200, "Not signed in", f"The server answered: {error}. The program says more.")
        else:
            self._say(200, "Thank you", "The program goes on now. You may close this page.")
        self.server.answers.put(values)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no GET or no HTTP with a page that repeats nothing of it."""
        self._say(code, "Not understood", "This address is for the browser that signs in.")

    def _read(self, query: str) -> Values | None:
        if len(query) > LONGEST_TARGET:
            return None
        with contextlib.suppress(SignInError):
            return read_answer(f"?{query}")
        return None

    def _say(self, status: int, title: str, text: str) -> None:
        page = _PAGE.format(title=escape(title), text=escape(text)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")  # the code is in this page's address
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; form-action 'none'")
        self.end_headers()
        with contextlib.suppress(OSError):  # the browser may be gone already; the answer counts all the same
            self.wfile.write(page)

    def log_message(self, format: str, *words: object) -> None:  # noqa: A002  # the name http.server calls it by
        """Say nothing: the code is in the request line."""
