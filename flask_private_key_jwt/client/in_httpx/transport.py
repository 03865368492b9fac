"""Transports that give each physical send a proof of its own, and send to the API's origin only."""

from types import TracebackType
from typing import Self

import httpx

from .api_call import find_call
from .errors import errors_of_httpx


class FreshProofTransport(httpx.BaseTransport):
    """Put it beneath a transport that sends requests again by itself, or beneath a client that follows redirects.

    An ``httpx.Auth`` sees neither of the two. A proof that is sent twice is refused (RFC 9449 §11.1), and a redirect
    needs a proof for the new URL. This transport sees each send: it replaces a proof that was sent before, keeps the
    nonce of each answer, and raises :class:`~flask_private_key_jwt.client.ForeignOrigin` instead of sending anything to
    another origin. Requests that :class:`~flask_private_key_jwt.client.HTTPXPrivateKeyJWTAuth` has not authenticated
    pass unchanged.

    It is not needed for ``httpx.HTTPTransport(retries=…)``, which repeats connecting only.

    :param transport: What sends; default: ``httpx.HTTPTransport()``. A client that gets a transport leaves proxies and
        certificate authorities to it.
    """

    def __init__(self, transport: httpx.BaseTransport | None = None) -> None:
        self._transport = httpx.HTTPTransport() if transport is None else transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Called by ``httpx`` for each send.

        :raises ForeignOrigin: The request, or a redirect, goes to another origin.
        """
        call = find_call(request)
        if call is None:
            return self._transport.handle_request(request)
        with errors_of_httpx(request):
            call.authorize_send(request)
        response = self._transport.handle_request(request)
        call.learn_nonce(response.headers)
        return response

    def close(self) -> None:
        """Close the transport beneath."""
        self._transport.close()

    def __enter__(self) -> Self:
        self._transport.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._transport.__exit__(exc_type, exc_value, traceback)


class AsyncFreshProofTransport(httpx.AsyncBaseTransport):
    """:class:`~flask_private_key_jwt.client.FreshProofTransport` for ``httpx.AsyncClient``.

    :param transport: What sends; default: ``httpx.AsyncHTTPTransport()``.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._transport = httpx.AsyncHTTPTransport() if transport is None else transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Called by ``httpx`` for each send.

        :raises ForeignOrigin: The request, or a redirect, goes to another origin.
        """
        call = find_call(request)
        if call is None:
            return await self._transport.handle_async_request(request)
        with errors_of_httpx(request):
            call.authorize_send(request)
        response = await self._transport.handle_async_request(request)
        call.learn_nonce(response.headers)
        return response

    async def aclose(self) -> None:
        """Close the transport beneath."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._transport.__aexit__(exc_type, exc_value, traceback)
