"""Keep one token and renew it in time; only one thread or task renews at a time. No I/O."""

from collections.abc import Callable
from threading import Lock
from typing import Protocol

from .. import clock
from ..fetching.steps import Shared, Steps
from .token import Token

MARGIN_SECONDS = 30
"""How long before it expires a token is renewed, in seconds: longer than a request takes to arrive."""


class TokenSource(Protocol):
    """Where the token for the calls to an API comes from."""

    def get(self) -> Steps[Token]:
        """The current token, or a new one if it is due."""

    def forget(self, access_token: str) -> None:
        """Do not give this token again, because an API refused it; a newer one stays."""


class TokenCache:
    """The current token of one client, for one scope and resource.

    :param fetch: Gets a new token from the server.
    """

    def __init__(self, fetch: Callable[[], Steps[Token]]) -> None:
        self._fetch = fetch
        self._lock = Lock()
        self._token: Token | None = None

    def get(self) -> Steps[Token]:
        """The current token, or a new one if there is none or it is due.

        While one thread renews the token, the other threads wait, and get the same token or the same exception.
        """
        known = self._find_current()
        if known is not None:
            return known
        renewed: Token = yield Shared("token", self._renew)
        return renewed

    def forget(self, access_token: str) -> None:
        """Drop the token if it is *access_token*; a newer one that another thread has fetched meanwhile stays."""
        with self._lock:
            if self._token and self._token.access_token == access_token:
                self._token = None

    def _find_current(self) -> Token | None:
        token = self._token  # read once: another thread may drop it
        return None if token is None or token.is_due(clock.now(), margin=MARGIN_SECONDS) else token

    def _renew(self) -> Steps[Token]:
        token = self._find_current()  # somebody may have renewed it since get() looked
        if token is None:
            token = yield from self._fetch()
            with self._lock:
                self._token = token
        return token
