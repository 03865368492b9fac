"""Keeps what a reference stands for, off the answer's path: the answer never waits for it, and never fails by it.

A request only adds a value to a list in memory. A thread, which begins when there is something to write and ends when
there is nothing for a while, writes many of them in one transaction. What is not written when the process dies, or when
the database does not answer, is lost: the log has it all the same.
"""

import json
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from threading import Condition, Event, Thread
from typing import Any

import flask

from ... import clock
from ...errors import OAuthError, StoreUnavailable
from ...refusal import EXPECTED, clean_details, clean_reason
from ..caller_network import network_of
from ..stores.contracts import KeptRefusal
from ..stores.sql.refusals import SQLAlchemyRefusalStore
from .fair_share import EACH, FEW, FairShare

log = logging.getLogger("flask_private_key_jwt")

RefusalDetails = Mapping[str, Any] | None

MOST_WAITING = 1000
"""Most refusals that wait to be written; further ones are left out."""
_GATHER_SECONDS = 0.25
"""How long the thread lets others join before it writes."""
_IDLE_SECONDS = 10
_LONGEST_DETAILS = 8000
"""In characters; longer ones are left out, because a client chose them, and the reason says enough."""
_QUIET_SECONDS = 3600
"""Least time between two log lines about what is not kept."""


class RefusalKeeper:
    """Keeps the refusals of one app; safe for threads, and in the children of a process that forks.

    :param store: Where they are kept.
    :param app_context: The app's context, in which the engine is found.
    """

    def __init__(
        self, store: SQLAlchemyRefusalStore, app_context: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self._store = store
        self._app_context = app_context
        self._quiet_until = 0
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._ready = Condition()
        self._waiting: list[tuple[KeptRefusal, RefusalDetails]] = []
        self._thread: Thread | None = None
        self._share = FairShare()
        self._writing = Event()

    def note(self, error: OAuthError, *, reference: str, endpoint: str) -> None:
        """Keep a refusal, if there is room. Writes nothing yet."""
        if self._process != os.getpid():  # a forked child has neither the thread nor, perhaps, a free lock
            self._begin()
        address = flask.request.environ.get("REMOTE_ADDR") if flask.has_request_context() else None
        # The network of an IPv4 address is the address itself; this runs for every refusal.
        network = network_of(address) if address is None or ":" in address else address
        each = FEW if isinstance(error, EXPECTED) else EACH
        if not self._share.take(error.client_id, network, error.cause, each=each):
            return
        refusal = KeptRefusal(
            reference=reference,
            refused_at=clock.now(),
            endpoint=endpoint,
            error=error.code,
            cause=error.cause,
            client_id=error.client_id,
            address=network,
            reason=error.reason,
            details=None,
        )
        with self._ready:
            if len(self._waiting) < MOST_WAITING:
                self._waiting.append((refusal, error.details))
            if self._thread is None:
                self._thread = Thread(target=self._work, name="oauth2 refusals", daemon=True)
                self._thread.start()
            self._ready.notify()

    def flush(self) -> None:
        """Write what waits, in the calling thread. Never fails."""
        with self._ready:
            waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            with self._app_context():
                self._store.open()
            self._store.add([_clean(refusal, details) for refusal, details in waiting])
        except StoreUnavailable as problem:
            self._tell("refusals are not kept for flask oauth2 explain: %s", problem.reason)
        except Exception as error:
            self._tell("refusals are not kept for flask oauth2 explain: %s", type(error).__name__)
        if left_out := self._share.take_left_out():
            self._tell("%s refusals are not kept for flask oauth2 explain: there are too many alike", left_out)

    def _work(self) -> None:
        while True:
            with self._ready:
                if not self._ready.wait_for(lambda: self._waiting, timeout=_IDLE_SECONDS):
                    self._thread = None
                    return
            self._writing.wait(_GATHER_SECONDS)
            self.flush()

    def _tell(self, message: str, value: object) -> None:
        if clock.now() >= self._quiet_until:
            self._quiet_until = clock.now() + _QUIET_SECONDS
            log.warning(message, value)


def _clean(refusal: KeptRefusal, details: RefusalDetails) -> KeptRefusal:
    """*refusal* as it is written: without JWTs, and with all foreign text printable and short."""
    cause, cleaned = clean_reason(refusal.cause)[:100], json.dumps(clean_details(details))
    return replace(
        refusal,
        endpoint=refusal.endpoint[:48],
        error=clean_reason(refusal.error)[:64],
        cause=cause,
        client_id=None if refusal.client_id is None else clean_reason(refusal.client_id)[:255],
        address=clean_reason(refusal.address)[:100],
        reason=clean_reason(refusal.reason),
        details=cleaned if details and len(cleaned) <= _LONGEST_DETAILS else None,
    )
