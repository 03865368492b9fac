"""How marks are kept in a Redis Cluster: spread over all its slots, each in a script of its own.

Marks in two slots cannot be one atomic step. They are remembered in the order in which they are given, until one is
refused: those before it are spent, those after it are not. Nothing is ever accepted twice.

What a node may have lost is known of the node, not of each slot: see ``redis_marks.py`` for the state key. It lies in
one slot of the node, its home. A mark is written only if the node's line of writes is the one whose state the caller
has seen, and the slot has seen the same epoch: a node that restarted, took over or was emptied is looked at first. Each
process looks at it once a second in any case, because another one may have found out that the node was emptied.
"""

from collections.abc import Sequence
from functools import partial
from time import monotonic

from redis.exceptions import ResponseError

from .. import clock
from ..errors import StoreUnavailable
from .base import Mark, build_digests
from .redis_cluster_map import ClusterMap, build_tag
from .redis_marks import (
    KEEP_SECONDS,
    PREFIX,
    READ_INFO,
    UNSETTLED,
    Ask,
    RedisMarks,
    Script,
    Settled,
    check_confirmed,
    check_found,
    refused_by_redis,
)
from .redis_timeout import LOOK_SECONDS
from .redis_urls import Address

_REMEMBER_ONE = Script(
    READ_INFO
    + """
local now, known_line, epoch, since, is_new = tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local keep, kept_until, used_from = tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9])
if line ~= known_line then return -2 end
if redis.call('GET', KEYS[1]) ~= epoch then
    if is_new == '' then return -2 end
    redis.call('SET', KEYS[1], epoch)
end
local found = redis.call('GET', KEYS[2])
if found and tonumber(found) >= now then return 1 end
if since > 0 and used_from <= since then return -1 end
redis.call('SET', KEYS[2], kept_until, 'EX', math.max(tonumber(kept_until) - now, 0) + keep)
return 0
"""
)
_MOST_TRIES = 3
"""How often a mark is tried while its node is emptied or restarted between two questions."""


class ClusterMarks:
    """Remembers marks in a cluster, one after the other.

    :param nodes: Where each slot is.
    :param replicas: How many replicas of a node have to confirm a mark, ``OAUTH2_REPLAY_REDIS_REPLICAS``.
    """

    def __init__(self, nodes: ClusterMap, *, replicas: int = 0) -> None:
        self._nodes = nodes
        self._replicas = replicas
        self._settled: dict[Address, tuple[Settled, float]] = {}
        """What each node has, and when it was looked at by ``time.monotonic``."""

    async def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.base.ReplayStore.remember`; not in one step, but one mark after the other.

        :raises Replayed: As there. The marks before the refused one were recorded.
        :raises StoreUnavailable: As there. The marks before the refused one were recorded.
        """
        for mark, digest in zip(marks, build_digests(marks), strict=True):
            tag = build_tag(int.from_bytes(digest[:2], "big"))
            try:
                await self._nodes.at(tag, partial(self._remember_at, mark, digest, tag))
            except ResponseError as error:
                raise refused_by_redis(error) from None

    async def _remember_at(self, mark: Mark, digest: bytes, tag: bytes, address: Address, node: Ask) -> None:
        settled, looked_at = self._settled.get(address, (None, 0.0))
        is_new = ""
        if monotonic() >= looked_at + LOOK_SECONDS:
            settled = None
        slot = PREFIX + b"{%b}:" % tag
        for _ in range(_MOST_TRIES):
            if settled is None:
                settled, is_new = await self._settle(address, node), "1"
            arguments = [
                *(self._replicas, clock.now(), settled.line, settled.epoch, settled.since, is_new),
                *(KEEP_SECONDS, mark.until, mark.used_from),
            ]
            answer, is_confirmed = await _REMEMBER_ONE.run(node, [slot + b"epoch", slot + digest], arguments)
            found = answer if isinstance(answer, int) else answer[0]
            if found != UNSETTLED:
                check_found(found, settled.since, [mark])
                check_confirmed(is_confirmed, node, self._replicas)
                return
            settled = None
        raise StoreUnavailable(
            "redis: a node of the cluster changes faster than it can be asked", cause="redis_unavailable"
        )

    async def _settle(self, address: Address, node: Ask) -> Settled:
        known = self._settled.get(address)
        marks = RedisMarks(node, replicas=self._replicas, seen=known[0].epoch if known else b"")
        settled = await marks.settle(PREFIX + b"{%b}" % self._nodes.home(address))
        self._settled[address] = (settled, monotonic())
        return settled
