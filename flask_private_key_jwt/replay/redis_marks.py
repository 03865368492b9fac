"""How marks are kept in Redis: one script, and what its answers mean; for threads and event loops alike.

This notices when Redis may have lost marks: see :data:`_REMEMBER`. With ``appendonly yes`` and ``appendfsync always``
Redis loses nothing; otherwise a restart loses what was not written yet, or everything.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha1
from typing import Any

from redis.exceptions import NoScriptError, ResponseError

from .. import clock
from ..errors import StoreUnavailable
from .base import Mark, Replayed, build_digests

log = logging.getLogger("flask_private_key_jwt")

_STATE = b"flask_private_key_jwt:replay"
_PREFIX = _STATE + b":"
_KEEP_SECONDS = 60
"""How long Redis keeps a mark after it expired. The expiry is computed with the clock of one process, which may be
ahead; by the clocks of the other processes the mark may still be needed."""
_FORGOTTEN, _UNSETTLED = -1, -2

# Redis runs one script at a time: nobody writes between the read and the write. Expiry goes by the caller's clock, as
# in every store; Redis's own expiry only frees memory.
#
# The state key records which Redis process has the marks ("server"), and until which second it may have lost some
# ("since"). If the process changed (a restart, or a replica took over), or if the state is missing although a caller
# has seen one (Redis was emptied), "since" is now. In a Redis that no caller has seen before, it is when Redis started.
# A mark that can have been used until then is always refused; later ones are not affected. A caller that has seen
# another "epoch" than the current one knows that Redis was emptied, even if a caller without that knowledge came first.
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
"""The name under which Redis caches the script."""


class RedisMarks:
    """Remembers marks in one Redis, all or none in one script.

    :param ask: Sends a command once, and returns the answer; raises ``redis.ResponseError`` if Redis refuses the
        command, and :class:`StoreUnavailable` if it does not answer.
    """

    def __init__(self, ask: Callable[..., Awaitable[Any]]) -> None:
        self._ask = ask
        self._seen = b""
        """The epoch of the last answer."""

    async def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.base.ReplayStore.remember`."""
        if not marks:
            return
        keys = [_STATE, *(_PREFIX + digest for digest in build_digests(marks))]
        times = [second for mark in marks for second in (mark.until, mark.used_from)]
        try:
            found, since = await self._run(keys, times, durable="")
            if found == _UNSETTLED:
                found, since = await self._run(keys, times, durable="1" if await self.find_durable() else "0")
        except ResponseError as error:
            raise StoreUnavailable(f"redis: {type(error).__name__}", cause="redis_unavailable") from None
        if found == _FORGOTTEN:
            raise StoreUnavailable(
                f"redis: it may have forgotten what was used up to {since}, and this may be of then",
                cause="redis_restarted",
            )
        if found:
            raise Replayed(marks[found - 1])

    async def _run(self, keys: Sequence[bytes], times: Sequence[int], *, durable: str) -> tuple[int, int]:
        arguments = [clock.now(), self._seen, durable, secrets.token_hex(8), _KEEP_SECONDS, *times]
        try:
            answer = await self._ask("EVALSHA", _SHA, len(keys), *keys, *arguments)
        except NoScriptError:  # Redis did nothing yet
            answer = await self._ask("EVAL", _REMEMBER, len(keys), *keys, *arguments)
        found, epoch, since = answer
        self._seen = epoch or self._seen
        return found, since

    async def find_durable(self) -> bool:
        """Whether marks survive a restart of this Redis. False if it took over from another server, whose marks it may
        not have."""
        settled = (
            b"aof_enabled:1" in await self._find("INFO", "persistence")
            and (await self._find("CONFIG", "GET", "appendfsync"))[1:] == [b"always"]
            and b"master_replid2:0000000000000000000000000000000000000000" in await self._find("INFO", "replication")
        )
        if not settled:
            log.warning("Redis may forget used jti values in a restart: set appendonly yes and appendfsync always")
        return settled

    async def find_eviction(self) -> str | None:
        """By which policy Redis drops keys when its memory is full; empty: it drops none. ``None``: it does not say."""
        memory = dict(line.partition(b":")[::2] for line in bytes(await self._find("INFO", "memory")).split())
        policy = memory.get(b"maxmemory_policy")
        if policy is None:
            return None
        return "" if policy == b"noeviction" or memory.get(b"maxmemory") == b"0" else policy.decode("ascii", "replace")

    async def _find(self, *command: str) -> Any:
        try:
            return await self._ask(*command)
        except ResponseError:  # a managed Redis may not allow the command
            return b""
