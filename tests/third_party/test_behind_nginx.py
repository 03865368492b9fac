"""The proxy of ``deploy/nginx.conf`` in front of granian: callers who never finish a request block nobody."""

import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.certificates import build_self_signed
from tests.checkout import CHECKOUT
from tests.faults.served import Caller, Served, ask_token, serving, set_up
from tests.servers.ports import free_port
from tests.servers.throwaway import miss

HALF_SENT = 24
HEAD = b"POST /oauth2/token HTTP/1.1\r\nHost: as.example\r\nContent-Type: application/x-www-form-urlencoded\r\n"
MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


@pytest.fixture(scope="module")
def token_server() -> Iterator[tuple[Served, Caller]]:
    with tempfile.TemporaryDirectory() as folder:
        environment = {"FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/as.sqlite"}
        caller = set_up(environment)
        with serving("granian", Path(folder), environment, workers=1) as served:
            yield served, caller


@pytest.fixture(scope="module")
def proxy_port(token_server: tuple[Served, Caller]) -> Iterator[int]:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        miss("no nginx is installed")
    served, _ = token_server
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        write_configuration(Path(folder), port, served.port)
        Path(folder).chmod(0o755)
        process = subprocess.Popen(
            [str(nginx), "-p", folder, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]
        )
        try:
            wait_until_it_listens(port, process)
            yield port
        finally:
            process.terminate()
            process.wait()


def write_configuration(folder: Path, port: int, app_port: int) -> None:
    """The file as it is shipped, but for what it says to change: ports and the certificate."""
    key = jose.generate_private_key("ES256")
    (folder / "key.pem").write_bytes(key.as_pem())
    (folder / "crt.pem").write_bytes(build_self_signed(key, common_name="as.example", days=1, now=int(time.time())))
    text = (CHECKOUT / "deploy" / "nginx.conf").read_text()
    for pattern, value in {
        r"127\.0\.0\.1:8000": f"127.0.0.1:{app_port}",
        r"listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        r"\S+fullchain\.pem": f"{folder}/crt.pem",
        r"\S+privkey\.pem": f"{folder}/key.pem",
    }.items():
        text, changed = re.subn(pattern, value, text)
        assert changed == 1, pattern
    (folder / "site.conf").write_text(text)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder))


def wait_until_it_listens(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, "nginx ended"
            assert time.monotonic() < deadline, "nginx does not listen"
            time.sleep(0.02)
        else:
            return


def connect(port: int, *, tls: bool) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", port), 10)
    if not tls:
        return plain
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain)


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
    assert seconds < 1


def test_without_the_proxy_they_hold_everybody_up(token_server):
    served, caller = token_server

    with half_sent(served.port, tls=False), pytest.raises(TimeoutError):
        send(served.port, caller.build_form(), tls=False, patience=1)

    assert ask_token(served.port, caller.build_form()).status == 200


def test_a_request_too_large_gets_the_protocols_answer_through_the_proxy(token_server, proxy_port):
    _, caller = token_server
    status, _ = send(proxy_port, caller.build_form(more="x" * 100_000), tls=True, patience=10)

    assert status == 413


def test_the_proxy_sends_no_request_twice() -> None:
    text: Any = (CHECKOUT / "deploy" / "nginx.conf").read_text()

    assert "proxy_next_upstream off;" in text
