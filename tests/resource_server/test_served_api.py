"""An API under real ASGI servers, attacked over real connections."""

import secrets
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from flask_private_key_jwt import clock
from flask_private_key_jwt.dpop.proof import build_proof
from flask_private_key_jwt.jose import jose
from tests.resource_server.introspection_server import serving
from tests.resource_server.issuer_server import IssuerServer
from tests.servers.line import Line
from tests.servers.ports import free_port
from tests.servers.processes import running

APP = "tests.resource_server.served_api:app"
SERVERS = {
    "uvicorn": ["-m", "uvicorn", APP, "--workers", "2", "--log-level", "warning"],
    "hypercorn": ["-m", "hypercorn", APP, "--workers", "2"],
}


@dataclass(frozen=True)
class Served:
    """A running API, and what it takes to call it."""

    url: str
    line: Line
    """The way to its Redis."""
    sign_token: Callable[..., str]
    key: jose.PrivateKey

    def bound(self, path: str = "/values", *, method: str = "GET", htu: str | None = None) -> dict[str, str]:
        """Headers with a bound token and a new proof."""
        token = self.sign_token(self.key)
        proof = build_proof(
            self.key,
            jti=secrets.token_hex(8),
            method=method,
            url=htu or f"{self.url}{path}",
            now=int(time.time()),
            access_token=token,
        )
        return {"Authorization": f"DPoP {token}", "DPoP": proof}

    def bearer(self) -> dict[str, str]:
        """Headers with a Bearer token."""
        return {"Authorization": f"Bearer {self.sign_token()}"}

    def get(self, path: str, headers: dict[str, str], **options: Any) -> requests.Response:
        return requests.get(f"{self.url}{path}", headers=headers, timeout=10, **options)

    def send(self, raw: bytes) -> bytes:
        """Send bytes, and return what comes back until the server has nothing more to say."""
        parts = urlsplit(self.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
            connection.sendall(raw)
            connection.settimeout(3)
            answer = b""
            try:
                while b"}" not in answer and (data := connection.recv(65536)):
                    answer += data
            except (TimeoutError, ConnectionResetError):
                pass
            return answer


@pytest.fixture(autouse=True)
def real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers are processes of their own, whose clock does not stand still."""
    monkeypatch.setattr(clock, "now", lambda: int(time.time()))


@pytest.fixture(scope="module", params=list(SERVERS))
def api(
    request: pytest.FixtureRequest, redis_url: str, keys: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The API with two workers, behind a line to Redis."""
    port, folder = free_port(), tmp_path_factory.mktemp("served")
    redis = urlsplit(redis_url)
    assert redis.hostname is not None
    assert redis.port is not None
    line = Line(redis.hostname, redis.port)
    binding = ["--port", str(port)] if request.param == "uvicorn" else ["--bind", f"127.0.0.1:{port}"]
    issuer_key = keys("ES256", "issuer")
    with serving(IssuerServer(issuer_key)) as issuer:
        resource = f"http://127.0.0.1:{port}"

        def sign_token(bound_to: jose.PrivateKey | None = None) -> str:
            now = int(time.time())
            claims = {"iss": issuer.url, "aud": resource, "sub": "console", "client_id": "console", "scope": "read"}
            claims |= {"iat": now, "exp": now + 300, "jti": secrets.token_urlsafe(8)}
            if bound_to is not None:
                claims["cnf"] = {"jkt": bound_to.public.thumbprint}
            return jose.sign({"typ": "at+jwt", "kid": issuer_key.public.thumbprint}, claims, issuer_key)

        variables = {
            "OAUTH2_ISSUER": issuer.url,
            "OAUTH2_RESOURCE": resource,
            "OAUTH2_REPLAY_STORE": f"redis://127.0.0.1:{line.port}{redis.path}?socket_timeout=1",
            "OAUTH2_STORE_TIMEOUT_SECONDS": "2",
        }
        with running([*SERVERS[request.param], *binding], port, folder, variables) as url:
            served = Served(url, line, sign_token, keys("ES256", "proof"))
            _wait_for(served)
            yield served
    line.cut()


def _wait_for(served: Served) -> None:
    """Until both workers answer. Redis may first refuse what can have been used before it was started."""
    for _ in range(200):
        if served.get("/values", served.bound()).status_code == 200:
            return
        time.sleep(0.1)
    raise AssertionError("the API does not start")


def test_of_many_requests_with_one_proof_to_two_workers_one_gets_in(api):
    headers = api.bound()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: api.get("/values", headers), range(32)))

    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [200] + [401] * 31


