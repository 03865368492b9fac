"""What an operator does to the app of ``deploy/app`` behind nginx and Caddy, while clients go on asking for tokens."""

import http.client
import json
import os
import re
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from sqlalchemy import create_engine, text

from flask_private_key_jwt.authorization_server.stores.tables.all_tables import TABLE_NAMES
from flask_private_key_jwt.client import build_client_assertion
from flask_private_key_jwt.client.assertion import ASSERTION_TYPE
from tests.checkout import CHECKOUT
from tests.deploy.conftest import Deployment
from tests.deploy.served import WORKERS, Running, serve
from tests.deploy.waiting import SECONDS, wait_until
from tests.faults.served import CLIENT_ID, ISSUER, Caller, call
from tests.servers.processes import children_of
from tests.servers.proxies import Proxy, caddy, nginx

THREADS = 3
LOST = (0, 502)
"""What a request may get whose worker ends, or while a busy machine has not started the next one."""


class Answered(NamedTuple):
    """What came back through a proxy."""

    status: int
    body: bytes
    reference: str


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


def ask(proxy: Proxy, form: bytes | None, path: str = "/oauth2/token", **options: Any) -> int:
    """The status of one request through the proxy; 0 where the connection broke."""
    try:
        return send(proxy, form, path, **options).status
    except (OSError, http.client.HTTPException):
        return 0


def send(
    proxy: Proxy, form: bytes | None, path: str, *, source: str = "127.0.0.1", forwarded_for: str | None = None
) -> Answered:
    """One request through the proxy.

    :param source: The address that it comes from, in 127.0.0.0/8.
    :param forwarded_for: What the caller claims of it.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPConnection("as.example")
    try:
        plain = socket.create_connection(("127.0.0.1", proxy.port), SECONDS, source_address=(source, 0))
        connection.sock = context.wrap_socket(plain, server_hostname="as.example") if proxy.tls else plain
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if forwarded_for is not None:
            headers["X-Forwarded-For"] = forwarded_for
        connection.request("GET" if form is None else "POST", path, form, headers)
        response = connection.getresponse()
        return Answered(response.status, response.read(), response.headers.get("Error-Reference", ""))
    finally:
        connection.close()


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


def find_address(deployment: Deployment, reference: str) -> str:
    """Where a refused request came from, as the app keeps it."""
    engine, found = create_engine(deployment.database), list[str]()

    def is_kept() -> bool:
        with engine.connect() as connection:
            query = text("SELECT address FROM oauth2_refusal WHERE reference = :reference")
            found.extend(connection.scalars(query, {"reference": reference}))
        return bool(found)

    wait_until(is_kept, what=reference)
    engine.dispose()
    return found[0]


@pytest.mark.parametrize("kind", [nginx, caddy])
def test_the_app_knows_the_callers_address_whatever_the_caller_claims(deployment, served, kind):
    with kind(served.port) as proxy:
        refused = send(proxy, b"", "/oauth2/token", source="127.0.0.2", forwarded_for="203.0.113.9")

    assert find_address(deployment, refused.reference) == "127.0.0.2"


def test_in_a_pod_the_gateway_is_believed_and_nobody_else(deployment, served):
    with nginx(served.port, file="kubernetes/nginx.conf", changes={r"10\.0\.0\.0/8": "127.0.0.3"}) as proxy:
        through = send(proxy, b"", "/oauth2/token", source="127.0.0.3", forwarded_for="203.0.113.9")
        beside = send(proxy, b"", "/oauth2/token", source="127.0.0.2", forwarded_for="203.0.113.9")

    assert find_address(deployment, through.reference) == "203.0.113.9"
    assert find_address(deployment, beside.reference) == "127.0.0.2"


def test_an_issuer_with_a_path_is_served_beside_other_things(deployment, compose):
    issuer = f"{ISSUER}/auth"
    page = (CHECKOUT / "docs" / "deployment.md").read_text()
    (locations,) = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
    below = replace(deployment, environment={**deployment.environment, "FLASK_OAUTH2_ISSUER": issuer})
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
    form["client_assertion"] = build_client_assertion(CLIENT_ID, issuer, key=deployment.caller.key)
    with (
        serve(below, compose["services"]["app"]["command"]) as served,
        nginx(served.port, changes={r"    location / \{\n.*\n    \}\n": locations}) as proxy,
    ):
        document = json.loads(send(proxy, None, "/.well-known/oauth-authorization-server/auth").body)
        assert (document["issuer"], document["token_endpoint"]) == (issuer, f"{issuer}/oauth2/token")
        assert ask(proxy, None, "/auth/oauth2/jwks") == 200
        assert ask(proxy, urlencode(form).encode(), "/auth/oauth2/token") == 200
        assert ask(proxy, None, "/oauth2/jwks") == 404  # somebody else's


def test_a_worker_that_is_killed_takes_its_own_requests_with_it_and_no_others(deployment, served, proxy):
    victim = min(children_of(served.process))

    with Clients(proxy, deployment.caller) as clients:
        clients.wait_for(20)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(children_of(served.process) - {victim}) == WORKERS)
        clients.wait_for(20)

    assert set(clients.statuses) <= {200, *LOST}


NEXT = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "next", {head!r}

def upgrade():
    op.create_table("oauth2_next", sa.Column("id", sa.Integer(), primary_key=True))
    for table in {tables!r}:
        op.add_column(table, sa.Column("next_1", sa.Integer()))
        op.add_column(table, sa.Column("next_2", sa.Integer(), nullable=False, server_default="7"))
"""


