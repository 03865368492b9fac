"""A way to a server that a test can cut and restore, or freeze."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any


class Line:
    """A way to a server, on a port of its own, that a test can cut and restore, or freeze and thaw."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._run(self._accept)

    def freeze(self) -> None:
        """Keep every connection, take new ones, and let nothing through."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Let through what waited, and all that follows."""
        self._flowing.set()

    def cut(self) -> None:
        """Drop every connection and refuse new ones."""
        self.thaw()
        # shutdown wakes the threads; close alone would leave them waiting.
        for end in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in [self._listener, *self._sockets]:
            end.close()
        self._sockets.clear()
        self._threads.clear()

    def restore(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._run(self._accept)

    def _run(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        listener = self._listener
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            self._sockets += [near, far]
            self._run(self._pump, near, far)
            self._run(self._pump, far, near)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flowing.wait()
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
