"""Renewing the tokens of people: a refresh token is sent once, however many threads find the access token expired."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock

from ... import clock
from ...fetching.steps import Shared, Steps
from .tokens import PersonTokens

REMEMBERED_SECONDS = 60
"""How long the result of a refresh is remembered, in seconds.

A request that loaded the person's session before another request refreshed its tokens still has the old refresh token.
If it sent that, a server that rotates refresh tokens would take it for a thief (RFC 9700 §4.14.2).
"""
MOST_REMEMBERED = 1000

Refresh = Callable[[PersonTokens], Steps[PersonTokens]]
"""Exchanges a refresh token at the server."""


@dataclass(frozen=True, slots=True)
class _Renewed:
    tokens: PersonTokens = field(repr=False)
    until: int


class Renewals:
    """What the refresh tokens of this process were exchanged for lately; safe to share between threads.

    :param refresh: Gets the tokens that come after others.
    """

    def __init__(self, refresh: Refresh) -> None:
        self._refresh = refresh
        self._known: OrderedDict[str, _Renewed] = OrderedDict()
        self._lock = Lock()

    def renew(self, old: PersonTokens) -> Steps[PersonTokens]:
        """The tokens that come after *old*: from the server, or those that another thread got a moment ago.

        If the server refuses, so it does for all threads that wait for it.
        """
        key = _name(old)
        found = self._find(key, old)
        if found is None:
            found = yield Shared(f"refresh {key}", lambda: self._exchange(key, old))
        return found

    def forget(self, tokens: PersonTokens) -> None:
        """Forget what led to *tokens*: the person signs out."""
        with self._lock:
            for key, known in list(self._known.items()):
                if known.tokens.refresh_token == tokens.refresh_token:
                    del self._known[key]

    def _exchange(self, key: str, old: PersonTokens) -> Steps[PersonTokens]:
        found = self._find(key, old)  # another thread may have finished in between
        if found is None:
            found = yield from self._refresh(old)
            self._keep(key, found)
        return found

    def _find(self, key: str, old: PersonTokens) -> PersonTokens | None:
        with self._lock:
            known = self._known.get(key)
        if known is None or clock.is_over(known.until):
            return None
        # With a server that does not rotate, the refresh token stays: then only another access token is a newer one.
        return known.tokens if known.tokens.token.access_token != old.token.access_token else None

    def _keep(self, key: str, tokens: PersonTokens) -> None:
        with self._lock:
            self._known.pop(key, None)
            self._known[key] = _Renewed(tokens, clock.now() + REMEMBERED_SECONDS)
            while len(self._known) > MOST_REMEMBERED or clock.is_over(next(iter(self._known.values())).until):
                self._known.popitem(last=False)


def _name(tokens: PersonTokens) -> str:
    return sha256(f"{tokens.jkt}\x00{tokens.refresh_token}".encode()).hexdigest()
