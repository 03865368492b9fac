"""What the issuer said of tokens a moment ago, so that it is not asked at every request."""

from dataclasses import dataclass

from .. import clock
from ..bounded_cache import BoundedCache
from ..errors import OAuthError

CAPACITY = 2048
"""Most tokens whose verdicts a process keeps."""
MAX_BYTES = 1 << 21
"""What they may take together."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of asking about one token."""

    since: int
    """When the question was asked, in seconds since the epoch."""
    until: float
    """When it has to be asked anew, in seconds since the epoch."""
    refusal: type[OAuthError] | None = None
    """Why the token opens nothing; ``None``: it counts."""
    reason: str = ""
    """The refusal's private reason."""
    cause: str | None = None
    """The code of that reason."""

    def check(self) -> None:
        """Let the token pass.

        :raises OAuthError: It does not count, or nobody knows whether it does.
        """
        if self.refusal is not None:
            raise self.refusal(
                self.reason, cause=self.cause
            )  # a new one each time: several threads may share this verdict


class KnownVerdicts:
    """Verdicts by the digest of their token, while they last; least recently used out. Safe for many threads.

    :param capacity: Most verdicts that are kept.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._verdicts: BoundedCache[str, Verdict] = BoundedCache(max_entries=capacity, max_bytes=MAX_BYTES)

    def find(self, digest: str) -> Verdict | None:
        """The verdict of a token, if there is one that lasts."""
        verdict = self._verdicts.get(digest)
        # One of the future tells that the clock was set back: nobody knows how old it is.
        if verdict is not None and not verdict.since <= clock.now() < verdict.until:
            self._verdicts.drop(digest)
            return None
        return verdict

    def add(self, digest: str, verdict: Verdict) -> None:
        """Keep the verdict of a token."""
        if verdict.until > verdict.since:
            self._verdicts.keep(digest, verdict)
