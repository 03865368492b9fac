"""After a failure, do not ask the issuer for a moment, so that not every request waits for it."""

from threading import Lock

from .. import clock

PAUSE_SECONDS = 2
"""How long it is not asked. Then one request asks; the others are refused until that request has its answer."""


class IssuerPause:
    """Whether to ask the issuer now; safe for many threads."""

    def __init__(self) -> None:
        self._failure: str | None = None
        self._until = 0
        self._answers = 0
        self._lock = Lock()

    @property
    def answers(self) -> int:
        """How many questions the issuer has answered so far."""
        return self._answers

    def find_failure(self) -> str | None:
        """Why not to ask now. ``None``: ask, then call :meth:`note_answer` or :meth:`note_failure`."""
        now = clock.now()
        with self._lock:
            # If the end is further away than a pause is long, the clock was set back.
            if self._failure is not None and now < self._until <= now + PAUSE_SECONDS:
                return self._failure
            if self._failure is not None:
                self._until = now + PAUSE_SECONDS
            return None

    def note_answer(self) -> None:
        """The issuer answered: every request may ask again."""
        with self._lock:
            self._answers += 1
            self._failure = None

    def note_failure(self, failure: str, *, answers: int) -> None:
        """The issuer did not answer.

        :param failure: Why not, for the log.
        :param answers: :attr:`answers` before the question. If the issuer answered others meanwhile, no pause begins.
        """
        with self._lock:
            if self._answers == answers:
                self._failure, self._until = failure, clock.now() + PAUSE_SECONDS
