"""A circuit breaker: after one time-out everybody else is refused at once, until the store answers again."""

import logging
import os
from collections.abc import Callable
from threading import Lock, Thread
from time import sleep

from ..errors import StoreUnavailable

log = logging.getLogger("flask_private_key_jwt")

PAUSE_SECONDS = 0.1
"""Between two probes."""


class Breaker:
    """Refuses work while one store does not answer. Safe for threads and forks.

    :param probe: Asks the store; false when nobody is left who wants to know. Raises while it does not answer. It
        is called from a thread of its own, one call after the other.
    :param store: What the log calls the store.
    """

    def __init__(self, probe: Callable[[], bool], *, store: str = "database") -> None:
        self._probe = probe
        self._store = store
        self._lock = Lock()
        self._process: int | None = None
        """Where a thread is asking; ``None`` while the store answers."""

    def check(self) -> None:
        """Let the caller go on, if the store answers as far as is known.

        :raises StoreUnavailable: It does not.
        """
        if self._process is not None and self._is_asking():
            raise StoreUnavailable(
                f"{self._store}: it has not answered since an earlier request waited in vain", cause="store_paused"
            )

    def trip(self) -> None:
        """Refuse everybody from now on, until the store answers a probe."""
        with self._lock:
            if self._is_asking():
                return
            self._process = os.getpid()
        log.error("the %s does not answer: requests that need it are refused until it does", self._store)
        try:
            Thread(target=self._ask, name="store-probe", daemon=True).start()
        except RuntimeError:  # this process may have no more threads: nobody would ever let anybody in again
            self._process = None

    def _is_asking(self) -> bool:
        return self._process == os.getpid()  # a forked child has no such thread

    def _ask(self) -> None:
        try:
            while not self._has_answer():
                sleep(PAUSE_SECONDS)
        finally:
            self._process = None

    def _has_answer(self) -> bool:
        try:
            if self._probe():
                log.warning("the %s answers again", self._store)
        except Exception as error:
            log.debug("the %s does not answer: %s", self._store, type(error).__name__)
            return False
        return True
