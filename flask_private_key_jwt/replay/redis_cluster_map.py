"""Which node of a Redis Cluster serves which slot; for threads and event loops alike."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from random import sample
from time import monotonic
from typing import Any, Protocol, TypeVar

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import ClusterDownError, MovedError, ResponseError

from ..errors import StoreUnavailable
from .redis_marks import Ask
from .redis_timeout import LOOK_SECONDS
from .redis_urls import Address

T = TypeVar("T")

MOST_MOVES = 5
"""How often one command is sent on to another node. A node that sends it on has done nothing."""
DOUBT_SECONDS = 0.1
"""How often the map is read, at most, while a node does not answer."""
TAGS = 1 << 16


def build_tag(number: int) -> bytes:
    """A hash tag: four letters, the hexadecimal digits of a number below :data:`TAGS` as ``@``, ``A`` … ``O``.

    These tags lie evenly in all slots, four in each: CRC16 keeps 16 bits apart that are all that differs.
    """
    return bytes(0x40 + (number >> shift & 15) for shift in (12, 8, 4, 0))


class Nodes(Protocol):
    """The nodes of a cluster, each with connections of its own."""

    def find(self, address: Address) -> Ask:
        """The node at an address."""

    async def ask_in_short(self, address: Address, *command: Any) -> Any:
        """Ask a node as :meth:`.Ask.ask` does, with less time for the answer."""

    async def keep(self, addresses: Collection[Address]) -> None:
        """Close the connections to all other nodes."""


class ClusterMap:
    """Finds the node of a slot. It asks the cluster when a node does not answer or sends a command elsewhere, and once
    a second in any case: a master that was replaced may not know it, and go on answering.

    :param seeds: Nodes to ask first.
    :param nodes: How nodes are asked.
    :param timeout: Longest wait for an answer, in seconds; no other node is asked for the map after it.
    """

    def __init__(self, seeds: Sequence[Address], nodes: Nodes, *, timeout: float) -> None:
        self._timeout = timeout
        self._seeds = seeds
        self._nodes = nodes
        self._slots: list[Address | None] = []
        self._homes: dict[Address, bytes] = {}
        self._read_at = 0.0
        """When it was read last, by ``time.monotonic``."""
        self._due_at = 0.0
        self._best: Address | None = None
        """The node to ask first, because another one has sent a command there."""

    async def at(self, tag: bytes, do: Callable[[Address, Ask], Awaitable[T]]) -> T:
        """Do something at the node that serves the slot of a tag; once more where it is sent on to another node.

        :raises redis.ResponseError: The node refuses it.
        :raises StoreUnavailable: The node does not answer, or no node serves the slot.
        """
        slot = key_slot(tag)
        for _ in range(MOST_MOVES):
            address = await self._find(slot)
            try:
                return await do(address, self._nodes.find(address))
            except MovedError as moved:
                self._best = (moved.host or address[0], moved.port)
                self._due_at = 0.0
            except (StoreUnavailable, ClusterDownError):
                self._doubt()
                raise
        raise StoreUnavailable("redis: the nodes do not agree where a slot is", cause="redis_unavailable")

    def home(self, address: Address) -> bytes:
        """The tag whose slot has what a node knows of itself: the first one that it serves.

        :raises StoreUnavailable: It has lost its slots meanwhile.
        """
        homes, slots = self._homes, self._slots  # in this order: another thread may read the map anew meanwhile
        if address not in homes:
            served = (tag for tag in map(build_tag, range(TAGS)) if slots[key_slot(tag)] == address)
            tag = next(served, None)
            if tag is None:
                raise StoreUnavailable("redis: a node of the cluster has lost its slots", cause="redis_unavailable")
            homes[address] = tag
        return homes[address]

    async def _find(self, slot: int) -> Address:
        if not self._slots:
            await self._read()
        elif monotonic() >= self._due_at:
            await self._read(asked_last=self._slots[slot])
        address = self._slots[slot]
        if address is None:
            self._doubt()
            raise StoreUnavailable("redis: no node of the cluster serves the slot", cause="redis_unavailable")
        return address

    def _doubt(self) -> None:
        self._due_at = min(self._due_at, self._read_at + DOUBT_SECONDS)

    async def _read(self, *, asked_last: Address | None = None) -> None:
        """Ask one node after the other until one answers.

        :param asked_last: The node that is to be used: the others know better whether it is still a master.
        """
        started = monotonic()
        self._due_at = started + self._timeout  # one thread or task asks for all
        best, self._best = self._best, None
        known = {address for address in self._slots if address is not None}
        others = [*sample(sorted(known - {asked_last}), len(known - {asked_last})), *self._seeds]
        others += [] if asked_last is None else [asked_last]
        refused = StoreUnavailable("redis: no node of the cluster answers", cause="redis_unavailable")
        for address in [*([best] if best else []), *others]:
            if monotonic() - started > self._timeout:
                break
            try:
                rows = await self._nodes.ask_in_short(address, "CLUSTER", "SLOTS")
            except StoreUnavailable as error:
                refused = error
                continue
            except ResponseError as error:
                refused = StoreUnavailable(f"redis: {type(error).__name__}", cause="redis_unavailable")
                continue
            self._slots, self._homes = _read_rows(rows, address), {}
            await self._nodes.keep({address for address in self._slots if address is not None})
            self._read_at = monotonic()
            self._due_at = self._read_at + LOOK_SECONDS
            return
        self._due_at = 0.0
        raise refused


def _read_rows(rows: Any, asked: Address) -> list[Address | None]:
    """The master of each slot, from the answer to ``CLUSTER SLOTS``."""
    slots: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
    for first, last, (host, port, *_), *_ in rows:
        # A node that does not know its own address says nothing, and means the one that was asked.
        address = (host.decode() if host and host != b"?" else asked[0], int(port))
        slots[first : last + 1] = [address] * (last + 1 - first)
    return slots
