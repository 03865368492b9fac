"""Lets instrumentations of redis-py see our commands. They wrap ``redis.Redis.execute_command``, which our connections
do not use: where it is wrapped, each command passes through it."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import redis


def is_instrumented() -> bool:
    """Whether something, such as OpenTelemetry, has wrapped redis-py's client."""
    return hasattr(redis.Redis.execute_command, "__wrapped__")


class OneCommand(redis.Redis):
    """A client for one command over one of our connections.

    :param connection: The connection.
    :param send: Sends the command over it, and returns the answer.
    """

    def __init__(self, connection: Any, send: Callable[..., Any]) -> None:
        address = {name: getattr(connection, name, None) for name in ("host", "port", "db", "path")}
        self.connection_pool: Any = SimpleNamespace(
            connection_kwargs={name: value for name, value in address.items() if value is not None}
        )
        self._send = send

    def __del__(self) -> None:
        """Close nothing: the connection is not of this object."""

    def _execute_command(self, *args: Any, **_: Any) -> Any:
        return self._send(*args)