def test_old_workers_do_not_notice_the_migration_of_the_next_version(deployment, compose, proxy):
    (first,) = deployment.image.path("/srv/token-server/migrations/versions").glob("*.py")
    (head,) = re.findall(r"(?m)^revision = '(\w+)'", first.read_text())
    (first.parent / "next.py").write_text(NEXT.format(head=head, tables=TABLE_NAMES))

    with Clients(proxy, deployment.caller) as clients:
        clients.wait_for(30)  # long enough for drivers to have prepared their statements
        done = deployment.image.run(compose["services"]["migrate"]["command"], deployment.environment)
        assert "Running upgrade" in done.stderr, done.stderr
        clients.wait_for(30)

    assert set(clients.statuses) == {200}
    assert deployment.image.run(["flask", "oauth2", "purge"], deployment.environment).returncode == 0


def test_a_reload_brings_new_code_worker_by_worker(deployment, served, proxy):
    former, code = children_of(served.process), deployment.image.path("/srv/token-server/myapp.py")
    shipped = code.read_text()
    assert call(served.port, "GET", "/version").status == 404
    code.write_text(
        shipped.replace("    return app\n", '    app.add_url_rule("/version", view_func=lambda: "2")\n    return app\n')
    )

    with Clients(proxy, deployment.caller) as clients:
        clients.wait_for(20)
        served.process.send_signal(signal.SIGHUP)  # the unit's ExecReload
        wait_until(lambda: not former & (now := children_of(served.process)) and len(now) == WORKERS)
        clients.wait_for(20)

    assert set(clients.statuses) <= {200, *LOST}
    assert {call(served.port, "GET", "/version").body for _ in range(10)} == {b"2"}
    code.write_text(shipped)


def test_a_new_version_on_another_port_takes_over_without_one_lost_request(deployment, compose, served, proxy):
    with serve(deployment, compose["services"]["app"]["command"]) as new, Clients(proxy, deployment.caller) as clients:
        clients.wait_for(20)
        former = children_of(proxy.process)
        proxy.lead_to(new.port)
        proxy.reload()
        wait_until(lambda: not former & (now := children_of(proxy.process)) and len(now) > 0)
        served.process.terminate()
        assert served.process.wait(SECONDS) == 0
        clients.wait_for(20)

    assert set(clients.statuses) == {200}
