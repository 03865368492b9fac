"""nginx and Caddy as ``deploy/`` sets them up, before granian: callers who never finish a request block nobody."""

import socket
import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.checkout import CHECKOUT
from tests.faults.served import Caller, Served, ask_token, serving, set_up
from tests.servers.proxies import caddy, nginx

HALF_SENT = 24
HEAD = b"POST /oauth2/token HTTP/1.1\r\nHost: as.example\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture(scope="module")
def token_server() -> Iterator[tuple[Served, Caller]]:
    with tempfile.TemporaryDirectory() as folder:
        environment = {"FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/as.sqlite"}
        caller = set_up(environment)
        with serving("granian", Path(folder), environment, workers=1) as served:
            yield served, caller


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def proxy_port(request: pytest.FixtureRequest, token_server: tuple[Served, Caller]) -> Iterator[int]:
    served, _ = token_server
    with {"nginx": nginx, "caddy": caddy}[request.param](served.port) as proxy:
        yield proxy.port


def connect(port: int, *, tls: bool) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", port), 10)
    if not tls:
        return plain
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname="as.example")


@contextmanager
def half_sent(port: int, *, tls: bool) -> Iterator[None]:
    """Requests whose body never ends."""
    with ExitStack() as stack:
        for _ in range(HALF_SENT):
            connection = stack.enter_context(connect(port, tls=tls))
            connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\ngrant_type=")
        time.sleep(0.2)  # until the server has seen them
        yield


def send(port: int, form: bytes, *, tls: bool, patience: float) -> tuple[int, float]:
    """The status of one whole request and how long it took."""
    started = time.monotonic()
    with connect(port, tls=tls) as connection:
        connection.settimeout(patience)
        connection.sendall(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(form), form))
        status = int(connection.recv(4096).split()[1])
    return status, time.monotonic() - started


def test_callers_who_never_finish_hold_nobody_up_behind_the_proxy(token_server, proxy_port):
    _, caller = token_server
    send(proxy_port, caller.build_form(), tls=True, patience=10)

    with half_sent(proxy_port, tls=True):
        status, seconds = send(proxy_port, caller.build_form(), tls=True, patience=10)

    assert status == 200
    assert seconds < 8  # the proxies give up after 10, and whoever waits for a thread waits as long


def test_without_the_proxy_they_hold_everybody_up(token_server):
    served, caller = token_server

    with half_sent(served.port, tls=False), pytest.raises(TimeoutError):
        send(served.port, caller.build_form(), tls=False, patience=1)

    assert ask_token(served.port, caller.build_form()).status == 200


def test_a_request_too_large_gets_the_protocols_answer_through_the_proxy(token_server, proxy_port):
    _, caller = token_server
    status, _ = send(proxy_port, caller.build_form(more="x" * 100_000), tls=True, patience=10)

    assert status == 413


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("nginx.conf", "proxy_next_upstream off;"),
        ("kubernetes/nginx.conf", "proxy_next_upstream off;"),
        ("Caddyfile", "lb_try_duration 0"),
    ],
)
def test_the_proxy_sends_no_request_twice(file: str, line: str) -> None:
    text: Any = (CHECKOUT / "deploy" / file).read_text()

    assert line in text
