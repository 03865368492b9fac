"""client/in_httpx/auth.py with tasks: one token for all, whoever is cancelled, and nothing blocks the event loop."""

import asyncio
import threading
import time

import httpx
import pytest
from werkzeug.wrappers import Response

from flask_private_key_jwt.client import AsyncFreshProofTransport, DiscoveryError, TokenRequestError


@pytest.fixture
def library():
    return "httpx async"


def open_client(auth):
    return httpx.AsyncClient(auth=auth, trust_env=False, transport=AsyncFreshProofTransport())


async def wait_for(happened):
    """Let the other tasks run until *happened()*; the servers run in threads."""
    for _ in range(2000):
        if happened():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not happen")


def test_twenty_tasks_get_one_token(make_auth, api, token_server):
    auth = make_auth()
    token_server.gate = threading.Event()

    async def main():
        async with open_client(auth) as client:
            tasks = [asyncio.create_task(client.get(api.url)) for _ in range(20)]
            await wait_for(lambda: token_server.calls)
            token_server.gate.set()
            return [answer.status_code for answer in await asyncio.gather(*tasks)]

    assert asyncio.run(main()) == [200] * 20
    assert (token_server.issued, token_server.discoveries) == (1, 1)
    assert len({proof["jti"] for proof in api.proofs}) == 20


def test_tasks_whose_token_was_refused_share_the_next_one(make_auth, api, token_server):
    auth = make_auth()
    auth.token_client.metadata()
    api.usual_answer = lambda call: api.refuse() if call.headers["Authorization"].endswith("-1") else Response("ok")

    async def main():
        await auth.async_token()
        async with open_client(auth) as client:
            return [answer.text for answer in await asyncio.gather(*[client.get(api.url) for _ in range(8)])]

    assert asyncio.run(main()) == ["ok"] * 8
    assert token_server.issued == 2


def test_tasks_share_one_failure(make_auth, api, token_server):
    auth = make_auth()
    token_server.gate = threading.Event()
    token_server.script = [token_server.refuse("invalid_client")]

    async def main():
        async with open_client(auth) as client:
            tasks = [asyncio.create_task(client.get(api.url)) for _ in range(5)]
            await wait_for(lambda: token_server.calls)
            token_server.gate.set()
            return await asyncio.gather(*tasks, return_exceptions=True)

    failures = asyncio.run(main())
    assert all(isinstance(failure, TokenRequestError) for failure in failures)
    assert all(isinstance(failure, httpx.RequestError) for failure in failures)
    assert len(token_server.calls) == 1
    assert api.calls == []


@pytest.mark.parametrize("how", ["cancelled", "timed out"])
def test_the_end_of_the_task_that_fetches_harms_no_other(how, make_auth, api, token_server):
    auth = make_auth()
    token_server.gate = threading.Event()

    async def main():
        async with open_client(auth) as client:
            first = asyncio.create_task(client.get(api.url))
            await wait_for(lambda: token_server.calls)
            others = [asyncio.create_task(client.get(api.url)) for _ in range(3)]
            await asyncio.sleep(0)
            if how == "cancelled":
                first.cancel()
            else:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(first, 0.01)
            await wait_for(lambda: len(token_server.calls) == 2)
            token_server.gate.set()
            return first, await asyncio.gather(*others)

    first, others = asyncio.run(main())
    assert first.cancelled()
    assert [answer.text for answer in others] == ["ok"] * 3
    assert api.tokens == ["DPoP token-2"] * 3 or api.tokens == ["DPoP token-1"] * 3
    assert len(token_server.calls) == 2  # one of the others fetched for all


def test_one_object_serves_one_event_loop_after_the_other(make_auth, api, token_server):
    auth = make_auth()

    async def main():
        async with open_client(auth) as client:
            return (await client.get(api.url)).text

    assert [asyncio.run(main()) for _ in range(3)] == ["ok"] * 3
    assert token_server.issued == 1


def test_one_object_serves_several_event_loops_at_once(make_auth, api, token_server):
    auth = make_auth()
    token_server.gate = threading.Event()
    answers = []

    async def main():
        async with open_client(auth) as client:
            answers.extend(answer.text for answer in await asyncio.gather(*[client.get(api.url) for _ in range(4)]))

    threads = [threading.Thread(target=asyncio.run, args=[main()]) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len(token_server.calls) < 3:
        time.sleep(0.002)
    token_server.gate.set()
    for thread in threads:
        thread.join()

    assert answers == ["ok"] * 12
    assert token_server.issued == 3  # each loop for itself


def test_one_object_serves_both_clients(make_auth, api, token_server):
    auth = make_auth()
    token_server.nonce = api.nonce = "first"

    async def main():
        async with open_client(auth) as client:
            return (await client.get(api.url)).text

    with httpx.Client(auth=auth, trust_env=False) as client:
        assert client.get(api.url).text == "ok"
    assert asyncio.run(main()) == "ok"
    assert token_server.issued == 1
    assert [proof.get("nonce") for proof in api.proofs] == [None, "first", "first"]


def test_nothing_blocks_the_event_loop(make_auth, api, token_server):
    auth = make_auth()
    discovery, token_server.gate = threading.Event(), threading.Event()
    usual, asked = token_server.answer, []

    def wait(request, call):
        asked.append(request.path)
        return discovery.wait(60) and usual(request, call)

    token_server.answer = wait

    async def main():
        async with open_client(auth) as client:
            call = asyncio.create_task(client.get(api.url))
            await wait_for(lambda: asked)
            assert not discovery.is_set()  # this task runs, while the other waits for the metadata
            discovery.set()
            await wait_for(lambda: token_server.calls)
            assert token_server.issued == 0  # and for the token
            token_server.gate.set()
            return (await call).text

    assert asyncio.run(main()) == "ok"


def test_discovery_that_hangs_ends_in_time(make_auth, api, token_server):
    auth = make_auth(timeout=0.2)
    usual, gate = token_server.answer, threading.Event()
    token_server.answer = lambda request, call: gate.wait(60) and usual(request, call)

    async def main():
        async with open_client(auth) as client:
            await client.get(api.url)

    with pytest.raises(DiscoveryError, match=r"did not answer within 0\.2 seconds"):
        asyncio.run(main())
    gate.set()
    assert api.calls == []


def test_the_loop_is_free_of_tasks_afterwards(make_auth, api):
    auth = make_auth()

    async def main():
        async with open_client(auth) as client:
            await client.get(api.url)
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(main()) == set()
