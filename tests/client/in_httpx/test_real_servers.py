"""The httpx client with our own token server and API, behind granian with two workers; both require nonces."""

import asyncio
import os
import signal
import subprocess
import time

import httpx
import pytest

from flask_private_key_jwt.client import (
    AsyncFreshProofTransport,
    AsyncTokenClient,
    FreshProofTransport,
    HTTPXPrivateKeyJWTAuth,
    TokenRequestError,
)
from tests.checkout import CHECKOUT
from tests.client.in_httpx.granian_app import create_app
from tests.faults.served import environment_of, granian
from tests.servers.ports import free_port

WORKERS = 2


@pytest.fixture(autouse=True)
def clock_():
    """The wall clock goes on: the servers look at it."""


@pytest.fixture(scope="module")
def served(keys, tmp_path_factory):
    """The URL of both servers; ``billing`` is registered with the usual key."""
    folder, port = tmp_path_factory.mktemp("granian"), free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {
        "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/as.sqlite",
        "FLASK_OAUTH2_ISSUER": url,
        "FLASK_OAUTH2_RESOURCE": url,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        app = create_app()
    db, oauth = app.extensions["tests"]
    with app.app_context():
        db.create_all()
        jwks = {"keys": [keys("ES256", "client").public_jwk()]}
        oauth.clients.add({"client_id": "billing", "jwks": jwks, "scope": "read", "dpop_bound_access_tokens": True})
        db.engine.dispose()
    command = granian(port, WORKERS, "tests.client.in_httpx.granian_app:create_app")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env=environment_of(settings), stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for_workers(url, process)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for_workers(url, process):
    deadline, found = time.monotonic() + 60, set()
    while len(found) < WORKERS:
        assert process.poll() is None
        assert time.monotonic() < deadline
        try:
            found |= {httpx.get(f"{url}/worker", trust_env=False).text for _ in range(10)}
        except httpx.TransportError:
            time.sleep(0.02)


@pytest.fixture
def auth(served, key):
    return HTTPXPrivateKeyJWTAuth(served, "billing", key=key, scope="read", resource=served, dpop=True)


def test_a_client_calls_the_api(served, auth):
    with httpx.Client(base_url=served, auth=auth, trust_env=False) as client:
        answers = [client.post("/values", content=f"{number}") for number in range(5)]

    assert [answer.json() for answer in answers] == [{"client": "billing", "body": f"{number}"} for number in range(5)]
    assert [len(answer.history) for answer in answers] == [1, 0, 0, 0, 0]  # the nonce


def test_thirty_tasks_call_the_api_at_once(served, auth):
    async def main():
        async with httpx.AsyncClient(base_url=served, auth=auth, trust_env=False) as client:
            return await asyncio.gather(*[client.post("/values", content=f"{number}") for number in range(30)])

    assert [answer.json()["body"] for answer in asyncio.run(main())] == [f"{number}" for number in range(30)]


@pytest.mark.parametrize("transport", [None, FreshProofTransport])
def test_a_redirect_is_followed(transport, served, auth):
    options = {"transport": transport()} if transport else {}
    with httpx.Client(base_url=served, auth=auth, trust_env=False, follow_redirects=True, **options) as client:
        client.get("/values")

        answer = client.get("/moved")

    assert answer.json()["client"] == "billing"
    # Without our transport httpx follows the redirect without the token, and the auth object answers the 401.
    assert [past.status_code for past in answer.history] == ([302] if transport else [401])


def test_a_repeated_proof_is_refused_and_a_fresh_one_is_not(served, auth):
    """What a retrying transport does to its API, and what ours makes of it."""

    class Twice(httpx.BaseTransport):
        def __init__(self, beneath):
            self._beneath = beneath

        def handle_request(self, request):
            self._beneath.handle_request(request).read()
            return self._beneath.handle_request(request)

    statuses = []
    for beneath in (httpx.HTTPTransport(), FreshProofTransport(httpx.HTTPTransport())):
        with httpx.Client(base_url=served, auth=auth, trust_env=False) as client:
            client.get("/values")  # brings the nonce
        with httpx.Client(base_url=served, auth=auth, transport=Twice(beneath)) as client:
            statuses.append(client.get("/values").status_code)
        beneath.close()

    assert statuses == [401, 200]


def test_a_token_is_revoked_with_tasks(served, key):
    async def main():
        client = AsyncTokenClient(served, "billing", key=key)
        with pytest.raises(TokenRequestError, match="it may require DPoP") as refused:
            await client.request_token()
        await client.revoke_token("unknown")
        return refused.value

    assert isinstance(asyncio.run(main()), httpx.RequestError)


def test_a_revoked_token_is_renewed_during_a_call(served, auth):
    async def main():
        async with httpx.AsyncClient(
            base_url=served, auth=auth, trust_env=False, transport=AsyncFreshProofTransport()
        ) as client:
            first = await auth.async_token()
            await auth.async_token_client.revoke_token(first.access_token)
            answer = await client.get("/values")
            return first, await auth.async_token(), answer

    first, second, answer = asyncio.run(main())
    assert answer.status_code == 200
    assert first.access_token != second.access_token
