"""What is fetched with threads, by requests, and with tasks, by httpx, behind the same functions."""

import asyncio
import contextlib
from contextvars import ContextVar

from flask_private_key_jwt.fetching.async_exchange import AsyncRunner, async_exchange
from flask_private_key_jwt.fetching.discovery import metadata_steps
from flask_private_key_jwt.fetching.exchange import TIMEOUT_SECONDS, Runner
from flask_private_key_jwt.fetching.exchange import exchange as exchange_in_thread
from flask_private_key_jwt.fetching.outbound import USUAL

WAYS = ("threads", "tasks")
_way = ContextVar("way", default="threads")


@contextlib.contextmanager
def fetching_with(way):
    """All fetches of the block happen this way."""
    token = _way.set(way)
    yield way
    _way.reset(token)


def exchange(method, url, **options):
    if _way.get() == "tasks":
        return asyncio.run(async_exchange(method, url, **options))
    return exchange_in_thread(method, url, **options)


def fetch_metadata(issuer, *, timeout=TIMEOUT_SECONDS, outbound=USUAL):
    steps = metadata_steps(issuer, timeout=timeout)
    if _way.get() == "tasks":
        return asyncio.run(AsyncRunner(outbound).run(steps))
    return Runner(outbound).run(steps)
