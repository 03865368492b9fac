"""Notes which keys of the clients sign, for those who rotate them: a row is written at most once an hour for each key.

A request normally pays a look into a dict. Once an hour for each key, in each process, one reads what the database
knows; the process that finds the hour over writes it down. The first use of a client's day is also when the log hears
of certificates that end and keys that wait: no thread and no timer for what only matters while the client comes.
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
"""How long a process leaves a store alone that has failed: it must not slow down every request."""
AWAY_SECONDS = 90 * DAY_SECONDS
"""After what time a client that is not registered here is taken to have gone."""

Signer = tuple[str, str]
"""A client's version and a key's thumbprint: a changed registration is looked at anew."""


class ClientKeyUse:
    """What is known of the use of clients' keys; safe for threads.

    :param store: Where it is kept for all processes.
    :param keys: Finds the keys of a client.
    :param size: Most keys whose last note this process remembers.
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
            # The token does not depend on it.
            log.warning("the use of a key of client %r is not recorded: %s", client.client_id, problem.reason)
            due_at = now + RETRY_SECONDS
        self._due.put_off(signer, until=due_at)

    def describe(self, client: RegisteredClient) -> tuple[ClientKeyState, ...]:
        """Every usable key of *client*, with what is known of it.

        :raises StoreUnavailable: The store did not answer.
        :raises DocumentUnavailable: Its ``jwks_uri`` cannot be had.
        """
        return find_states(self._keys.all(client), self._store.load(client.client_id))

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Forget the keys of clients that were never registered and have stayed away; returns how many.

        :raises StoreUnavailable: The store did not answer.
        """
        return self._store.purge(not_after=clock.now() - AWAY_SECONDS, batch=batch, rest=rest)

    def _record(self, client: RegisteredClient, thumbprint: str, *, now: int) -> int:
        """Write the use down, unless another process has within the hour; returns when it is due again."""
        states = self._bring_in_line(client, thumbprint, now=now)
        last = max((state.last_used_at or 0 for state in states if _is(state, thumbprint)), default=0)
        if last > now - HOUR_SECONDS:
            return min(last, now) + HOUR_SECONDS  # another worker's clock may be ahead
        written = self._store.mark_used(client.client_id, thumbprint, now=now, not_after=now - HOUR_SECONDS)
        # One process writes the first use of a day, so one speaks.
        if written and not any((state.last_used_at or 0) // DAY_SECONDS == now // DAY_SECONDS for state in states):
            used = [replace(state, last_used_at=now) if _is(state, thumbprint) else state for state in states]
            for warning in find_warnings(used, now=now):
                log.warning("client %r: %s", client.client_id, warning)
        return now + HOUR_SECONDS

    def _bring_in_line(self, client: RegisteredClient, thumbprint: str, *, now: int) -> tuple[ClientKeyState, ...]:
        """The states of the client's keys, after telling the store of keys that came or went without the registry.

        Those behind a ``jwks_uri`` do, and those an application writes with a session of its own.
        """
        keys, uses = self._keys.all(client), self._store.load(client.client_id)
        registered = {key.public.thumbprint for key in keys}
        # The registration may have changed while the request was on its way: only a set with its key in it is news.
        if uses.keys() != registered and thumbprint in registered:
            self._store.replace(client.client_id, registered, now=now)
            uses = self._store.load(client.client_id)
        return find_states(keys, uses)


def _is(state: ClientKeyState, thumbprint: str) -> bool:
    return state.key.public.thumbprint == thumbprint


class _Due:
    """When each key's use is to be written next, for the keys used last; safe for threads."""

    def __init__(self, size: int) -> None:
        self._due_at: BoundedCache[Signer, int] = BoundedCache(max_entries=size, max_bytes=bytes_for_clients(size))
        self._lock = Lock()

    def take(self, signer: Signer, *, now: int) -> bool:
        """Whether it is due; then it is this caller's, and nobody else's for an hour."""
        if not self._is_due(signer, now=now):
            return False
        with self._lock:  # of several threads one has it
            if not self._is_due(signer, now=now):
                return False
            self.put_off(signer, until=now + HOUR_SECONDS)
            return True

    def put_off(self, signer: Signer, *, until: int) -> None:
        self._due_at.keep(signer, until)

    def _is_due(self, signer: Signer, *, now: int) -> bool:
        due_at = self._due_at.get(signer)
        # Not further ahead than it can be: a clock that was set back must not silence it for longer.
        return due_at is None or not now < due_at <= now + HOUR_SECONDS
