"""Replay stores of an event loop: the same contract, and nothing blocks the loop."""

import asyncio
import itertools
import logging
import threading
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest

from flask_private_key_jwt.database.deadline import request_budget
from flask_private_key_jwt.errors import ConfigurationError, StoreUnavailable
from flask_private_key_jwt.replay import check_replay_store
from flask_private_key_jwt.replay.async_loading import Immediate, InThreads, load_async_replay_store
from flask_private_key_jwt.replay.async_redis import AsyncRedisReplayStore
from flask_private_key_jwt.replay.async_redis_cluster import AsyncRedisClusterReplayStore
from flask_private_key_jwt.replay.async_sql import AsyncSQLAlchemyReplayStore
from flask_private_key_jwt.replay.base import Replayed

ASYNC_DRIVERS = {
    "aiosqlite": ("sqlite_url", "sqlite", "sqlite+aiosqlite"),
    "asyncpg": ("postgres_url", "postgresql+psycopg", "postgresql+asyncpg"),
    "psycopg": ("postgres_url", "postgresql+psycopg", "postgresql+psycopg"),
    "asyncmy": ("mariadb_url", "mysql+pymysql", "mysql+asyncmy"),
}


def async_url(request: pytest.FixtureRequest, kind: str) -> str:
    if kind == "memory":
        return kind
    if kind in ("redis", "sentinel", "cluster"):
        return request.getfixturevalue(f"{kind}_url")  # type: ignore[no-any-return]
    fixture, scheme, async_scheme = ASYNC_DRIVERS[kind]
    url = request.getfixturevalue(fixture)
    assert url.startswith(f"{scheme}:"), url
    return url.replace(scheme, async_scheme, 1)  # type: ignore[no-any-return]


LONGEST_PAUSE = 2
"""Seconds that an event loop may stand still on a busy machine; what never answers would hold it for longer."""


@pytest.fixture(params=["memory", "redis", "sentinel", "cluster", *ASYNC_DRIVERS])
def url(request: pytest.FixtureRequest) -> str:
    return async_url(request, request.param)


@pytest.fixture(params=["redis", "sentinel", "cluster", "aiosqlite", "asyncpg", "psycopg", "asyncmy"])
def shared_url(request: pytest.FixtureRequest) -> str:
    return async_url(request, request.param)


class LoopThread:
    """An event loop in a thread, for tests that are threads."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    made = LoopThread()
    yield made
    made.stop()


class FromThreads:
    """A store of an event loop, as the contract for threads wants it."""

    def __init__(self, store: Any, loop: LoopThread) -> None:
        self._store = store
        self._loop = loop

    def remember(self, marks: Any) -> None:
        return self._loop.run(self._store.remember(marks))  # type: ignore[no-any-return]

    def purge(self, *, batch: int = 10, rest: Any = None) -> int:
        return self._loop.run(self._store.purge())  # type: ignore[no-any-return]


async def close(store: Any) -> None:
    if hasattr(store, "close"):
        await store.close()


def test_every_store_keeps_the_contract(url, loop):
    store = load_async_replay_store(url)
    try:
        check_replay_store(FromThreads(store, loop), all_or_none=not url.startswith("redis+cluster://"))
    finally:
        loop.run(close(store))


@pytest.mark.parametrize(
    ("setting", "kind"),
    [
        ("memory", Immediate),
        ("redis://127.0.0.1", AsyncRedisReplayStore),
        ("redis+sentinel://127.0.0.1/main", AsyncRedisReplayStore),
        ("rediss+cluster://127.0.0.1", AsyncRedisClusterReplayStore),
        ("sqlite+aiosqlite:///x.sqlite", AsyncSQLAlchemyReplayStore),
        ("postgresql+asyncpg://u@127.0.0.1/d", AsyncSQLAlchemyReplayStore),
        ("postgresql+psycopg://u@127.0.0.1/d", AsyncSQLAlchemyReplayStore),
        ("sqlite:///x.sqlite", InThreads),
        ("postgresql+psycopg2://u@127.0.0.1/d", InThreads),
        ("mysql+pymysql://u@127.0.0.1/d", InThreads),
    ],
)
def test_what_has_an_async_driver_uses_it_and_all_else_runs_in_threads(setting, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert type(load_async_replay_store(setting)) is kind


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("nosuch", "is none of sql, memory"),
        ("sql", "needs the app's own database"),
        ("nosuch://u:hunter2@h/d", "neither a kind of store nor a URL SQLAlchemy reads"),
        ("sqlite+aiosqlite:////no/such/folder/replay.sqlite", "there is no such folder"),
        ("sqlite+aiosqlite://", "in memory"),
        ("redis://127.0.0.1:port", "not a URL that redis-py reads"),
        ("redis+sentinel://:hunter2@127.0.0.1", "does not name the service"),
        ("redis+cluster://:hunter2@127.0.0.1,", "names no host"),
    ],
)
def test_a_store_that_cannot_be_had_is_an_error_at_the_start(setting, sentence):
    with pytest.raises(ConfigurationError, match=sentence) as refused:
        load_async_replay_store(setting)
    assert "hunter2" not in str(refused.value)


class OwnStore:
    """A store of the application's, for an event loop."""

    def __init__(self, returns: object = None) -> None:
        self._marks: set[bytes] = set()
        self._returns = returns

    async def remember(self, marks: Any) -> Any:
        digests = [mark.digest() for mark in marks]
        for mark, digest in zip(marks, digests, strict=True):
            if digest in self._marks:
                raise Replayed(mark)
        self._marks.update(digests)
        return self._returns

    async def purge(self) -> int:
        return 0


