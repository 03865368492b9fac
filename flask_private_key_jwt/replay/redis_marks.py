"""How marks are kept in one Redis: one script, and what its answers mean; for threads and event loops alike.

This notices when Redis may have lost marks: see :data:`_REMEMBER`. With ``appendonly yes`` and ``appendfsync always``
Redis loses nothing; otherwise a restart loses what was not written yet, or everything.
"""

import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Any, Protocol

from redis.exceptions import NoScriptError, ResponseError

from .. import clock
from ..errors import StoreUnavailable
from .base import Mark, Replayed, build_digests

log = logging.getLogger("flask_private_key_jwt")

STATE = b"flask_private_key_jwt:replay"
PREFIX = STATE + b":"
KEEP_SECONDS = 60
"""How long Redis keeps a mark after it expired. The expiry is computed with the clock of one process, which may be
ahead; by the clocks of the other processes the mark may still be needed."""
ACCEPTED, FORGOTTEN, UNSETTLED, TOO_FEW = 0, -1, -2, -3
"""Answers of a script; any other is the number of the mark that was used before."""

READ_INFO = """
local function find(section, pattern)
    local info = redis.pcall('INFO', section)
    if type(info) == 'table' then info = '' end
    return info, string.match(info, pattern) or ''
end
local replication, line = find('replication', 'master_replid:(%x+)')
local replicas = tonumber(string.match(replication, 'connected_slaves:(%d+)') or 0)
if string.find(replication, 'role:master') and replicas < tonumber(ARGV[1]) then return {-3, '', 0, ''} end
"""
"""The first lines of every script. ``line`` names one uninterrupted line of writes: it is another one after a restart,
and after a replica took over. ``ARGV[1]`` says how many replicas a master must have; one that has become a replica
itself refuses the first write, and says so."""

# Redis runs one script at a time: nobody writes between the read and the write. Expiry goes by the caller's clock, as
# in every store; Redis's own expiry only frees memory.
#
# The state key records which line of writes has the marks ("line"), and until which second it may have lost some
# ("since"). If the line changed (a restart, or a replica took over), or if the state is missing although a caller has
# seen one (Redis was emptied), "since" is now. In a Redis that no caller has seen before, it is when Redis started; or
# now, if it took over from another one, whose state it may lack. A mark that can have been used until then is always
# refused; later ones are not affected. A caller that has seen another "epoch" than the current one knows that Redis was
# emptied, even if a caller without that knowledge came first.
#
# Versions that knew no lines compared the process ("server"), which is the same again if a master becomes a replica
# and a master once more. They may share the state with this one.
_REMEMBER = (
    READ_INFO
    + """
local now, seen, durable, fresh, keep = tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local state = redis.call('HMGET', KEYS[1], 'epoch', 'line', 'durable', 'since', 'created', 'server')
local epoch, since, created = state[1], tonumber(state[4] or 0), tonumber(state[5] or 0)
if not epoch or state[2] ~= line then
    local info, server = find('server', 'run_id:(%x+)')
    if epoch and not state[2] and state[6] == server then
        durable = state[3] or '0'
    else
        if durable == '' then return {-2, '', 0, line} end
        if not epoch or state[3] ~= '1' or durable ~= '1' then
            local uptime = tonumber(string.match(info, 'uptime_in_seconds:(%d+)') or '')
            local took_over = string.match(replication, 'master_replid2:0*[1-9a-f]')
            if epoch or seen ~= '' or took_over then since = now elseif uptime then since = now - uptime + 1 end
            epoch, created = fresh, now
        end
    end
    redis.call('HSET', KEYS[1], 'epoch', epoch, 'line', line, 'server', server, 'durable', durable, 'since', since,
        'created', created)
end
if seen ~= '' and seen ~= epoch and since < created then
    since = created
    redis.call('HSET', KEYS[1], 'since', since)
end
for number = 2, #KEYS do
    local kept_until = redis.call('GET', KEYS[number])
    if kept_until and tonumber(kept_until) >= now then return {number - 1, epoch, since, line} end
end
for number = 2, #KEYS do
    if since > 0 and tonumber(ARGV[2 * number + 4]) <= since then return {-1, epoch, since, line} end
end
for number = 2, #KEYS do
    local kept_until = ARGV[2 * number + 3]
    redis.call('SET', KEYS[number], kept_until, 'EX', math.max(tonumber(kept_until) - now, 0) + keep)
end
return {0, epoch, since, line}
"""
)


class Ask(Protocol):
    """How one Redis is asked."""

    async def ask(self, *command: Any) -> Any:
        """Send a command once, and return the answer.

        :raises redis.ResponseError: Redis refuses the command.
        :raises StoreUnavailable: It does not answer.
        """

    async def ask_and_wait(self, is_written: Callable[[Any], bool], *command: Any) -> tuple[Any, bool]:
        """The same, and whether enough replicas have what was written.

        :param is_written: Whether an answer means that something was written.
        """

    def pause(self) -> None:
        """Refuse everything at once until enough replicas confirm."""


