"""An answer counts once: a server that gets a code twice revokes everything that came of it (RFC 6749 §4.1.2)."""

from collections import OrderedDict
from hashlib import sha256
from threading import Lock

from ... import clock
from ..errors import SignInError
from .pending import LIFETIME_SECONDS, PendingSignIn

MOST_FINISHED = 10_000


class FinishedSignIns:
    """Which sign-ins of this process have been finished, as long as their answers could come again."""

    def __init__(self) -> None:
        self._until: OrderedDict[bytes, int] = OrderedDict()
        self._lock = Lock()

    def add(self, pending: PendingSignIn) -> None:
        """Note that the code of a sign-in is used now.

        :raises SignInError: It was used before.
        """
        key = sha256(pending.state.encode()).digest()
        with self._lock:
            if key in self._until:
                raise SignInError(
                    "This answer was used before: the page was loaded twice, for example.", cause="sign_in_used"
                )
            self._until[key] = pending.started_at + LIFETIME_SECONDS
            while len(self._until) > MOST_FINISHED or clock.is_over(next(iter(self._until.values()))):
                self._until.popitem(last=False)
