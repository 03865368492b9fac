"""nginx and Caddy as ``deploy/`` sets them up, with this test's ports and certificate."""

import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.certificates import build_self_signed
from tests.checkout import CHECKOUT
from tests.servers.ports import free_port
from tests.servers.throwaway import miss

DEPLOY = CHECKOUT / "deploy"
START_SECONDS = 120
NGINX = """
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


def find_program(name: str) -> str:
    """The path of a program, which Debian may keep where no user's PATH looks; skips if there is none."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        miss(f"no {name} is installed")
    return found


def edit(text: str, changes: Mapping[str, str]) -> str:
    """The text of a shipped file with what it says to change; each pattern is there once."""
    for pattern, value in changes.items():
        text, changed = re.subn(pattern, lambda _, value=value: value, text)
        assert changed == 1, pattern
    return text


@dataclass
class Proxy:
    """A running proxy."""

    port: int
    folder: Path
    tls: bool
    shipped: str
    """Its configuration with this test's ports and paths, but for the app's address."""
    process: "subprocess.Popen[bytes]" = field(init=False)

    def lead_to(self, app_port: int) -> None:
        """Change the app's address in the configuration, and reload it as an operator does."""
        assert self.shipped.count("127.0.0.1:8000") == 1
        (self.folder / "site.conf").write_text(self.shipped.replace("127.0.0.1:8000", f"127.0.0.1:{app_port}"))

    def reload(self) -> None:
        """``nginx -s reload``."""
        self.process.send_signal(signal.SIGHUP)


def write_certificate(folder: Path) -> None:
    key = jose.generate_private_key("ES256")
    (folder / "key.pem").write_bytes(key.as_pem())
    (folder / "crt.pem").write_bytes(build_self_signed(key, common_name="as.example", days=1, now=int(time.time())))


@contextmanager
def nginx(app_port: int, *, file: str = "nginx.conf", changes: Mapping[str, str] | None = None) -> Iterator[Proxy]:
    """nginx with the file as it is shipped, but for what it says to change: ports and the certificate.

    :param changes: What else is changed: a pattern -> what takes its place.
    """
    program, port = find_program("nginx"), free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        write_certificate(folder)
        text = edit((DEPLOY / file).read_text(), changes or {})
        if is_tls := "listen 443 ssl" in text:
            certificate = {r"\S+fullchain\.pem": f"{folder}/crt.pem", r"\S+privkey\.pem": f"{folder}/key.pem"}
            text = edit(text, {r"listen 443 ssl": f"listen 127.0.0.1:{port} ssl", **certificate})
        else:
            text = edit(text, {r"listen 8080": f"listen 127.0.0.1:{port}"})
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
        command = [program, "-p", name, "-e", f"{name}/error.log", "-c", f"{name}/nginx.conf"]
        with _running(command, Proxy(port, folder, is_tls, text), app_port) as proxy:
            yield proxy


@contextmanager
def caddy(app_port: int) -> Iterator[Proxy]:
    """Caddy with the file as it is shipped, but for what it says to change, and what an older Caddy calls otherwise."""
    program, port = find_program("caddy"), free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_certificate(folder)
        changes = {
            r"(?m)^\{$": "{\n\tadmin off\n\tauto_https off",
            r"(?m)^as\.example \{$": f"https://as.example:{port} {{\n\tbind 127.0.0.1",
            r"# tls \S+ \S+": f"tls {folder}/crt.pem {folder}/key.pem",
        }
        if _caddy_version(program) < (2, 7):
            changes[r"request_buffers 1MB"] = "buffer_requests\n\t\tmax_buffer_size 1MB"
        text = edit((DEPLOY / "Caddyfile").read_text(), changes)
        command = [program, "run", "--adapter", "caddyfile", "--config", f"{name}/site.conf"]
        with _running(command, Proxy(port, folder, True, text), app_port) as proxy:
            yield proxy


def _caddy_version(program: str) -> tuple[int, ...]:
    said = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"v?(\d+)\.(\d+)", said)
    assert found is not None, said
    return tuple(map(int, found.groups()))


@contextmanager
def _running(command: list[str], proxy: Proxy, app_port: int) -> Iterator[Proxy]:
    folder = proxy.folder
    log = folder / "log"
    with log.open("wb") as output:
        environment = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        proxy.lead_to(app_port)
        proxy.process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            _wait_until_it_listens(proxy.port, proxy.process, log)
            yield proxy
        finally:
            proxy.process.terminate()
            proxy.process.wait()


def _wait_until_it_listens(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, f"the proxy ended: {log.read_text()}"
            assert time.monotonic() < deadline, "the proxy does not listen"
            time.sleep(0.02)
        else:
            return
