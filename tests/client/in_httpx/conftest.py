"""``httpx.Client`` and ``httpx.AsyncClient`` behind one face, on whatever transport a test makes."""

import asyncio

import httpx
import pytest

from flask_private_key_jwt.client import AsyncFreshProofTransport, FreshProofTransport
from tests.client.libraries import NO_TLS


@pytest.fixture(params=["httpx", "httpx async"])
def library(request):
    return request.param


class Retrying(httpx.BaseTransport):
    """A transport as programs write them: after a 503 or a lost connection it sends the same request again."""

    def __init__(self, beneath, times=3):
        self._beneath = beneath
        self._times = times

    def handle_request(self, request):
        for _ in range(self._times):
            try:
                response = self._beneath.handle_request(request)
            except httpx.TransportError:
                continue
            if response.status_code != 503:
                return response
            response.close()
        return self._beneath.handle_request(request)

    def close(self):
        self._beneath.close()


class AsyncRetrying(httpx.AsyncBaseTransport):
    """The same, with tasks."""

    def __init__(self, beneath, times=3):
        self._beneath = beneath
        self._times = times

    async def handle_async_request(self, request):
        for _ in range(self._times):
            try:
                response = await self._beneath.handle_async_request(request)
            except httpx.TransportError:
                continue
            if response.status_code != 503:
                return response
            await response.aclose()
        return await self._beneath.handle_async_request(request)

    async def aclose(self):
        await self._beneath.aclose()


class Transports:
    """The transports of one of the two clients."""

    def __init__(self, is_async):
        self._is_async = is_async
        self.retrying = AsyncRetrying if is_async else Retrying

    def plain(self, **options):
        kind = httpx.AsyncHTTPTransport if self._is_async else httpx.HTTPTransport
        return kind(verify=NO_TLS, **options)

    def fresh(self, beneath=None):
        kind = AsyncFreshProofTransport if self._is_async else FreshProofTransport
        return kind(beneath or self.plain())


@pytest.fixture
def transports(library):
    return Transports(library == "httpx async")


@pytest.fixture
def send(library, make_auth, api, transports):
    """Call the API through a client on the transport that ``make_transport`` makes; the default is httpx's."""

    auths = []

    def send(path="/values", *, method="GET", make_transport=transports.plain, auth=None, client=None, **request):
        if not auths:
            auths.append(auth or make_auth())
        url = path if path.startswith("http") else api.url + path
        options = {"auth": auths[0], "trust_env": False, "follow_redirects": True, **(client or {})}
        if library == "httpx":
            with httpx.Client(transport=make_transport(), **options) as opened:
                return opened.request(method, url, **request)

        async def main():
            async with httpx.AsyncClient(transport=make_transport(), **options) as opened:
                return await opened.request(method, url, **request)

        return asyncio.run(main())

    return send
