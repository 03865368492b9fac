"""A circuit breaker: after one timeout, all requests are refused at once until the store answers again."""

import logging
import os
from collections.abc import Callable
from threading import Lock, Thread
from time import sleep

from ..errors import StoreUnavailable

log = logging.getLogger("flask_private_key_jwt")

PAUSE_SECONDS = 0.1
"""Pause between two probes."""


class Breaker:
    """Refuses work while one store does not answer. Safe for threads and forks.

    :param probe: Asks the store whether it works, and raises while it does not answer. Returns false if the store is no
        longer in use. It is called in a separate thread, one call at a time.
    :param store: The store's name in the log.
    """

    def __init__(self, probe: Callable[[], bool], *, store: str = "database") -> None:
        self._probe = probe
        self._store = store
        self._lock = Lock()
        self._process: int | None = None
        """The id of the process whose thread is probing; ``None`` while the store answers."""

    def check(self) -> None:
        """Check that the store is not known to be unavailable.

        :raises StoreUnavailable: It did not answer an earlier request, and has not answered a probe since.
        """
        if self._process is not None and self._is_asking():
            raise StoreUnavailable(
                f"{self._store}: it has not answered since an earlier request waited in vain", cause="store_paused"
            )

    def trip(self) -> None:
        """Refuse all work from now on, until the store answers a probe."""
        with self._lock:
            if self._is_asking():
                return
            self._process = os.getpid()
        log.error("the %s does not answer: requests that need it are refused until it does", self._store)
        try:
            Thread(target=self._ask, name="store-probe", daemon=True).start()
        except RuntimeError:  # no more threads in this process: without a probe, the breaker would stay open for ever
            self._process = None

    def _is_asking(self) -> bool:
        return self._process == os.getpid()  # a forked child does not have the probing thread

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
