"""Notes which keys of the clients sign, for operators who rotate them: at most one write an hour for each key.

A request usually costs one lookup in a dict. Once an hour for each key, each process reads what the database knows; the
first process to find that the hour is over writes. The first use of a client's keys on a day also logs certificates
that end and new keys that are not used. This needs no thread and no timer, because it only matters while the client
sends requests.
"""

import logging
from dataclasses import replace
from threading import Lock

from ... import clock
from ...bounded_cache import BoundedCache, bytes_for_clients
from ...database.batches import BATCH_ROWS, Rest, no_rest
from ...errors import TemporarilyUnavailable
from ..registered_client import RegisteredClient
from ..stores.contracts import ClientKeyUseStore
from .client_key_state import DAY_SECONDS, ClientKeyState, find_states, find_warnings
from .client_keys import ClientKeys
from .remote_documents import DocumentUnavailable

log = logging.getLogger("flask_private_key_jwt")

HOUR_SECONDS = 3600
RETRY_SECONDS = 60
"""How long a process does not ask a store that has failed: it must not slow down every request."""
AWAY_SECONDS = 90 * DAY_SECONDS
"""After this time, a client that is registered by a document and not used counts as gone."""

Signer = tuple[str, str]
"""A client's version and a key's thumbprint; with the version, a changed registration is checked again."""
SIGNER_BYTES = 256
"""Size of a signer: a tuple, and two strings of 32 and 43 characters."""


class ClientKeyUse:
    """Notes and describes the use of clients' keys; safe for threads.

    :param store: Keeps it for all processes.
    :param keys: Finds the keys of a client.
    :param size: Most keys for which this process remembers when it last wrote.
    """

    def __init__(self, store: ClientKeyUseStore, keys: ClientKeys, *, size: int) -> None:
        self._store = store
        self._keys = keys
        self._due = _Due(size)

    def note(self, client: RegisteredClient, thumbprint: str) -> None:
        """Note that a key of *client* signed an assertion or a request object that was accepted. Never fails.

        :param thumbprint: RFC 7638 SHA-256 thumbprint of the key, base64url.
        """
        now, signer = clock.now(), (client.version, thumbprint)
        if not self._due.take(signer, now=now):
            return
        try:
            due_at = self._record(client, thumbprint, now=now)
        except (TemporarilyUnavailable, DocumentUnavailable) as problem:
            # The token does not depend on this record.
            log.warning("the use of a key of client %r is not recorded: %s", client.client_id, problem.reason)
            due_at = now + RETRY_SECONDS
        self._due.put_off(signer, until=due_at)

    def describe(self, client: RegisteredClient) -> tuple[ClientKeyState, ...]:
        """Every usable key of *client*, with what is known about its use.

        :raises StoreUnavailable: The store did not answer.
        :raises DocumentUnavailable: Its ``jwks_uri`` cannot be fetched.
        """
        return find_states(self._keys.all(client), self._store.load(client.client_id))

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Forget the keys of clients that are not in the database and were not used for long; return how many.

        :raises StoreUnavailable: The store did not answer.
        """
        return self._store.purge(not_after=clock.now() - AWAY_SECONDS, batch=batch, rest=rest)

    def _record(self, client: RegisteredClient, thumbprint: str, *, now: int) -> int:
        """Write the use, unless another process has done so within the hour; return when the next write is due."""
        states = self._bring_in_line(client, thumbprint, now=now)
        last = max((state.last_used_at or 0 for state in states if _is(state, thumbprint)), default=0)
        if last > now - HOUR_SECONDS:
            return min(last, now) + HOUR_SECONDS  # another worker's clock may be ahead
        written = self._store.mark_used(client.client_id, thumbprint, now=now, not_after=now - HOUR_SECONDS)
        # Only one process writes the first use of a day, so each warning is logged once.
        if written and not any((state.last_used_at or 0) // DAY_SECONDS == now // DAY_SECONDS for state in states):
            used = [replace(state, last_used_at=now) if _is(state, thumbprint) else state for state in states]
            for warning in find_warnings(used, now=now):
                log.warning("client %r: %s", client.client_id, warning)
        return now + HOUR_SECONDS

    def _bring_in_line(self, client: RegisteredClient, thumbprint: str, *, now: int) -> tuple[ClientKeyState, ...]:
        """The states of the client's keys, after the store has been told about new and removed keys.

        Keys at a ``jwks_uri`` change without the registry, and so do keys that an application writes itself.
        """
        keys, uses = self._keys.all(client), self._store.load(client.client_id)
        registered = {key.public.thumbprint for key in keys}
        # The registration may have changed during this request: the set only counts if the key that signed is in it.
        if uses.keys() != registered and thumbprint in registered:
            self._store.replace(client.client_id, registered, now=now)
            uses = self._store.load(client.client_id)
        return find_states(keys, uses)


def _is(state: ClientKeyState, thumbprint: str) -> bool:
    return state.key.public.thumbprint == thumbprint


class _Due:
    """When the next write of each key's use is due, for the keys used last; safe for threads."""

    def __init__(self, size: int) -> None:
        self._due_at: BoundedCache[Signer, int] = BoundedCache(max_entries=size, max_bytes=bytes_for_clients(size))
        self._lock = Lock()

    def take(self, signer: Signer, *, now: int) -> bool:
        """Whether a write is due. If it is, this caller has to make it, and nobody else within an hour."""
        if not self._is_due(signer, now=now):
            return False
        with self._lock:  # only one of several threads gets it
            if not self._is_due(signer, now=now):
                return False
            self.put_off(signer, until=now + HOUR_SECONDS)
            return True

    def put_off(self, signer: Signer, *, until: int) -> None:
        self._due_at.keep(signer, until, weight=SIGNER_BYTES)

    def _is_due(self, signer: Signer, *, now: int) -> bool:
        due_at = self._due_at.get(signer)
        # A time more than an hour ahead means that the clock was set back: then a write is due now.
        return due_at is None or not now < due_at <= now + HOUR_SECONDS
