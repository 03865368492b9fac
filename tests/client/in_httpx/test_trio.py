"""client/in_httpx/ on trio: the same as on asyncio, in short."""

import threading

import httpx
import pytest

from flask_private_key_jwt.client import AsyncFreshProofTransport, TokenRequestError

trio = pytest.importorskip("trio", reason="trio is not installed")
testing = pytest.importorskip("trio.testing")


@pytest.fixture
def library():
    return "httpx async"


def open_client(auth):
    return httpx.AsyncClient(auth=auth, trust_env=False, transport=AsyncFreshProofTransport())


async def wait_for(happened):
    with trio.fail_after(5):
        while not happened():
            await trio.sleep(0.002)


def test_tasks_share_one_token_with_nonces_on_both_sides(make_auth, api, token_server):
    auth = make_auth()
    token_server.nonce, api.nonce = "for-tokens", "for-calls"
    answers = []

    async def main():
        async with open_client(auth) as client, trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(call, client)

    async def call(client):
        answers.append((await client.post(api.url, content=b"body")).text)

    trio.run(main)

    assert answers == ["ok"] * 6
    assert (token_server.issued, token_server.discoveries) == (1, 1)


def test_the_cancellation_of_the_task_that_fetches_harms_no_other(make_auth, api, token_server):
    auth = make_auth()
    token_server.gate = threading.Event()
    answers = []

    async def call(client):
        answers.append((await client.get(api.url)).text)

    async def main():
        first = trio.CancelScope()

        async def lead(client):
            with first:
                await call(client)

        async with open_client(auth) as client, trio.open_nursery() as nursery:
            nursery.start_soon(lead, client)
            await wait_for(lambda: token_server.calls)
            for _ in range(3):
                nursery.start_soon(call, client)
            await testing.wait_all_tasks_blocked()
            first.cancel()
            await wait_for(lambda: len(token_server.calls) == 2)
            token_server.gate.set()

    trio.run(main)

    assert answers == ["ok"] * 3
    assert len(token_server.calls) == 2


def test_a_token_endpoint_that_does_not_answer_is_left(make_auth, api, token_server):
    auth = make_auth(timeout=0.3)
    auth.token_client.metadata()
    token_server.gate = threading.Event()

    async def main():
        async with open_client(auth) as client:
            await client.get(api.url)

    with pytest.raises(TokenRequestError, match=r"did not answer within 0\.3 seconds"):
        trio.run(main)
    token_server.gate.set()
