"""The HTTP libraries that a client may use, behind one face, so that a test of the protocol runs over each."""

import asyncio
import contextlib
import ssl

import httpx
import requests

from flask_private_key_jwt.client import (
    AsyncFreshProofTransport,
    AsyncTokenClient,
    FreshProofTransport,
    HTTPXPrivateKeyJWTAuth,
    PrivateKeyJWTAuth,
    TokenClient,
)

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For transports: httpx would read all authorities of the world for each, and the servers speak plain http."""

LIBRARIES = ("requests", "httpx", "httpx async")

ERRORS = {"requests": requests.RequestException, "httpx": httpx.RequestError, "httpx async": httpx.RequestError}
"""What a program catches that handles failed calls."""


class RequestsSession(requests.Session):
    """A session of ``requests`` that the environment does not change."""

    def __init__(self):
        super().__init__()
        self.trust_env = False


class HTTPXSession:
    """``httpx.Client`` with the words of ``requests``."""

    def __init__(self):
        self.auth = None
        self.trust_env = False
        self.max_redirects = 20

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def get(self, url, **options):
        return self.request("GET", url, **options)

    def request(self, method, url, *, auth=None, allow_redirects=True, data=None, **options):
        if data is not None:
            options["data" if isinstance(data, dict) else "content"] = data
        return self.send(method, url, auth=auth or self.auth, follow_redirects=allow_redirects, **options)

    def send(self, method, url, **options):
        with httpx.Client(
            transport=FreshProofTransport(httpx.HTTPTransport(verify=NO_TLS)), **self._options()
        ) as client:
            return client.request(method, url, **options)

    def _options(self):
        return {"trust_env": self.trust_env, "max_redirects": self.max_redirects}


class AsyncHTTPXSession(HTTPXSession):
    """``httpx.AsyncClient`` likewise; each call has an event loop of its own."""

    def send(self, method, url, *, content=None, **options):
        if hasattr(content, "__next__"):
            content = _as_async(content)

        async def send():
            transport = AsyncFreshProofTransport(httpx.AsyncHTTPTransport(verify=NO_TLS))
            async with httpx.AsyncClient(transport=transport, **self._options()) as client:
                return await client.request(method, url, content=content, **options)

        return asyncio.run(send())


async def _as_async(parts):
    for part in parts:
        yield part


class AsyncHTTPXAuth(HTTPXPrivateKeyJWTAuth):
    """The auth object whose token is awaited."""

    def token(self):
        return asyncio.run(self.async_token())


class AwaitedTokenClient:
    """``AsyncTokenClient``, each call in an event loop of its own."""

    def __init__(self, *args, **options):
        self._client = AsyncTokenClient(*args, **options)
        self.build_assertion = self._client.in_threads.build_assertion

    def metadata(self):
        return asyncio.run(self._client.metadata())

    def request_token(self, **options):
        return asyncio.run(self._client.request_token(**options))

    def revoke_token(self, *args, **options):
        return asyncio.run(self._client.revoke_token(*args, **options))


SESSIONS = {"requests": RequestsSession, "httpx": HTTPXSession, "httpx async": AsyncHTTPXSession}
AUTHS = {"requests": PrivateKeyJWTAuth, "httpx": HTTPXPrivateKeyJWTAuth, "httpx async": AsyncHTTPXAuth}
TOKEN_CLIENTS = {"requests": TokenClient, "httpx async": AwaitedTokenClient}


@contextlib.contextmanager
def open_session(library):
    with SESSIONS[library]() as session:
        yield session
