"""One HTTP exchange, with limits, for programs that await: ``exchange.py`` by httpx, on asyncio and on trio."""

import os
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import anyio
import anyio.to_thread
import certifi
import httpx

from .async_flight import AsyncSingleFlight
from .exchange import MAX_BYTES, FetchedAnswer, NoAnswer, TooLarge, too_slow, why_no_answer
from .exchange_errors import FailureKind, find_cause
from .outbound import USUAL, Outbound
from .steps import Fetch, Form, Outcome, Shared, Steps, T

_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
_FORM_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


async def async_exchange(
    method: str,
    url: str,
    *,
    timeout: float,
    form: Form | None = None,
    headers: Mapping[str, str] | None = None,
    outbound: Outbound = USUAL,
) -> FetchedAnswer:
    """Send one request, as :func:`.exchange.exchange` does. Nothing here blocks the event loop.

    :raises NoAnswer: There is no connection, no answer in time, or it is larger than :data:`.exchange.MAX_BYTES`.
    """
    try:
        with anyio.fail_after(timeout):
            return await _send(method, url, timeout, form, headers, outbound)
    except NoAnswer:
        raise
    except (TimeoutError, httpx.TimeoutException):
        failure = too_slow(url, timeout)
    except Exception as error:
        failure = why_no_answer(url, error, _find_kind, outbound, socks=("socksio", "httpx[socks]"))
    raise failure


async def _send(
    method: str, url: str, timeout: float, form: Form | None, headers: Mapping[str, str] | None, outbound: Outbound
) -> FetchedAnswer:
    content = None if form is None else urlencode(form).encode()
    headers = {**_HEADERS, **(_FORM_HEADERS if form is not None else {}), **(headers or {})}
    # In a thread: it reads files (the authorities), and on some systems asks the system for its proxies.
    options = await anyio.to_thread.run_sync(_choose_way, url, outbound, abandon_on_cancel=True)
    async with (
        # A client of its own: connections belong to one event loop, and no cookie is kept.
        httpx.AsyncClient(timeout=timeout, trust_env=False, follow_redirects=False, **options) as client,
        client.stream(method, url, content=content, headers=headers) as answer,
    ):
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise NoAnswer(f"{url} answered in a content coding that was not asked for.")  # a small bomb, for example
        body = bytearray()
        async for chunk in answer.aiter_raw():
            body += chunk
            if len(body) > MAX_BYTES:
                raise TooLarge(f"{url} answered with more than {MAX_BYTES} bytes.")
        return FetchedAnswer(answer.status_code, answer.headers, bytes(body))


def _choose_way(url: str, outbound: Outbound) -> dict[str, Any]:
    """Arguments for a client that sends a request to *url*."""
    proxy = outbound.find_proxy(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody
    if url.startswith("https:") or (proxy or "").startswith("https:"):
        bundle = outbound.find_ca_bundle() or certifi.where()
        is_folder = os.path.isdir(bundle)
        context = ssl.create_default_context(cafile=None if is_folder else bundle, capath=bundle if is_folder else None)
    if proxy is None:
        return {"verify": context}
    shown = proxy if "://" in proxy else f"http://{proxy}"
    return {"verify": context, "proxy": httpx.Proxy(shown, ssl_context=context if shown.startswith("https:") else None)}


def _find_kind(error: Exception, proxy: str | None) -> FailureKind:
    if find_cause(error, ssl.SSLError):
        return "tls"
    if isinstance(error, httpx.ProxyError) or (proxy and isinstance(error, httpx.ConnectError)):
        return "proxy"
    if isinstance(error, httpx.ConnectError):
        return "unreachable"
    if isinstance(error, httpx.RemoteProtocolError):
        return "hung up" if "disconnected" in str(error) else "not HTTP"
    return "hung up" if isinstance(error, httpx.NetworkError) else "other"


class AsyncRunner:
    """Runs steps (:mod:`.steps`) in the calling task; safe to use from several tasks, event loops and threads.

    :param outbound: The proxy and the certificate authorities to use.
    """

    def __init__(self, outbound: Outbound = USUAL) -> None:
        self._outbound = outbound
        self._flights = AsyncSingleFlight()

    async def run(self, steps: Steps[T]) -> T:
        """The result of *steps*, or their exception."""
        try:
            need = next(steps)
            while True:
                need = (await self.get(need)).give_to(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            steps.close()

    async def get(self, need: Fetch | Shared) -> Outcome:
        """What the steps need, or the exception instead of it."""
        try:
            return Outcome(await self._get(need))
        except Exception as error:
            return Outcome(error=error)

    async def _get(self, need: Fetch | Shared) -> Any:
        if isinstance(need, Shared):
            return await self._flights.run(need.key, lambda: self.run(need.start()))
        return await async_exchange(
            need.method,
            need.url,
            timeout=need.timeout,
            form=need.form,
            headers=need.headers,
            outbound=self._outbound,
        )
