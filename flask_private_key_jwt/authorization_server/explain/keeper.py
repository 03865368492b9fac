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
from threading import Event, Lock, Thread
from typing import Any, NamedTuple

import flask

from ... import clock
from ...errors import OAuthError, StoreUnavailable
from ...signals.refusal import EXPECTED, clean_details, clean_reason
from ..caller_network import network_of
from ..stores.contracts import KeptRefusal
from ..stores.sql.refusals import SQLAlchemyRefusalStore
from .fair_share import EACH, FEW, FairShare

log = logging.getLogger("flask_private_key_jwt")


class _Noted(NamedTuple):
    """A refusal as it was noted. It does not hold the error, whose traceback would keep the request in memory."""

    reference: str
    refused_at: int
    endpoint: str
    error: str
    cause: str
    client_id: str | None
    address: str
    reason: str
    details: Mapping[str, Any] | None


MOST_WAITING = 1000
"""Most refusals that wait to be written; further ones are left out."""
_GATHER_SECONDS = 0.25
"""How long the thread lets others join before it writes."""
_IDLE_ROUNDS = 40
"""After so many rounds with nothing to write, the thread ends."""
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
        self._has_engine = False
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = Lock()
        self._waiting: list[_Noted] = []
        self._thread: Thread | None = None
        self._share = FairShare()
        self._hurry = Event()

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
        with self._lock:
            if len(self._waiting) < MOST_WAITING:
                # Whatever costs more than this is left to the thread. It is not woken either, but looks by itself.
                self._waiting.append(
                    _Noted(
                        reference,
                        clock.now(),
                        endpoint,
                        error.code,
                        error.cause,
                        error.client_id,
                        network,
                        error.reason,
                        error.details,
                    )
                )
            if self._thread is None:
                thread = Thread(target=self._work, name="oauth2 refusals", daemon=True)
                thread.start()
                self._thread = thread

    def flush(self) -> None:
        """Write what waits, in the calling thread. Never fails."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            if not self._has_engine:
                with self._app_context():
                    self._store.open()
                self._has_engine = True
            self._store.add([_build(noted) for noted in waiting])
        except StoreUnavailable as problem:
            self._tell("refusals are not kept for flask oauth2 explain: %s", problem.reason)
        except Exception as error:
            self._tell("refusals are not kept for flask oauth2 explain: %s", type(error).__name__)
        if left_out := self._share.take_left_out():
            self._tell("%s refusals are not kept for flask oauth2 explain: there are too many alike", left_out)

    def _work(self) -> None:
        idle = 0
        while idle < _IDLE_ROUNDS:
            self._hurry.wait(_GATHER_SECONDS)
            idle = 0 if self._waiting else idle + 1
            self.flush()
        with self._lock:
            self._thread = None
        self.flush()  # what was noted just before

    def _tell(self, message: str, value: object) -> None:
        if clock.now() >= self._quiet_until:
            self._quiet_until = clock.now() + _QUIET_SECONDS
            log.warning(message, value)


def _build(noted: _Noted) -> KeptRefusal:
    """A refusal as it is written: without JWTs, and with all foreign text printable and short."""
    cause, details = clean_reason(noted.cause)[:100], json.dumps(clean_details(noted.details))
    return KeptRefusal(
        reference=noted.reference,
        refused_at=noted.refused_at,
        endpoint=noted.endpoint[:48],
        error=clean_reason(noted.error)[:64],
        cause=cause,
        client_id=None if noted.client_id is None else clean_reason(noted.client_id)[:255],
        address=clean_reason(noted.address)[:100],
        reason=clean_reason(noted.reason),
        details=details if noted.details and len(details) <= _LONGEST_DETAILS else None,
    )