def test_a_store_of_the_application_may_be_async(mark):
    store = load_async_replay_store(OwnStore)

    async def use_twice() -> None:
        await store.remember([mark()])
        with pytest.raises(Replayed):
            await store.remember([mark()])

    asyncio.run(use_twice())


class TakesNothing(OwnStore):
    async def remember(self) -> None:
        """Takes no marks."""


class PurgesInThreads(OwnStore):
    def purge(self) -> int:
        return 0


@pytest.mark.parametrize(
    ("store", "sentence"),
    [
        (TakesNothing, r"remember\(\) of TakesNothing cannot be called as AsyncReplayStore says"),
        (PurgesInThreads, r"it needs an async purge\(\) too"),
    ],
)
def test_a_store_of_the_application_that_breaks_the_contract_is_an_error(store, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        load_async_replay_store(store)


# --- one store, several event loops ---------------------------------------------------------------------------
def test_one_store_serves_one_loop_after_another(url, mark):
    store = load_async_replay_store(url)

    async def use(jti: str) -> None:
        await store.remember([mark(jti)])
        await close(store)

    for number in range(3):
        asyncio.run(use(str(number)))

    async def use_again() -> None:
        with pytest.raises(Replayed):
            await store.remember([mark("1")])
        await close(store)

    asyncio.run(use_again())


def test_of_tasks_in_two_loops_one_uses_a_mark(url, mark, loop):
    store, other_loop = load_async_replay_store(url), LoopThread()
    shared = mark("shared")

    async def use() -> bool:
        try:
            await store.remember([shared])
        except Replayed:
            return False
        return True

    async def use_often() -> list[bool]:
        return await asyncio.gather(*(use() for _ in range(10)))

    try:
        under_way = [asyncio.run_coroutine_threadsafe(use_often(), each.loop) for each in (loop, other_loop)]
        answers = [answer for each in under_way for answer in each.result(30)]
        assert answers.count(True) == 1
    finally:
        loop.run(close(store))
        other_loop.run(close(store))
        other_loop.stop()


# --- a request that is cancelled ------------------------------------------------------------------------------
def test_cancelled_requests_leave_a_store_that_works(shared_url, mark):
    store = load_async_replay_store(shared_url)

    async def use_and_cancel() -> None:
        await store.remember([mark("first")])
        for number in range(40):
            task = asyncio.ensure_future(store.remember([mark(f"cancelled {number}")]))
            for _ in range(number % 8):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        for number in range(20):
            await store.remember([mark(f"after {number}")])
        with pytest.raises(Replayed) as refused:
            await store.remember([mark("after 7")])
        assert refused.value.mark == mark("after 7")
        await close(store)

    asyncio.run(use_and_cancel())


# --- a store that does not answer -----------------------------------------------------------------------------
async def count_beats(beats: list[float]) -> None:
    while True:
        beats.append(monotonic())
        await asyncio.sleep(0.01)


def longest_pause(beats: list[float]) -> float:
    return max(later - earlier for earlier, later in itertools.pairwise(beats))


@pytest.mark.parametrize(
    ("url", "causes"),
    [
        ("redis://127.0.0.1:{port}/?socket_timeout=0.3", {"redis_timeout", "store_paused"}),
        ("postgresql+asyncpg://u:p@127.0.0.1:{port}/d", {"database_timeout", "store_paused"}),
        ("postgresql+psycopg://u:p@127.0.0.1:{port}/d", {"database_timeout", "store_paused"}),
        ("mysql+asyncmy://u:p@127.0.0.1:{port}/d", {"database_timeout", "store_paused"}),
        ("postgresql+psycopg2://u:p@127.0.0.1:{port}/d", {"database_timeout", "store_paused", "store_timeout"}),
    ],
)
def test_a_store_that_never_answers_leaves_the_loop_free(url, causes, remote_silence, mark, caplog):
    store = load_async_replay_store(url.format(port=remote_silence))

    async def use(number: int) -> str | None:
        try:
            with request_budget(0.5):
                await store.remember([mark(str(number))])
        except StoreUnavailable as error:
            return error.cause
        return None

    async def use_often() -> tuple[list[str | None], float, float]:
        beats: list[float] = []
        beating = asyncio.ensure_future(count_beats(beats))
        started = monotonic()
        answers = await asyncio.gather(*(use(number) for number in range(20)))
        took = monotonic() - started
        answers += [await use(99)]
        beating.cancel()
        await close(store)
        return answers, took, longest_pause(beats)

    answers, took, pause = asyncio.run(use_often())

    assert set(answers) <= causes
    assert took < 10
    assert pause < LONGEST_PAUSE
    assert "does not answer: requests that need it are refused until it does" in caplog.text


ASYNC_SCHEMES = {"postgresql+psycopg": "postgresql+asyncpg", "mysql+pymysql": "mysql+asyncmy"}


@pytest.mark.parametrize("number", range(2))
def test_a_store_that_freezes_is_refused_at_once_and_used_again_when_it_is_back(remote_store, mark, caplog, number):
    """With many requests under way, once with connections to spare and once without."""
    caplog.set_level(logging.WARNING)
    scheme = remote_store.url.partition(":")[0]
    url = remote_store.url.replace(scheme, ASYNC_SCHEMES.get(scheme, scheme), 1)
    store = load_async_replay_store(f"{url}?socket_timeout=0.2" if scheme == "redis" else url)
    line = remote_store.line

    async def use(jti: str, seconds: float = 0.4) -> str | None:
        try:
            with request_budget(seconds):
                await store.remember([mark(jti)])
        except StoreUnavailable as error:
            return error.cause
        return None

    async def use_often() -> None:
        before = 1 + 19 * number
        assert await asyncio.gather(*(use(f"before {each}", 10) for each in range(before))) == [None] * before
        line.freeze()
        beats: list[float] = []
        beating = asyncio.ensure_future(count_beats(beats))
        during = await asyncio.gather(*(use(f"during {each}") for each in range(20)))
        beating.cancel()
        assert set(during) <= {"redis_timeout", "database_timeout", "store_paused"}
        started = monotonic()
        assert await use("paused", 10) == "store_paused"
        assert monotonic() - started < 5
        assert longest_pause(beats) < LONGEST_PAUSE
        line.thaw()
        async with asyncio.timeout(20):
            while " answers again" not in caplog.text:
                await asyncio.sleep(0.02)
            for attempt in itertools.count():  # what waited for the line arrives late
                if await use(f"after {attempt}") is None:
                    break
        with pytest.raises(Replayed):
            await store.remember([mark(f"after {attempt}")])
        await close(store)

    asyncio.run(use_often())
