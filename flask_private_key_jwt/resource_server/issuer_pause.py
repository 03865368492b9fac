"""Leave an issuer that is away alone for a moment, so that not every request waits for it."""

from threading import Lock

from .. import clock

PAUSE_SECONDS = 2
"""How long it is left alone. Then one request asks; the others go on without, until that one has its answer."""


class IssuerPause:
    """Whether to ask the issuer now; safe for many threads."""

    def __init__(self) -> None:
        self._failure: str | None = None
        self._until = 0
        self._answers = 0
        self._lock = Lock()

    @property
    def answers(self) -> int:
        """How many questions were answered so far."""
        return self._answers

    def find_failure(self) -> str | None:
        """Why not to ask now; ``None``: ask, and tell what came of it."""
        now = clock.now()
        with self._lock:
            # An end farther away than any pause is long tells that the clock was set back.
            if self._failure is not None and now < self._until <= now + PAUSE_SECONDS:
                return self._failure
            if self._failure is not None:
                self._until = now + PAUSE_SECONDS
            return None

    def note_answer(self) -> None:
        """A question was answered: everybody may ask."""
        with self._lock:
            self._answers += 1
            self._failure = None

    def note_failure(self, failure: str, *, answers: int) -> None:
        """A question was not answered.

        :param failure: Why not, for the log.
        :param answers: :attr:`answers` before it was asked. An issuer that has answered others since is not away.
        """
        with self._lock:
            if self._answers == answers:
                self._failure, self._until = failure, clock.now() + PAUSE_SECONDS
