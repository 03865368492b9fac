"""A port on loopback whose connections are served one by one, each in a thread: what other servers are made of."""

import contextlib
import socket
import threading
from collections.abc import Callable

SECONDS = 5
"""How long a connection may say nothing."""


class Listener:
    """Listens from the start until it is closed.

    :param serve: Serves one connection, and closes it; an ``OSError`` ends it and nothing else.
    """

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self.ended = threading.Event()
        """Set when it is closed: whoever pauses while serving waits for this."""
        self._serve = serve
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self.ended.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self.ended.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.settimeout(SECONDS)
            thread = threading.Thread(target=self._serve_one, args=[connection])
            self._threads.append(thread)
            thread.start()

    def _serve_one(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            self._serve(connection)


def read_head(connection: socket.socket) -> str:
    """The request line and the headers of an HTTP request.

    :raises OSError: There is no whole one.
    """
    head = b""
    while b"\r\n\r\n" not in head:
        received = connection.recv(4096)
        if not received:
            raise OSError("no whole request")
        head += received
    return head.decode("latin-1")
