"""How fast new documents are fetched for clients that registered themselves.

Before the fetch, a made-up URL looks like the URL of a genuine new client. Two things tell them apart a little: the
address of the request, and that a genuine client tries again with the same URL. What is reserved for those goes to the
sites in the order in which they were first turned away (:mod:`.waiting_line`).
"""

from collections.abc import Callable
from hashlib import sha256
from threading import Lock

from ... import clock
from ...bounded_cache import BoundedCache
from ...errors import FetchBusy
from ...fetching.fetch_target import host_of
from ..caller_network import site_of
from .waiting_line import WaitingLine

BURST, A_MINUTE = 960, 240
"""Most new documents that a process fetches at once, and in each minute after that."""
BURST_OF_ADDRESS, A_MINUTE_OF_ADDRESS = 240, 60
"""The same for one address: a quarter, so one address cannot use up what the others need."""
RETRY_SECONDS = 2
RESERVED_PART = 4
"""A quarter of each burst is kept for URLs that were refused before and are asked for again."""
REMEMBERED = 8192
"""Most addresses, and most refused URLs, that a process remembers."""


class Newcomers:
    """Lets new documents be fetched at this pace; safe for threads.

    :param find_address: Returns the address of the current request; empty if there is none.
    """

    def __init__(self, find_address: Callable[[], str]) -> None:
        self._find_address = find_address
        self._all = _Budget(BURST, A_MINUTE)
        # All entries have the same size, so the number of entries is the real limit here.
        self._by_address: BoundedCache[str, _Budget] = BoundedCache(max_entries=REMEMBERED, max_bytes=1 << 26)
        self._turned_away: BoundedCache[bytes, int] = BoundedCache(max_entries=REMEMBERED, max_bytes=1 << 22)
        self._line = WaitingLine()
        self._lock = Lock()

    def admit(self, url: str) -> None:
        """Let *url* be fetched.

        :raises FetchBusy: Not now; the same URL has a better chance after :data:`RETRY_SECONDS`.
        """
        now, name = clock.now(), sha256(url.encode("utf-8", "surrogatepass")).digest()
        site = site_of(self._find_address())
        with self._lock:
            turned_away_at = self._turned_away.get(name)
            comes_again = turned_away_at is not None and turned_away_at < now
            budget = self._by_address.get(site) or self._by_address.keep(
                site, _Budget(BURST_OF_ADDRESS, A_MINUTE_OF_ADDRESS)
            )
            budgets = (budget, self._all)
            has_room = all(budget.has_room(now, use_reserve=comes_again) for budget in budgets)
            if has_room and self._has_turn(site, url, now):
                for budget in budgets:
                    budget.spend()
                self._line.leave(site)
                return
            self._line.wait(site, host_of(url))
            if turned_away_at is None:
                self._turned_away.keep(name, now)
        raise FetchBusy(
            "too many new documents are asked for", cause="fetch_busy_new", retry_after_seconds=RETRY_SECONDS
        )

    def _has_turn(self, site: str, url: str, now: int) -> bool:
        """Whether it is the turn of *site*. There is a line only when what is left is the reserve of all addresses."""
        if self._all.has_room(now, use_reserve=False):
            return True
        return self._line.has_turn(site, host_of(url), free=self._all.left)


class _Budget:
    """*burst* at once, and *a_minute* in each minute after that."""

    __slots__ = ("_a_minute", "_at", "_burst", "_left")

    def __init__(self, burst: int, a_minute: int) -> None:
        self._burst, self._a_minute = burst, a_minute
        self._left: float = burst
        self._at = clock.now()

    def has_room(self, now: int, *, use_reserve: bool) -> bool:
        """Refill by the time since the last call; return whether one more is allowed."""
        self._left = min(self._burst, self._left + max(0, now - self._at) * self._a_minute / 60)
        self._at = now
        return self._left >= (1 if use_reserve else 1 + self._burst // RESERVED_PART)

    @property
    def left(self) -> int:
        """How many more are allowed, the reserve included."""
        return int(self._left)

    def spend(self) -> None:
        self._left -= 1
