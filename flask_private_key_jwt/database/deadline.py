"""One budget of time for everything that a request asks of its stores.

A frozen database or Redis never answers, and no timer of its own fires. So the deadline is on our side, and it is one
for the whole request: waiting for the pool, connecting, statements, committing and rolling back share it.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar, Token
from time import monotonic
from types import TracebackType

from ..errors import StoreUnavailable


class _Budget:
    """Seconds that the stores of one request may take, and the block of :func:`request_budget`.

    Not a generator: each request passes here, and those cost more.
    """

    __slots__ = ("_token", "ends_at", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.ends_at: float | None = None
        """By ``time.monotonic``; ``None`` until a store is first asked."""
        self._token: Token[_Budget | None] | None = None

    def __enter__(self) -> None:
        if _current.get() is None:
            self._token = _current.set(self)

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self._token is not None:
            _current.reset(self._token)

    def run(self) -> float:
        """Start it, if it is not running; see :func:`seconds_left`."""
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
    """Give everything that the block asks of stores one budget; inside another such block, that one's stays.

    It starts to run when a store is first asked, so that a slow body costs nothing of it.

    :param seconds: The budget, ``OAUTH2_STORE_TIMEOUT_SECONDS``.
    """
    return _Budget(seconds)


def seconds_left(default: float) -> float:
    """How long a store may still take, in seconds; more than 0.

    :param default: The answer outside a request, where each use of a store has a budget of its own.
    :raises StoreUnavailable: The budget of the request is used up.
    """
    budget = _current.get()
    return default if budget is None else budget.run()


def find_end() -> float | None:
    """When the budget of the request is used up, by ``time.monotonic``; ``None`` outside a request.

    :raises StoreUnavailable: It is.
    """
    budget = _current.get()
    if budget is None:
        return None
    budget.run()
    return budget.ends_at


@contextmanager
def outside_budget() -> Iterator[None]:
    """Stop the clock of the budget while the block waits for something else than a store: another server, or what a
    function of the application does. Decorates a function, too."""
    budget = _current.get()
    if budget is None or budget.ends_at is None:
        yield
        return
    started = monotonic()
    try:
        yield
    finally:
        budget.ends_at += monotonic() - started
