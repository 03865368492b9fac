"""What the issuer said about tokens a moment ago, so that it is not asked at every request."""

from dataclasses import dataclass

from .. import clock
from ..bounded_cache import BoundedCache
from ..errors import OAuthError

CAPACITY = 2048
"""Most verdicts that a process keeps."""
MAX_BYTES = 1 << 21
"""Their largest total size, in bytes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of asking about one token."""

    since: int
    """When the issuer was asked, in seconds since the epoch."""
    until: float
    """When it must be asked again, in seconds since the epoch."""
    refusal: type[OAuthError] | None = None
    """How to refuse the token; ``None`` if it is active."""
    reason: str = ""
    """The refusal's private reason."""
    cause: str | None = None
    """The code of that reason."""

    def check(self) -> None:
        """Check that the token may be accepted.

        :raises OAuthError: It is not active, or the issuer did not say whether it is.
        """
        if self.refusal is not None:
            # A new exception each time: several threads may share this verdict.
            raise self.refusal(self.reason, cause=self.cause)


class KnownVerdicts:
    """Verdicts by the digest of their token, until they expire; the one used longest ago is dropped first. Safe for
    many threads.

    :param capacity: Most verdicts that are kept.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._verdicts: BoundedCache[str, Verdict] = BoundedCache(max_entries=capacity, max_bytes=MAX_BYTES)

    def find(self, digest: str) -> Verdict | None:
        """The verdict of a token, if there is one that has not expired."""
        verdict = self._verdicts.get(digest)
        # A verdict from the future means that the clock was set back: its age is unknown.
        if verdict is not None and not verdict.since <= clock.now() < verdict.until:
            self._verdicts.drop(digest)
            return None
        return verdict

    def add(self, digest: str, verdict: Verdict) -> None:
        """Keep the verdict of a token, unless it expires at once."""
        if verdict.until > verdict.since:
            self._verdicts.keep(digest, verdict)