def _is_accepted(answer: Any) -> bool:
    return (answer if isinstance(answer, int) else answer[0]) == ACCEPTED


class Script:
    """A script that Redis caches under its name."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._sha = sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, redis: Ask, keys: Sequence[bytes], arguments: Sequence[Any]) -> tuple[Any, bool]:
        """Its answer, and whether enough replicas have what it wrote."""
        try:
            return await redis.ask_and_wait(_is_accepted, "EVALSHA", self._sha, len(keys), *keys, *arguments)
        except NoScriptError:  # Redis did nothing yet
            return await redis.ask_and_wait(_is_accepted, "EVAL", self._text, len(keys), *keys, *arguments)


REMEMBER = Script(_REMEMBER)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a Redis has, as the state key says."""

    epoch: bytes
    since: int
    """Until which second it may have lost marks, in seconds since the epoch; 0: it has lost none."""
    line: bytes
    """Its line of writes."""


class RedisMarks:
    """Remembers marks in one Redis, all or none in one script.

    :param redis: The server that has the marks.
    :param replicas: How many replicas have to confirm a mark, ``OAUTH2_REPLAY_REDIS_REPLICAS``.
    :param seen: The epoch of the last answer.
    """

    def __init__(self, redis: Ask, *, replicas: int = 0, seen: bytes = b"") -> None:
        self._redis = redis
        self._replicas = replicas
        self._seen = seen

    async def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.base.ReplayStore.remember`."""
        if not marks:
            return
        keys = [STATE, *(PREFIX + digest for digest in build_digests(marks))]
        times = [second for mark in marks for second in (mark.until, mark.used_from)]
        try:
            found, settled, is_confirmed = await self._run(keys, times)
        except ResponseError as error:
            raise refused_by_redis(error) from None
        check_found(found, settled.since, marks)
        check_confirmed(is_confirmed, self._redis, self._replicas)

    async def settle(self, state: bytes) -> Settled:
        """Look at a state key, and write it anew if marks may have been lost since.

        :raises redis.ResponseError: Redis refuses that.
        :raises StoreUnavailable: It does not answer, or has too few replicas.
        """
        found, settled, is_confirmed = await self._run([state], [])
        check_found(found, settled.since, ())
        check_confirmed(is_confirmed, self._redis, self._replicas)
        return settled

    async def _run(self, keys: Sequence[bytes], times: Sequence[int]) -> tuple[int, Settled, bool]:
        answer, is_confirmed = await self._run_once(keys, times, durable="")
        if answer[0] == UNSETTLED:
            durable = "1" if await self.find_durable() else "0"
            answer, is_confirmed = await self._run_once(keys, times, durable=durable)
        found, epoch, since, line = answer
        self._seen = epoch or self._seen
        return found, Settled(epoch, since, line), is_confirmed

    async def _run_once(self, keys: Sequence[bytes], times: Sequence[int], *, durable: str) -> tuple[Any, bool]:
        arguments = [self._replicas, clock.now(), self._seen, durable, secrets.token_hex(8), KEEP_SECONDS, *times]
        return await REMEMBER.run(self._redis, keys, arguments)

    async def find_durable(self) -> bool:
        """Whether marks survive a restart of this Redis. False if it took over from another server, whose marks it may
        not have."""
        await self._warn_of_eviction()
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

    async def _warn_of_eviction(self) -> None:
        if await self.find_eviction():
            log.warning(
                "Redis may evict used jti values, which can be used again then: set maxmemory-policy noeviction"
            )

    async def _find(self, *command: str) -> Any:
        try:
            return await self._redis.ask(*command)
        except ResponseError:  # a managed Redis may not allow the command
            return b""


def check_found(found: int, since: int, marks: Sequence[Mark]) -> None:
    """Check the answer of a script.

    :raises Replayed: It found one of the marks.
    :raises StoreUnavailable: It cannot tell.
    """
    if found == ACCEPTED:
        return
    if found == FORGOTTEN:
        raise StoreUnavailable(
            f"redis: it may have forgotten what was used up to {since}, and this may be of then",
            cause="redis_restarted",
        )
    if found == TOO_FEW:
        raise StoreUnavailable(
            "redis: it has fewer replicas than OAUTH2_REPLAY_REDIS_REPLICAS wants", cause="redis_replicas"
        )
    raise Replayed(marks[found - 1])


def check_confirmed(is_confirmed: bool, redis: Ask, replicas: int) -> None:
    """Check that enough replicas have what was written.

    :raises StoreUnavailable: They do not; what was written stays, as long as this Redis has it.
    """
    if not is_confirmed:
        redis.pause()
        raise StoreUnavailable(f"redis: fewer than {replicas} replicas confirmed in time", cause="redis_replicas")


def refused_by_redis(error: ResponseError) -> StoreUnavailable:
    """What a refusal of Redis means. Its first word is a constant such as NOREPLICAS; the rest may quote a command."""
    word = str(error).partition(" ")[0]
    name = f"{type(error).__name__} {word}" if word.isalpha() and word.isupper() else type(error).__name__
    return StoreUnavailable(f"redis: {name}", cause="redis_unavailable")