def test_escapes_and_mounts_in_a_path(api):
    assert api.get("/caf%C3%A9", api.bound("/caf%C3%A9")).status_code == 200
    assert api.get("/v1/values", api.bound("/v1/values")).status_code == 200
    assert api.get("/v1/values", api.bound("/values")).status_code == 401
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Host": "evil.example"}
    assert api.get("/values", {**api.bound(), **forged}).status_code == 200
    assert api.get("/values", {**api.bound(htu="https://evil.example/values"), **forged}).status_code == 401


def test_a_body_that_never_comes_does_not_delay_a_refusal(api):
    started = time.monotonic()

    answer = api.send(b"POST /values HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")

    assert b" 401 " in answer.partition(b"\r\n")[0] + b" "
    assert time.monotonic() - started < 2


def test_repeated_headers_are_refused(api):
    token = api.bearer()["Authorization"]
    twice = f"GET /values HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nAuthorization: {token}\r\n\r\n"
    assert b" 400 " in api.send(twice.encode()).partition(b"\r\n")[0] + b" "

    bound = api.bound()
    lines = "".join(f"{name}: {value}\r\n" for name, value in [*bound.items(), ("DPoP", bound["DPoP"])])
    answer = api.send(f"GET /values HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
    assert b" 401 " in answer.partition(b"\r\n")[0] + b" "
    assert b"invalid_dpop_proof" in answer
    assert api.get("/values", bound).status_code == 200  # it was not used up


@pytest.mark.parametrize("size", [9_000, 40_000, 300_000])
def test_huge_headers_are_no_5xx(api, size):
    for header in (f"Authorization: Bearer {'x' * size}", f"Authorization: DPoP x\r\nDPoP: {'x' * size}"):
        answer = api.send(f"GET /values HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
        status = answer.partition(b"\r\n")[0]
        assert not status or b" 4" in status, status  # the server may hang up on what is too large


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET http://evil.example/values HTTP/1.1",
        b"GET //values HTTP/1.1",
        b"GET /values%00 HTTP/1.1",
        b"GET /%ff%fe HTTP/1.1",
        b"GET /v1/../values HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET /values?access_token=x HTTP/1.1",
        b"HEAD /values HTTP/1.1",
    ],
)
def test_odd_requests_are_no_5xx_and_open_nothing(api, request_line):
    answer = api.send(request_line + b"\r\nHost: x\r\nConnection: close\r\nAuthorization: DPoP x\r\nDPoP: y\r\n\r\n")

    status = answer.partition(b"\r\n")[0]
    assert b" 4" in status, status


def test_a_websocket_is_let_in_with_a_token_only(api):
    url = f"{api.url.replace('http', 'ws', 1)}/talk"

    with pytest.raises(InvalidStatus) as refused:
        connect(url)
    assert refused.value.response.status_code == 401
    assert "resource_metadata=" in refused.value.response.headers.get_all("WWW-Authenticate")[0]

    with connect(url, additional_headers=api.bearer()) as websocket:
        assert "console" in str(websocket.recv(timeout=5))
    with connect(url, additional_headers=api.bound("/talk")) as websocket:
        assert "console" in str(websocket.recv(timeout=5))
    with pytest.raises(InvalidStatus):
        connect(url, additional_headers={"Authorization": "Bearer x"})


def test_while_redis_is_frozen_everything_else_is_answered_at_once(api):
    """And nobody gets in with a proof that cannot be checked; when Redis is back, so is the API."""
    api.line.freeze()
    try:
        with ThreadPoolExecutor(24) as pool:
            waiting = [pool.submit(api.get, "/values", api.bound()) for _ in range(20)]
            slowest = 0.0
            for _ in range(20):
                started = time.monotonic()
                assert requests.get(f"{api.url}/health", timeout=5).status_code == 200
                slowest = max(slowest, time.monotonic() - started)
            answers = [each.result() for each in waiting]
        assert {answer.status_code for answer in answers} == {503}
        assert all(answer.headers["Retry-After"] == "5" for answer in answers)
        assert slowest < 0.8
        assert requests.post(f"{api.url}/values", data=b"abc", headers=api.bearer(), timeout=5).json() == {"bytes": 3}
    finally:
        api.line.thaw()
    for _ in range(100):
        if api.get("/values", api.bound()).status_code == 200:
            break
        time.sleep(0.1)
    assert [api.get("/values", api.bound()).status_code for _ in range(8)] == [200] * 8


def test_clients_that_hang_up_leave_the_api_as_it_was(api):
    parts = urlsplit(api.url)
    for _ in range(40):
        lines = "".join(f"{name}: {value}\r\n" for name, value in api.bound().items())
        with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
            connection.sendall(f"GET /values HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.get("/values", api.bound()), range(40)))

    assert [answer.status_code for answer in answers] == [200] * 40
