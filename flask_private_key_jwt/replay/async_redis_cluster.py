"""The replay store in a Redis Cluster for an event loop; ``redis_cluster_marks.py`` says what is kept where."""

from collections.abc import Collection, Sequence
from typing import Any

from redis.asyncio import ConnectionPool

from ..event_loops.per_loop import PerLoop
from .async_redis import LoopConnections
from .async_redis_servers import AsyncFixedServer, no_retry
from .base import Mark
from .redis_cluster_map import ClusterMap
from .redis_cluster_marks import ClusterMarks
from .redis_marks import Ask
from .redis_servers import read_options, read_timeout
from .redis_timeout import SHORT
from .redis_urls import Address, ClusterURL, read_url


class AsyncRedisClusterReplayStore:
    """Remembers marks in a Redis Cluster, one after the other.

    :param url: As for :class:`.RedisClusterReplayStore`.
    :param replicas: As for :class:`.RedisClusterReplayStore`.
    :raises ConfigurationError: The URL is malformed.
    """

    def __init__(self, url: str, *, replicas: int = 0) -> None:
        cluster = read_url(url)
        assert isinstance(cluster, ClusterURL)
        options = read_options(ConnectionPool, cluster.server, no_retry())
        self._in_loop = PerLoop(lambda: _InLoop(cluster, options, replicas))

    async def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.ClusterMarks.remember`."""
        await self._in_loop.get().marks.remember(marks)

    async def purge(self) -> int:
        """Nothing to do: Redis expires marks by itself."""
        return 0

    async def close(self) -> None:
        """Close the connections of this event loop."""
        await self._in_loop.get().nodes.keep(())


class _InLoop:
    """What one event loop has: connections to the nodes, and what it knows of them."""

    def __init__(self, cluster: ClusterURL, options: tuple[type[Any], dict[str, Any]], replicas: int) -> None:
        self.nodes = _LoopNodes(options, replicas)
        slots = ClusterMap(cluster.nodes, self.nodes, timeout=read_timeout(options[1]))
        self.marks = ClusterMarks(slots, replicas=replicas)


class _LoopNodes:
    """See :class:`.redis_cluster_map.Nodes`."""

    def __init__(self, options: tuple[type[Any], dict[str, Any]], replicas: int) -> None:
        self._connection_class, self._options = options
        self._replicas = replicas
        self._nodes: dict[Address, LoopConnections] = {}

    def find(self, address: Address) -> Ask:
        """See :meth:`.redis_cluster_map.Nodes.find`."""
        return self._find(address)

    async def ask_in_short(self, address: Address, *command: Any) -> Any:
        """See :meth:`.redis_cluster_map.Nodes.ask_in_short`."""
        return await self._find(address).ask(*command, longest=SHORT * read_timeout(self._options))

    async def keep(self, addresses: Collection[Address]) -> None:
        """See :meth:`.redis_cluster_map.Nodes.keep`."""
        for address in self._nodes.keys() - set(addresses):
            if (node := self._nodes.pop(address, None)) is not None:  # another task may have been first
                await node.close()

    def _find(self, address: Address) -> LoopConnections:
        node = self._nodes.get(address)
        if node is None:
            host, port = address
            server = AsyncFixedServer(self._connection_class, {**self._options, "host": host, "port": port})
            node = LoopConnections(server, read_timeout(self._options), replicas=self._replicas)
            self._nodes[address] = node
        return node
