"""Strangers: who registers without a token, asks without end, and publishes what it likes on this machine."""

import json
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.faults.served import Answer, Served, call


@dataclass
class Site:
    """What is published on this machine: JSON documents by path, and how often each was fetched."""

    base: str
    documents: dict[str, object] = field(default_factory=dict)
    fetched: "Counter[str]" = field(default_factory=Counter)

    def url(self, path: str) -> str:
        return self.base + path


@contextmanager
def publishing(context: ssl.SSLContext | None = None) -> Iterator[Site]:
    """A site for the length of the block.

    :param context: TLS for ``localhost``; ``None``: plain HTTP, on an address.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.fetched[self.path] += 1
            body = json.dumps(site.documents.get(self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port = server.server_address[1]
    site = Site(f"http://127.0.0.1:{port}")
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        site = Site(f"https://localhost:{port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()


def sign_up(served: Served, jwks_uri: str) -> tuple[str, Callable[[dict[str, Any]], Answer]]:
    """Register as a stranger; gives the client_id, and what changes the registration."""
    body = json.dumps({"jwks_uri": jwks_uri, "scope": "read"}).encode()
    answer = call(served.port, "POST", "/oauth2/register", body, content_type="application/json")
    assert answer.status == 201, answer.body
    where = urlsplit(answer.json["registration_client_uri"])
    headers = {"Authorization": f"Bearer {answer.json['registration_access_token']}"}

    def manage(changes: dict[str, Any]) -> Answer:
        sent, kind = json.dumps(changes).encode(), "application/merge-patch+json"
        return call(served.port, "PATCH", f"{where.path}?{where.query}", sent, content_type=kind, headers=headers)

    return answer.json["client_id"], manage


class Strangers:
    """Threads that do harm if they can, one after the other in each, for the length of a ``with`` block."""

    def __init__(self, *harms: Callable[[], Answer], pause_seconds: float = 0.1) -> None:
        self.answers: list[Answer] = []
        self._pause = pause_seconds
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=[harm], daemon=True) for harm in harms]

    def __enter__(self) -> "Strangers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, harm: Callable[[], Answer]) -> None:
        while not self._stop.is_set():
            self.answers.append(harm())
            self._stop.wait(self._pause)
