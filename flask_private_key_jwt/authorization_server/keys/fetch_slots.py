"""How many threads of this process may wait for clients' servers at the same time.

Anybody who can name a URL can run a server there that answers one byte at a time. So no thread waits for a slot: if
none is free it answers 503 at once, and the client can try again. It keeps its turn meanwhile (:mod:`.waiting_line`).
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from ... import clock
from ...errors import FetchBusy
from ..caller_network import site_of
from .waiting_line import SLOW_SECONDS, WaitingLine


class FetchSlots:
    """The slots of one process; safe for threads.

    :param size: The number of slots, at least 2. A third of them, at least one, are for the operator's clients only.
        Of the others, one is for documents that somebody had before, if there are several. One address may hold half of
        them, at least one: with slow servers it could hold all of them for ever.
    :param find_address: Returns the address of the current request; if it is empty, there is no limit by address.
    """

    def __init__(self, size: int, find_address: Callable[[], str] = str) -> None:
        self._size = size
        self._size_for_others = size - max(1, size // 3)
        self._size_for_address = (self._size_for_others + 1) // 2
        self._find_address = find_address
        self._held = 0
        self._held_by_others = 0
        self._held_by_address: Counter[str] = Counter()
        self._hosts: set[str] = set()
        self._line = WaitingLine()
        self._lock = Lock()

    @contextmanager
    def for_operators_clients(self, _host: str | None = None, /, *, is_known: bool = False) -> Iterator[None]:
        """A slot during the block, for clients that the operator stands behind.

        :raises FetchBusy: All slots are taken.
        """
        with self._lock:
            if self._held >= self._size:
                raise FetchBusy(f"{self._size} threads wait for the documents of clients", cause="fetch_busy")
            self._held += 1
        try:
            yield
        finally:
            with self._lock:
                self._held -= 1

    @contextmanager
    def for_others(self, host: str | None = None, /, *, is_known: bool = False) -> Iterator[None]:
        """A slot during the block, for all other clients.

        :param host: The host of the document that this thread fetches; of new ones only one for each host at a time.
            ``None``: this thread waits for another one.
        :param is_known: Whether somebody has had the document before. Of several slots one is for those only.
        :raises FetchBusy: All slots for these clients are taken, or as many as others have waited for longer; one is
            taken for this host, or the caller's address holds as many as it may.
        """
        address = self._find_address()
        caller = site_of(address) if address else None
        new_host = None if is_known else host
        with self._lock:
            try:
                self._check_others(host, caller, is_known=is_known)
            except FetchBusy:
                if host is not None and caller is not None and not self._has_its_share(caller):
                    self._line.wait(caller, host, is_known=is_known)
                raise
            began_at = clock.now()
            self._held_by_others += 1
            if new_host is not None:
                self._hosts.add(new_host)
            if caller is not None:
                self._held_by_address[caller] += 1
        had_its_turn = True
        try:
            with self.for_operators_clients():
                yield
        except FetchBusy:
            had_its_turn = False
            raise
        finally:
            with self._lock:
                if host is not None and caller is not None and had_its_turn:
                    self._line.leave(caller)
                    if clock.now() - began_at >= SLOW_SECONDS:
                        self._line.note_slow(caller, host)
                self._held_by_others -= 1
                self._hosts.discard(new_host or "")
                if caller is not None:
                    self._held_by_address -= Counter([caller])  # removes the entry of a caller that holds no slot

    def _check_others(self, host: str | None, caller: str | None, *, is_known: bool) -> None:
        if host is not None and not is_known and host in self._hosts:
            raise FetchBusy(f"another document is being fetched from {host!r}", cause="fetch_busy_host")
        if self._has_its_share(caller):
            raise FetchBusy(
                f"{self._size_for_address} threads wait for documents that {caller!r} has asked for",
                cause="fetch_busy_address",
            )
        free = self._size_for_others - self._held_by_others
        if not is_known and self._size_for_others > 1:
            free -= 1  # what strangers make up must not keep out those who were here before
        if free <= 0:
            raise FetchBusy(
                f"{self._held_by_others} threads wait for the documents of self-registered clients",
                cause="fetch_busy_strangers",
            )
        if host is None or caller is None:
            return
        if not self._line.has_turn(
            caller, host, free=free, is_known=is_known, served=self._held_by_address, busy_hosts=self._hosts
        ):
            raise FetchBusy(f"others have waited for longer than {caller!r}", cause="fetch_busy_turn")

    def _has_its_share(self, caller: str | None) -> bool:
        return caller is not None and self._held_by_address[caller] >= self._size_for_address
