"""The replay store in Redis, for processes on several machines.

Redis must not evict (``maxmemory-policy noeviction``): an evicted mark is a ``jti`` that works twice.
"""

from collections.abc import Sequence
from typing import Any, Self

from .. import clock
from ..errors import ConfigurationError, StoreUnavailable
from .base import BATCH_ROWS, Mark, Replayed, Rest, build_digests, no_rest

TIMEOUT_SECONDS = 1
"""Longest wait for a connection and for an answer; ``?socket_timeout=`` in the URL changes it."""

_PREFIX = b"flask_private_key_jwt:replay:"

# A script runs alone: nobody writes between the look and the write. Expiry goes by the caller's clock, as in
# every store; Redis's own expiry only clears away.
_REMEMBER = """
local now = tonumber(ARGV[1])
for number, key in ipairs(KEYS) do
    local kept_until = redis.call('GET', key)
    if kept_until and tonumber(kept_until) >= now then return number end
end
for number, key in ipairs(KEYS) do
    local kept_until = ARGV[number + 1]
    redis.call('SET', key, kept_until, 'EX', math.max(tonumber(kept_until) - now, 0) + 1)
end
return 0
"""


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
        try:
            # No retry: a script whose answer was lost would find its own marks.
            self._redis: Any = redis.Redis.from_url(
                url,
                socket_timeout=TIMEOUT_SECONDS,
                socket_connect_timeout=TIMEOUT_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )
        except (ValueError, TypeError):
            # The message would quote the URL, password included.
            raise ConfigurationError("OAUTH2_REPLAY_STORE is not a URL that redis-py reads.") from None
        self._error = redis.RedisError
        self._script = self._redis.register_script(_REMEMBER)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """The same as the constructor, by the name every store with a URL has."""
        return cls(url)

    def remember(self, marks: Sequence[Mark]) -> None:
        """See :meth:`.base.ReplayStore.remember`."""
        if not marks:
            return
        keys = [_PREFIX + digest for digest in build_digests(marks)]
        try:
            found = self._script(keys=keys, args=[clock.now(), *(mark.until for mark in marks)])
        except self._error as error:
            raise StoreUnavailable(f"redis: {type(error).__name__}") from None
        if found:
            raise Replayed(marks[found - 1])

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Nothing to do: Redis expires marks by itself."""
        return 0

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()
