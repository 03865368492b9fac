"""A small HTTP proxy on loopback that opens tunnels (CONNECT), and knows where the names of the tests lead."""

import base64
import contextlib
import socket
import threading

from tests.servers.listener import Listener, read_head


class ConnectProxy:
    """Opens a tunnel to the loopback port that ``routes`` has for a host and port; refuses every other.

    :param password: What a caller must send as ``user:password``.
    """

    def __init__(self, password: str | None = None) -> None:
        self.routes: dict[str, int] = {}
        """``as.example:443`` -> a port of this machine."""
        self.asked: list[str] = []
        self._password = password
        self._listener = Listener(self._serve)
        self.port = self._listener.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._listener.close()

    def _serve(self, connection: socket.socket) -> None:
        lines = read_head(connection).split("\r\n")
        method, target, _ = lines[0].split(" ")
        self.asked.append(f"{method} {target}")
        connection.sendall(f"HTTP/1.1 {self._status(method, target, lines)}\r\n\r\n".encode())
        if method == "CONNECT" and target in self.routes:
            self._tunnel(connection, self.routes[target])

    def _status(self, method: str, target: str, lines: list[str]) -> str:
        if self._password is not None:
            expected = f"Proxy-Authorization: Basic {base64.b64encode(self._password.encode()).decode()}"
            if expected.lower() not in (line.lower() for line in lines):
                return "407 Proxy Authentication Required"
        return "200 OK" if method == "CONNECT" and target in self.routes else "403 Forbidden"

    def _tunnel(self, connection: socket.socket, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), 5) as server:
            back = threading.Thread(target=_copy, args=[server, connection])
            back.start()
            _copy(connection, server)
            back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
