"""Keep one token and renew it in time; only one thread renews at a time."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock

from .. import clock
from .errors import TokenRequestError
from .token import Token

MARGIN_SECONDS = 30
"""How long before it expires a token is renewed, in seconds: longer than a request takes to arrive."""


class TokenCache:
    """The current token of one client, for one scope and resource.

    :param fetch: Gets a new token from the server.
    """

    def __init__(self, fetch: Callable[[], Token]) -> None:
        self._fetch = fetch
        self._lock = Lock()
        self._token: Token | None = None
        self._renewal: Future[Token] | None = None

    def get(self) -> Token:
        """The current token, or a new one if there is none or it is due.

        While one thread renews the token, the other threads wait, and get the same token or the same exception.
        """
        with self._lock:
            if self._token and not self._token.is_due(clock.now(), margin=MARGIN_SECONDS):
                return self._token
            running = self._renewal
            renewal = self._renewal = running or Future()
        if running is None:
            self._renew(renewal)
        return renewal.result()

    def forget(self, access_token: str) -> None:
        """Drop the token if it is *access_token*; a newer one that another thread has fetched meanwhile stays."""
        with self._lock:
            if self._token and self._token.access_token == access_token:
                self._token = None

    def _renew(self, renewal: Future[Token]) -> None:
        token: Token | None = None
        failure: Exception = TokenRequestError("The token request was interrupted.")
        try:
            token = self._fetch()
        except Exception as error:  # raised by result(), in this thread and in every waiting one
            failure = error
        finally:  # also after a KeyboardInterrupt: no thread may wait for ever
            with self._lock:
                self._token, self._renewal = token, None
            if token:
                renewal.set_result(token)
            else:
                renewal.set_exception(failure)
