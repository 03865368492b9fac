"""One HTTP exchange, with limits, with a server that the operator chose; used by the client and by an API.

URLs that strangers choose are fetched by :mod:`.safe_fetch`.
"""

import os
import re
import time
from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import requests

from .exchange_errors import FailureKind, explain, find_kind, is_timeout
from .outbound import USUAL, Outbound, find_proxy_problem
from .single_flight import LeaderEnded, SingleFlight
from .steps import Fetch, Form, Outcome, Shared, Steps, T

MAX_BYTES = 1 << 20
"""Largest answer that is read, in bytes."""
TIMEOUT_SECONDS = 5.0
"""Default for the longest wait, in seconds."""

_REFERENCE = re.compile(r"[A-Za-z0-9._-]{1,64}")


class NoAnswer(Exception):
    """There was no HTTP answer within the limits of time and size. The message names the URL and contains no secret."""


class TooLarge(NoAnswer):
    """The answer was larger than :data:`MAX_BYTES`."""


@dataclass(frozen=True, slots=True)
class FetchedAnswer:
    """One HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    """By name in any case; the values of a repeated header are joined by ``", "``."""
    body: bytes = field(repr=False)

    @property
    def reference(self) -> str | None:
        """The ``Error-Reference`` of a refusal: the id of its reason in the server's log."""
        reference = self.headers.get("Error-Reference", "")
        return reference if _REFERENCE.fullmatch(reference) else None

    @property
    def way_to_the_reason(self) -> str:
        """The sentence, after a space, that says how the server's operator finds the reason; else empty."""
        return way_to_the_reason(self.reference) if self.reference else ""


def way_to_the_reason(reference: str) -> str:
    """The sentence, after a space, that says how an operator finds the reason of a refusal.

    :param reference: The answer's ``Error-Reference``.
    """
    return f" Its operator sees why: flask oauth2 explain {reference}"


def exchange(
    method: str,
    url: str,
    *,
    timeout: float,
    form: Form | None = None,
    headers: Mapping[str, str] | None = None,
    outbound: Outbound = USUAL,
) -> FetchedAnswer:
    """Send one request. No redirect is followed; ``.netrc`` and cookies are not used.

    :param timeout: Longest wait in seconds, from the name lookup to the last byte.
    :param form: The form body of a POST.
    :param outbound: The proxy and the certificate authorities to use.
    :raises NoAnswer: There is no connection, no answer in time, or it is larger than :data:`MAX_BYTES`.
    """
    outcome: SimpleQueue[FetchedAnswer | NoAnswer] = SimpleQueue()

    def send() -> None:
        try:
            outcome.put(_send(method, url, timeout, form, headers, outbound))
        except Exception as error:  # any error must reach the waiting thread
            outcome.put(_explain(url, timeout, error, outbound))

    # A thread, because requests applies its timeout to each single read, and not to the name lookup: a server that
    # sends one byte at a time could keep its caller waiting for hours. It has the caller's context, so that the span of
    # an instrumentation of requests appears below the caller's.
    Thread(target=copy_context().run, args=(send,), name="oauth2-exchange", daemon=True).start()
    try:
        result = outcome.get(timeout=timeout)
    except Empty:
        result = too_slow(url, timeout)
    if isinstance(result, NoAnswer):
        raise result
    return result


def _send(
    method: str,
    url: str,
    timeout: float,
    form: Form | None,
    headers: Mapping[str, str] | None,
    outbound: Outbound,
) -> FetchedAnswer:
    deadline = time.monotonic() + timeout
    with requests.Session() as session:
        session.trust_env = False  # no .netrc credentials; outbound gives the proxies
        session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})})
        options: dict[str, Any] = {"timeout": timeout, **outbound.options(url)}
        with session.request(method, url, data=form, allow_redirects=False, stream=True, **options) as response:
            body = bytearray()
            for chunk in response.iter_content(1024):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise TooLarge(f"{url} answered with more than {MAX_BYTES} bytes.")
                if time.monotonic() > deadline:
                    raise requests.Timeout
            return FetchedAnswer(response.status_code, response.headers, bytes(body))


def _explain(url: str, timeout: float, error: Exception, outbound: Outbound) -> NoAnswer:
    if isinstance(error, NoAnswer):
        return error
    if is_timeout(error):
        return too_slow(url, timeout)
    return why_no_answer(url, error, find_kind, outbound)


def why_no_answer(
    url: str,
    error: Exception,
    kind_of: Callable[[Exception, str | None], FailureKind],
    outbound: Outbound,
    *,
    socks: tuple[str, str] = ("socks", "PySocks"),
) -> NoAnswer:
    """What to say of *error*, in the operator's words.

    :param kind_of: What kind of error it is, of the library that was used; also gets the proxy's URL.
    :param socks: The module that this library needs for a SOCKS proxy, and the package that it comes from.
    """
    bundle = outbound.find_ca_bundle()
    if bundle and not os.path.exists(bundle):
        return NoAnswer(f"{url} was not asked: the certificate authorities {bundle!r} do not exist.")
    proxy = outbound.find_proxy(url)
    if proxy and (problem := find_proxy_problem(proxy if "://" in proxy else f"http://{proxy}", socks=socks)):
        return NoAnswer(f"{url} was not asked: the proxy setting of the environment (HTTPS_PROXY) {problem}.")
    return NoAnswer(explain(url, error, kind_of(error, proxy), proxy=proxy))


def too_slow(url: str, timeout: float) -> NoAnswer:
    """What to say when *timeout*, in seconds, is over."""
    return NoAnswer(f"{url} did not answer within {round(timeout, 1):g} seconds.")


def time_left(deadline: float) -> float:
    """The time left until *deadline* for a further request, in seconds; at least 0.1.

    :param deadline: By :func:`time.monotonic`.
    """
    return max(deadline - time.monotonic(), 0.1)


class Runner:
    """Runs steps (:mod:`.steps`) in the calling thread; safe to use from several threads.

    :param outbound: The proxy and the certificate authorities to use.
    """

    def __init__(self, outbound: Outbound = USUAL) -> None:
        self.outbound = outbound
        self._flights: SingleFlight[Any] = SingleFlight(own=(LeaderEnded,))

    def run(self, steps: Steps[T]) -> T:
        """The result of *steps*, or their exception."""
        try:
            need = next(steps)
            while True:
                need = self.get(need).give_to(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            steps.close()

    def get(self, need: Fetch | Shared) -> Outcome:
        """What the steps need, or the exception instead of it."""
        try:
            return Outcome(self._get(need))
        except Exception as error:
            return Outcome(error=error)

    def _get(self, need: Fetch | Shared) -> Any:
        if isinstance(need, Shared):
            return self._flights.run(need.key, lambda: self.run(need.start()))
        return exchange(
            need.method,
            need.url,
            timeout=need.timeout,
            form=need.form,
            headers=need.headers,
            outbound=self.outbound,
        )
