"""One time budget for everything that a request asks of its stores.

A frozen database or Redis never answers, and its own timers do not fire. So this package keeps the deadline, one for
the whole request: waiting for the pool, connecting, statements, commit and rollback share it.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar, Token
from time import monotonic
from types import TracebackType

from ..errors import StoreUnavailable


class _Budget:
    """The seconds that the stores of one request may take; also the context manager of :func:`request_budget`.

    A class, not a generator with ``@contextmanager``: every request uses it, and a generator costs more.
    """

    __slots__ = ("_token", "ends_at", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.ends_at: float | None = None
        """The deadline, by ``time.monotonic``; ``None`` until a store is first used."""
        self._token: Token[_Budget | None] | None = None

    def __enter__(self) -> None:
        if _current.get() is None:
            self._token = _current.set(self)

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self._token is not None:
            _current.reset(self._token)

    def run(self) -> float:
        """Start the budget, if it is not running; return the seconds left. See :func:`seconds_left`."""
        now = monotonic()
        if self.ends_at is None:
            self.ends_at = now + self.seconds
        left = self.ends_at - now
        if left <= 0:
            raise StoreUnavailable(
                f"the stores did not answer within the {self.seconds:g} s of this request", cause="store_timeout"
            )
        return left


_current: ContextVar[_Budget | None] = ContextVar("flask_private_key_jwt.store_budget", default=None)


def request_budget(seconds: float) -> AbstractContextManager[None]:
    """Give all use of stores in the block one budget; inside another such block, the outer budget applies.

    The budget starts when a store is first used, so a request body that arrives slowly does not use it up.

    :param seconds: The budget, ``OAUTH2_STORE_TIMEOUT_SECONDS``.
    """
    return _Budget(seconds)


def seconds_left(default: float) -> float:
    """How long a store may still take, in seconds; more than 0.

    :param default: The result outside a request, where each use of a store has its own budget.
    :raises StoreUnavailable: The budget of the request is used up.
    """
    budget = _current.get()
    return default if budget is None else budget.run()


def find_end() -> float | None:
    """The deadline of the request, by ``time.monotonic``; ``None`` outside a request.

    :raises StoreUnavailable: The budget of the request is used up.
    """
    budget = _current.get()
    if budget is None:
        return None
    budget.run()
    return budget.ends_at


@contextmanager
def outside_budget() -> Iterator[None]:
    """Pause the budget while the block waits for something that is not a store: another server, or a function of the
    application. Can also be used as a decorator."""
    budget = _current.get()
    if budget is None or budget.ends_at is None:
        yield
        return
    started = monotonic()
    try:
        yield
    finally:
        budget.ends_at += monotonic() - started
