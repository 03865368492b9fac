"""The programs of docs/asgi.md run as they stand, under real servers."""

import re
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from flask_private_key_jwt import clock
from flask_private_key_jwt.dpop.proof import build_proof
from flask_private_key_jwt.jose import jose
from tests.checkout import CHECKOUT
from tests.resource_server.introspection_server import serving
from tests.resource_server.issuer_server import IssuerServer
from tests.servers.ports import free_port
from tests.servers.processes import running

PAGE = (CHECKOUT / "docs" / "asgi.md").read_text(encoding="utf-8")
PROGRAMS = dict(re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python\n(.*?)^```$", PAGE, re.M | re.S))
SERVERS = {
    "uvicorn": ["-m", "uvicorn", "api:app", "--port", "{port}", "--log-level", "warning"],
    "hypercorn": ["-m", "hypercorn", "api:app", "--bind", "127.0.0.1:{port}"],
    "gunicorn": ["-m", "gunicorn", "api:app", "--bind", "127.0.0.1:{port}", "--log-level", "warning"],
}
CASES = [
    (program, server)
    for program in PROGRAMS
    for server in (["gunicorn"] if program == "Any WSGI application" else ["uvicorn", "hypercorn"])
]


@pytest.fixture(autouse=True)
def real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers are processes of their own, whose clock does not stand still."""
    monkeypatch.setattr(clock, "now", lambda: int(time.time()))


@pytest.fixture
def site(keys: Any) -> Iterator[IssuerServer]:
    with serving(IssuerServer(keys("ES256", "issuer"))) as site:
        yield site


@pytest.fixture
def sign_token(site: IssuerServer, keys: Any) -> Callable[..., str]:
    def sign(resource: str, scope: str, bound_to: jose.PrivateKey | None = None) -> str:
        key, now = keys("ES256", "issuer"), int(time.time())
        claims = {"iss": site.url, "aud": resource, "sub": "console", "client_id": "console", "scope": scope}
        claims |= {"iat": now, "exp": now + 60, "jti": secrets.token_urlsafe(8)}
        if bound_to is not None:
            claims["cnf"] = {"jkt": bound_to.public.thumbprint}
        return jose.sign({"typ": "at+jwt", "kid": key.public.thumbprint}, claims, key)

    return sign


def test_every_framework_of_the_page_has_a_program():
    assert set(PROGRAMS) == {"Starlette", "FastAPI", "Quart", "Any ASGI application", "Any WSGI application"}


@pytest.mark.parametrize(("program", "server"), CASES)
def test_a_program_of_the_page_runs_as_it_stands(program, server, tmp_path, site, sign_token, proof_key):
    (tmp_path / "api.py").write_text(PROGRAMS[program], encoding="utf-8")
    port = free_port()
    resource = f"http://127.0.0.1:{port}"
    environment = {
        "OAUTH2_ISSUER": site.url,
        "OAUTH2_RESOURCE": resource,
        "OAUTH2_REPLAY_STORE": f"sqlite+aiosqlite:///{tmp_path}/replay.sqlite",
    }
    if server == "gunicorn":
        environment["OAUTH2_REPLAY_STORE"] = f"sqlite:///{tmp_path}/replay.sqlite"
    arguments = [argument.format(port=port) for argument in SERVERS[server]]

    with running(arguments, port, tmp_path, environment) as url:
        document = requests.get(f"{url}/.well-known/oauth-protected-resource", timeout=5)
        anonymous = requests.get(f"{url}/values", timeout=5)
        read = {"Authorization": f"Bearer {sign_token(resource, 'read')}"}
        known = requests.get(f"{url}/values", headers=read, timeout=5)
        little = requests.get(
            f"{url}/values", headers={"Authorization": f"Bearer {sign_token(resource, 'other')}"}, timeout=5
        )
        token = sign_token(resource, "read write", proof_key)
        method = "GET" if program.startswith("Any") else "POST"
        proof = build_proof(
            proof_key,
            jti=secrets.token_hex(8),
            method=method,
            url=f"{url}/values",
            now=int(time.time()),
            access_token=token,
        )
        bound = {"Authorization": f"DPoP {token}", "DPoP": proof}
        first, second = (
            requests.request(method, f"{url}/values", json={"a": 1}, headers=bound, timeout=5) for _ in range(2)
        )

    assert (document.json()["resource"], document.json()["authorization_servers"]) == (resource, [site.url])
    assert anonymous.status_code == 401
    assert 'Bearer scope="read", resource_metadata="' in anonymous.headers["WWW-Authenticate"]
    assert (known.status_code, known.json()) == (200, {"client": "console"})
    assert (little.status_code, little.json()["error"]) == (403, "insufficient_scope")
    assert first.status_code == 200, first.text
    assert (second.status_code, second.json()["error"]) == (401, "invalid_dpop_proof")
