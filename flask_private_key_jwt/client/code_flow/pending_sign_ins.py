"""The sign-ins of one browser whose answers are not there yet: several tabs may be on their way at once."""

import contextlib
from collections.abc import Mapping, MutableMapping
from typing import Any

from ...errors import ConfigurationError
from ..errors import SignInError
from .answer import SignInAnswer, read_answer
from .pending import PendingSignIn

LARGEST = 5
"""How many sign-ins one browser may have under way: a cookie has room for no more."""


class PendingSignIns:
    """Keeps pending sign-ins in a browser's session, each under its ``state``; of too many, the newest.

    Flask's own session will do: whoever has a browser's cookie still needs the code that only this browser gets.

    :param session: The session of one browser: a mapping whose values can hold JSON.
    :param name: The name to use in it.
    """

    def __init__(self, session: MutableMapping[str, Any], name: str = "sign_ins") -> None:
        self._session = session
        self._name = name

    def add(self, pending: PendingSignIn) -> None:
        """Keep a sign-in until its answer comes."""
        kept = {state: other for state, other in self._load().items() if not other.is_over}
        newest = sorted(kept.values(), key=lambda other: other.started_at)[-(LARGEST - 1) :]
        self._save({other.state: other for other in (*newest, pending)})

    def take(self, answer: SignInAnswer) -> PendingSignIn:
        """The sign-in that *answer* is for. It is removed, so the same answer counts once.

        :raises SignInError: This browser has none with that ``state``, or the answer cannot be read.
        """
        state = read_answer(answer).get("state")
        kept = self._load()
        pending = kept.pop(state or "", None)
        if pending is None:
            raise SignInError(
                "This browser waits for no such answer: it was used before, is too old, or belongs to another browser. "
                "Sign in once more.",
                cause="sign_in_unknown",
            )
        self._save(kept)
        return pending

    def _load(self) -> dict[str, PendingSignIn]:
        kept = self._session.get(self._name)
        found = {}
        for state, entry in (kept if isinstance(kept, Mapping) else {}).items():
            with contextlib.suppress(ConfigurationError):  # from another version of the program, for example
                found[state] = PendingSignIn.from_json(entry)
        return found

    def _save(self, kept: Mapping[str, PendingSignIn]) -> None:
        # A new object each time: a session notices that it was assigned, not what changes inside.
        if kept:
            self._session[self._name] = {state: pending.to_json() for state, pending in kept.items()}
        else:
            self._session.pop(self._name, None)
