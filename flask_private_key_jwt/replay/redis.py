"""The replay store in Redis, for processes on several machines.

One Redis, no Cluster: a step concerns several keys, and each has a place of its own. It must not evict
(``maxmemory-policy noeviction``): an evicted mark is a ``jti`` that works twice.

What Redis forgets by itself is noticed: see :data:`_REMEMBER`. Nothing is forgotten with ``appendonly yes`` and
``appendfsync always``; any other Redis loses by a restart what it had not written yet, or everything.
"""

import logging
import secrets
from collections.abc import Sequence
from hashlib import sha1
from typing import Any

from .. import clock
from ..database.batches import BATCH_ROWS, Rest, no_rest
from ..errors import ConfigurationError, StoreUnavailable
from .base import Mark, Replayed, build_digests

log = logging.getLogger("flask_private_key_jwt")

TIMEOUT_SECONDS = 1
"""Longest wait for a connection and for an answer; ``?socket_timeout=`` in the URL changes it."""

_STATE = b"flask_private_key_jwt:replay"
_PREFIX = _STATE + b":"
_KEEP_SECONDS = 60
"""How long Redis holds a mark after its end. The time until then goes by the clock of whoever used it, which may be
ahead: Redis must not forget what counts still by the clocks of the others."""
_FORGOTTEN, _UNSETTLED = -1, -2

# A script runs alone: nobody writes between the look and the write. Expiry goes by the caller's clock, as in
# every store; Redis's own expiry only clears away.
#
# The state says which Redis process the marks are in, and up to when it may have forgotten some. In another process
# than before (restarted, or a replica that took over) or without the state that somebody has seen (emptied), that is
# now; in a Redis that nobody has seen, when it started. Marks that can have been used until then are refused for good;
# what is made after that is not affected. Whoever has seen another epoch than the present one knows that Redis was
# emptied, even if somebody who did not know came first.
_REMEMBER = """
local now, seen, durable, fresh, keep = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local info = redis.pcall('INFO', 'server')
if type(info) == 'table' then info = '' end
local server = string.match(info, 'run_id:(%x+)') or ''
local state = redis.call('HMGET', KEYS[1], 'epoch', 'server', 'durable', 'since', 'created')
local epoch, since, created = state[1], tonumber(state[4] or 0), tonumber(state[5] or 0)
if not epoch or state[2] ~= server then
    if durable == '' then return {-2, '', 0} end
    if not epoch or state[3] ~= '1' or durable ~= '1' then
        local uptime = tonumber(string.match(info, 'uptime_in_seconds:(%d+)') or '')
        if epoch or seen ~= '' then since = now elseif uptime then since = now - uptime + 1 end
        epoch, created = fresh, now
    end
    redis.call('HSET', KEYS[1], 'epoch', epoch, 'server', server, 'durable', durable, 'since', since,
        'created', created)
end
if seen ~= '' and seen ~= epoch and since < created then
    since = created
    redis.call('HSET', KEYS[1], 'since', since)
end
for number = 2, #KEYS do
    local kept_until = redis.call('GET', KEYS[number])
    if kept_until and tonumber(kept_until) >= now then return {number - 1, epoch, since} end
end
for number = 2, #KEYS do
    if since > 0 and tonumber(ARGV[2 * number + 3]) <= since then return {-1, epoch, since} end
end
for number = 2, #KEYS do
    local kept_until = ARGV[2 * number + 2]
    redis.call('SET', KEYS[number], kept_until, 'EX', math.max(tonumber(kept_until) - now, 0) + keep)
end
return {0, epoch, since}
"""
_SHA = sha1(_REMEMBER.encode(), usedforsecurity=False).hexdigest()
"""By which Redis calls the script once it has it."""


class RedisReplayStore:
    """Remembers marks in Redis, all or none in one script.

    :param url: ``redis://``, ``rediss://`` (TLS) or ``unix://``; its query may hold redis-py's own options.
    :raises ConfigurationError: redis-py is not installed, or the URL is malformed.
    """

    def __init__(self, url: str) -> None:
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ModuleNotFoundError:
            raise ConfigurationError(
                "OAUTH2_REPLAY_STORE is in Redis, and redis-py is not installed: "
                "pip install flask-private-key-jwt[redis]"
            ) from None
        from .redis_connections import RedisConnections

        try:
            # No retry: a script whose answer was lost would find its own marks.
            pool = redis.ConnectionPool.from_url(
                url,
                socket_timeout=TIMEOUT_SECONDS,
                socket_connect_timeout=TIMEOUT_SECONDS,
                protocol=2,
                retry=Retry(NoBackoff(), 0),
            )
        except (ValueError, TypeError):
            # The message would quote the URL, password included.
            raise ConfigurationError("OAUTH2_REPLAY_STORE is not a URL that redis-py reads.") from None
        timeout = pool.connection_kwargs["socket_timeout"] or TIMEOUT_SECONDS
        self._connections = RedisConnections(pool, timeout=timeout)
        self._refused, self._has_no_script = redis.ResponseError, redis.exceptions.NoScriptError
        self._seen = b""
        """The epoch of the last answer."""

    def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.base.ReplayStore.remember`."""
        if not marks:
            return
        keys = [_STATE, *(_PREFIX + digest for digest in build_digests(marks))]
        times = [second for mark in marks for second in (mark.until, mark.used_from)]
        try:
            found, since = self._run(keys, times, durable="")
            if found == _UNSETTLED:
                found, since = self._run(keys, times, durable="1" if self._find_durable() else "0")
        except self._refused as error:
            raise StoreUnavailable(f"redis: {type(error).__name__}") from None
        if found == _FORGOTTEN:
            raise StoreUnavailable(f"redis: it may have forgotten what was used up to {since}, and this may be of then")
        if found:
            raise Replayed(marks[found - 1])

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Nothing to do: Redis expires marks by itself."""
        return 0

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def _run(self, keys: Sequence[bytes], times: Sequence[int], *, durable: str) -> tuple[int, int]:
        arguments = [clock.now(), self._seen, durable, secrets.token_hex(8), _KEEP_SECONDS, *times]
        try:
            answer = self._connections.ask("EVALSHA", _SHA, len(keys), *keys, *arguments)
        except self._has_no_script:  # nothing was done
            answer = self._connections.ask("EVAL", _REMEMBER, len(keys), *keys, *arguments)
        found, epoch, since = answer
        self._seen = epoch or self._seen
        return found, since

    def _find_durable(self) -> bool:
        """Whether everything that this Redis confirms outlives it; of what it has from another server nobody knows."""
        settled = (
            b"aof_enabled:1" in self._find("INFO", "persistence")
            and self._find("CONFIG", "GET", "appendfsync")[1:] == [b"always"]
            and b"master_replid2:0000000000000000000000000000000000000000" in self._find("INFO", "replication")
        )
        if not settled:
            log.warning("Redis may forget used jti values in a restart: set appendonly yes and appendfsync always")
        return settled

    def _find(self, *command: str) -> Any:
        try:
            return self._connections.ask(*command)
        except self._refused:  # a managed Redis keeps it to itself
            return b""
