"""client/token_cache.py: one renewal at a time, shared, whatever its outcome."""

import threading
from concurrent.futures import Future

import pytest

from flask_private_key_jwt.client import TokenRequestError
from flask_private_key_jwt.client.token import Token
from flask_private_key_jwt.client.token_cache import TokenCache
from flask_private_key_jwt.fetching.exchange import Runner


class Source:
    """Gives out tokens, or raises what it is told to; waits at the gate first."""

    def __init__(self, clock):
        self.clock = clock
        self.fetches = 0
        self.failure = None
        self.arrived = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def fetch(self):
        yield from ()  # steps, without a need
        self.fetches += 1
        number = self.fetches
        self.arrived.set()
        self.gate.wait(60)
        if self.failure:
            raise self.failure
        now = self.clock.now
        return Token(f"token-{number}", "DPoP", now, now + 600, None, {})


@pytest.fixture
def source(clock):
    return Source(clock)


class Tokens:
    """A cache, and the runner that its threads share."""

    def __init__(self, fetch):
        self.cache, self.runner = TokenCache(fetch), Runner()
        self.forget = self.cache.forget

    def get(self):
        return self.runner.run(self.cache.get())


@pytest.fixture
def cache(source):
    return Tokens(source.fetch)


def run_together(cache, source, count):
    """Call ``get`` from *count* threads that all come while one fetch is under way."""
    outcomes = []

    def get():
        try:
            outcomes.append(cache.get().access_token)
        except Exception as error:
            outcomes.append(error)

    source.gate.clear()
    threads = [threading.Thread(target=get) for _ in range(count)]
    threads[0].start()
    source.arrived.wait(60)
    for thread in threads[1:]:
        thread.start()
    source.gate.set()
    for thread in threads:
        thread.join()
    return outcomes


def test_threads_that_come_during_a_renewal_share_its_token(cache, source):
    assert run_together(cache, source, 10) == ["token-1"] * 10
    assert source.fetches == 1


def test_a_thread_that_waits_for_a_failed_renewal_gets_the_failure(cache, source):
    source.failure = TokenRequestError("no")

    outcomes = run_together(cache, source, 2)

    # The second may have come after the end of the first: then it had a try, and a failure, of its own.
    assert [str(outcome) for outcome in outcomes] == ["no", "no"]


def test_after_a_failure_the_next_one_tries_again(cache, source):
    source.failure = TokenRequestError("no")
    with pytest.raises(TokenRequestError):
        cache.get()
    source.failure = None

    assert cache.get().access_token == "token-2"


def test_who_waits_for_an_interrupted_renewal_makes_its_own(clock, monkeypatch):
    waits, outcomes, threads = threading.Event(), [], []
    wait_for_result = Future.result

    def result(self):
        waits.set()
        return wait_for_result(self)

    def fetch():
        yield from ()
        if threads:
            return Token("token-2", "DPoP", clock.now, None, None, {})
        threads.append(threading.Thread(target=lambda: outcomes.append(cache.get().access_token)))
        threads[0].start()
        assert waits.wait(60)
        raise KeyboardInterrupt

    monkeypatch.setattr(Future, "result", result)
    cache = Tokens(fetch)
    with pytest.raises(KeyboardInterrupt):
        cache.get()
    threads[0].join(60)

    assert outcomes == ["token-2"]


def test_forgetting_an_older_token_keeps_the_newer_one(cache, source):
    old = cache.get().access_token
    cache.forget(old)
    new = cache.get().access_token

    cache.forget(old)

    assert cache.get().access_token == new == "token-2"


def test_who_comes_too_late_for_a_renewal_takes_its_token(cache, source):
    early, late = next(cache.cache.get()), next(cache.cache.get())  # neither has found a token

    assert cache.runner.run(early.start()) is cache.runner.run(late.start())
    assert source.fetches == 1


def test_a_token_without_an_end_is_kept(clock):
    def fetch():
        yield from ()
        return Token("forever", "Bearer", clock.now, None, None, {})

    cache = Tokens(fetch)
    first = cache.get()
    clock.move(10**9)

    assert cache.get() is first


@pytest.mark.parametrize(("lifetime", "due_after"), [(600, 570), (61, 31), (60, 30), (20, 10), (1, 1)])
def test_a_token_is_due_thirty_seconds_or_half_its_life_before_its_end(lifetime, due_after):
    token = Token("t", "Bearer", 1000, 1000 + lifetime, None, {})

    assert not token.is_due(1000 + due_after - 1, margin=30)
    assert token.is_due(1000 + due_after, margin=30)
