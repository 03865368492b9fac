"""The nodes of a Redis Cluster, for threads; ``async_redis_cluster.py`` has them for event loops.

redis-py has a client for clusters, which is not used: it may send a script again whose answer was lost, connects when
it is made, and has no limit for the whole of what it does.
"""

from collections.abc import Collection
from typing import Any

import redis

from .redis_cluster_map import ClusterMap
from .redis_cluster_marks import ClusterMarks
from .redis_connections import AskedByThreads, RedisConnections
from .redis_marks import Ask
from .redis_servers import FixedServer, no_retry, read_options, read_timeout
from .redis_timeout import SHORT
from .redis_urls import Address, ClusterURL, read_url


def open_cluster(url: str, replicas: int) -> tuple["ThreadNodes", ClusterMarks]:
    """The nodes of a cluster, and the marks that they keep.

    :raises ConfigurationError: The URL is malformed.
    """
    cluster = read_url(url)
    assert isinstance(cluster, ClusterURL)
    connection_class, options = read_options(redis.ConnectionPool, cluster.server, no_retry())
    nodes = ThreadNodes(connection_class, options, replicas)
    slots = ClusterMap(cluster.nodes, nodes, timeout=read_timeout(options))
    return nodes, ClusterMarks(slots, replicas=replicas)


class ThreadNodes:
    """See :class:`.redis_cluster_map.Nodes`. Safe for threads and forks."""

    def __init__(self, connection_class: type[Any], options: dict[str, Any], replicas: int) -> None:
        self._connection_class = connection_class
        self._options = options
        self._replicas = replicas
        self._nodes: dict[Address, RedisConnections] = {}

    def find(self, address: Address) -> Ask:
        """See :meth:`.redis_cluster_map.Nodes.find`."""
        return AskedByThreads(self._find(address))

    async def ask_in_short(self, address: Address, *command: Any) -> Any:
        """See :meth:`.redis_cluster_map.Nodes.ask_in_short`."""
        return self._find(address).ask(*command, longest=SHORT * read_timeout(self._options))

    async def keep(self, addresses: Collection[Address]) -> None:
        """See :meth:`.redis_cluster_map.Nodes.keep`."""
        for address in set(self._nodes) - set(addresses):
            if (node := self._nodes.pop(address, None)) is not None:
                node.close()

    def _find(self, address: Address) -> RedisConnections:
        node = self._nodes.get(address)
        if node is None:
            host, port = address
            server = FixedServer(self._connection_class, {**self._options, "host": host, "port": port})
            made = RedisConnections(server, timeout=read_timeout(self._options), replicas=self._replicas)
            node = self._nodes.setdefault(address, made)  # another thread may have been first
        return node
