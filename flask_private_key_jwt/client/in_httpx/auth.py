"""HTTPXPrivateKeyJWTAuth: set it as an ``httpx`` client's auth, and every call sends a token, and a proof if needed."""

from collections.abc import AsyncGenerator, Generator
from itertools import count
from typing import Any, Unpack

import httpx

from ...fetching.steps import Fetch, Shared
from ..api_access import APIAccess, Attempts, choose_dpop_key, choose_origin
from ..key import KeySource
from ..options import ClientOptions
from ..token import Token
from .api_call import APICall
from .async_token_client import AsyncTokenClient
from .body import RequestBody
from .errors import errors_of_httpx
from .headers import SealedHeaders

_Flow = Generator[httpx.Request | Fetch | Shared, Any, None]
"""The steps of one call: they also yield requests to the API, and receive the responses."""

_SAFE = ("GET", "HEAD", "OPTIONS")


class HTTPXPrivateKeyJWTAuth(httpx.Auth):
    """:class:`~flask_private_key_jwt.client.PrivateKeyJWTAuth` for ``httpx``: one object for ``httpx.Client`` and
    ``httpx.AsyncClient``, safe to share between threads, tasks and event loops (asyncio and trio).

    A request to any other origin raises :class:`~flask_private_key_jwt.client.ForeignOrigin` before anything is sent.
    No redirect takes the token or a proof with it: with ``follow_redirects=True``, httpx follows it without them, and
    the request is then sent again with both, if it is to the same origin. With a
    :class:`~flask_private_key_jwt.client.FreshProofTransport` beneath the client, a redirect has both at once, and one
    to another origin raises before anything is sent there.

    A request whose body can be sent once only raises :class:`~flask_private_key_jwt.client.UnrepeatableBody` when the
    API asks for a nonce or for a new token. Whatever a call raises is also an ``httpx.RequestError``.

    :param issuer: As in :class:`~flask_private_key_jwt.client.PrivateKeyJWTAuth`, like all other parameters.
    :param options: ``key``, ``alg``, ``key_password``, ``kid``, ``certificate``, ``audience``, ``timeout``, ``proxies``
        and ``ca_bundle``.
    :raises ConfigurationError: One of these is wrong; the message says which and why.
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        *,
        scope: str | None = None,
        resource: str | None = None,
        origin: str | None = None,
        dpop: bool = False,
        dpop_key: KeySource | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        bound_key = choose_dpop_key(dpop, dpop_key)
        self.origin = choose_origin(origin, resource)
        self.async_token_client = AsyncTokenClient(issuer, client_id, dpop_key=bound_key, **options)
        """Asks the token server, for programs that await: to revoke a token, for example."""
        self.token_client = self.async_token_client.in_threads
        """The same, for programs that wait."""
        self._access = APIAccess(
            self.token_client._tokens, origin=self.origin, dpop_key=bound_key, scope=scope, resource=resource
        )

    def __repr__(self) -> str:
        return f"<HTTPXPrivateKeyJWTAuth {self.token_client.client_id!r} for {self.origin}>"

    def token(self) -> Token:
        """The current token; it is fetched or renewed now if necessary.

        :raises DiscoveryError: The server's metadata could not be fetched.
        :raises TokenRequestError: The server gave no usable token.
        """
        with errors_of_httpx():
            return self.token_client._runner.run(self._access.token())

    async def async_token(self) -> Token:
        """As :meth:`token`, for programs that await."""
        with errors_of_httpx():
            return await self.async_token_client._runner.run(self._access.token())

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Called by ``httpx.Client`` when the rest of a request is ready."""
        flow = self._call(request)
        with errors_of_httpx(request):
            try:
                need = next(flow)
                while True:
                    if isinstance(need, httpx.Request):
                        need = flow.send((yield need))
                    else:
                        need = self.token_client._runner.get(need).give_to(flow)
            except StopIteration:
                return
            finally:
                flow.close()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Called by ``httpx.AsyncClient`` when the rest of a request is ready."""
        flow = self._call(request)
        with errors_of_httpx(request):
            try:
                need = next(flow)
                while True:
                    if isinstance(need, httpx.Request):
                        need = flow.send((yield need))
                    else:
                        need = (await self.async_token_client._runner.get(need)).give_to(flow)
            except StopIteration:
                return
            finally:
                flow.close()

    def _call(self, request: httpx.Request) -> _Flow:
        self._access.check_origin(str(request.url), "The request")
        body = RequestBody(request)
        attempts = Attempts()
        upcoming = request
        for sends in count():
            token = yield from self._access.token()
            APICall(self._access, token, upcoming, body).authorize(upcoming)
            response: httpx.Response = yield upcoming
            redirects = response.history[sends:]
            self._check_path(redirects, response)
            if redirects:
                attempts = Attempts()  # another URL; httpx limits the redirects, and with them this
            if redirects and not isinstance(response.request.headers, SealedHeaders):
                following = _choose_after_redirect(response)
            else:
                following = self._choose_next(response, token, attempts)
            if following is None:
                return
            body.rewind(following)
            upcoming = following

    def _check_path(self, redirects: list[httpx.Response], response: httpx.Response) -> None:
        """Check that no redirect led away, not even one that came back; keep the nonces that came on the way."""
        for passed in redirects:
            self._check_redirect(passed.request)
            self._access.learn_nonce(passed.headers)
        self._check_redirect(response.request)

    def _check_redirect(self, request: httpx.Request) -> None:
        self._access.check_origin(str(request.url), "The redirect", unsent="Neither the token nor a proof")

    def _choose_next(self, response: httpx.Response, token: Token, attempts: Attempts) -> httpx.Request | None:
        """What to send after *response*; ``None``: nothing, it is the answer to the call."""
        error = self._access.learn(response.status_code, response.headers, access_token=token.access_token)
        return response.request if attempts.may_repeat(error) else None


def _choose_after_redirect(response: httpx.Response) -> httpx.Request | None:
    """The same, where httpx has followed a redirect without the token."""
    sent = response.request
    # What an unsafe method did without the token is done, and must not be done twice.
    return sent if response.status_code == 401 or sent.method in _SAFE else None
