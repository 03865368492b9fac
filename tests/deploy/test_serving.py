"""What an operator does to the app of ``deploy/app`` behind nginx and Caddy, while clients go on asking for tokens."""

import http.client
import os
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.served import WORKERS, Running, serve
from tests.deploy.waiting import SECONDS, wait_until
from tests.faults.served import Caller, call
from tests.servers.proxies import Proxy, caddy, nginx

THREADS = 3
MOST_LOST = THREADS * WORKERS
"""Each worker that ends may take one request of each client with it."""


class Clients:
    """Token requests through a proxy, each on a connection of its own, from several threads until the block ends."""

    def __init__(self, proxy: Proxy, caller: Caller, *, threads: int = THREADS) -> None:
        self._proxy, self._caller = proxy, caller
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        self.statuses: list[int] = []
        """Of each answer; 0 where the connection broke."""

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(SECONDS)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.statuses.append(ask(self._proxy, self._caller.build_form()))
            self._stop.wait(0.02)

    def wait_for(self, more: int) -> None:
        """Wait until so many more requests were answered with a token."""
        before = self.statuses.count(200)
        wait_until(lambda: self.statuses.count(200) >= before + more)


def ask(proxy: Proxy, form: bytes | None, path: str = "/oauth2/token") -> int:
    """The status of one request through the proxy."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPConnection("as.example")
    try:
        plain = socket.create_connection(("127.0.0.1", proxy.port), SECONDS)
        connection.sock = context.wrap_socket(plain, server_hostname="as.example")
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("GET" if form is None else "POST", path, form, kind)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def workers_of(process: "subprocess.Popen[bytes]") -> set[int]:
    """The process ids of the workers of a server or of a proxy."""
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    return {int(child) for task in tasks for child in (task / "children").read_text().split()}


@pytest.fixture(scope="module")
def served(deployment, compose) -> Iterator[Running]:
    with serve(deployment, compose["services"]["app"]["command"]) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(served) -> Iterator[Proxy]:
    with nginx(served.port) as running:
        yield running


@pytest.mark.parametrize("kind", [nginx, caddy])
def test_tokens_come_through_the_proxy_and_what_operators_ask_does_not(deployment, served, kind):
    with kind(served.port) as proxy:
        form = deployment.caller.build_form()
        assert ask(proxy, form) == 200
        assert ask(proxy, form) == 400  # once only
        for path in ("/metrics", "/health/live", "/health/ready"):
            assert call(served.port, "GET", path).status == 200
            assert ask(proxy, None, path) == 404


def test_a_worker_that_is_killed_takes_its_own_requests_with_it_and_no_others(deployment, served, proxy):
    victim = min(workers_of(served.process))

    with Clients(proxy, deployment.caller) as clients:
        clients.wait_for(20)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(workers_of(served.process) - {victim}) == WORKERS)
        clients.wait_for(20)

    assert clients.statuses.count(200) >= len(clients.statuses) - MOST_LOST


def test_a_reload_brings_new_code_worker_by_worker(deployment, served, proxy):
    former, code = workers_of(served.process), deployment.image.path("/srv/token-server/myapp.py")
    text = code.read_text()
    assert call(served.port, "GET", "/version").status == 404
    code.write_text(
        text.replace("    return app\n", '    app.add_url_rule("/version", view_func=lambda: "2")\n    return app\n')
    )

    with Clients(proxy, deployment.caller) as clients:
        clients.wait_for(20)
        served.process.send_signal(signal.SIGHUP)  # the unit's ExecReload
        wait_until(lambda: not former & (now := workers_of(served.process)) and len(now) == WORKERS)
        clients.wait_for(20)

    assert clients.statuses.count(200) >= len(clients.statuses) - MOST_LOST
    assert {call(served.port, "GET", "/version").body for _ in range(10)} == {b"2"}
    code.write_text(text)


def test_a_new_version_on_another_port_takes_over_without_one_lost_request(deployment, compose, served, proxy):
    with serve(deployment, compose["services"]["app"]["command"]) as new, Clients(proxy, deployment.caller) as clients:
        clients.wait_for(20)
        former = workers_of(proxy.process)
        proxy.lead_to(new.port)
        proxy.reload()
        wait_until(lambda: not former & (now := workers_of(proxy.process)) and len(now) > 0)
        served.process.terminate()
        assert served.process.wait(SECONDS) == 0
        clients.wait_for(20)

    assert set(clients.statuses) == {200}
