"""How a guard waits for what is outside its process: the issuer's keys, the issuer's answer, a replay store."""

from collections.abc import Sequence
from typing import Protocol

from ..replay.base import AsyncReplayStore, Mark, ReplayStore, remember_once
from ..tokens.verification import AccessToken, IssuerKeys, TokenVerifier
from .online import OnlineCheck


class Waiting(Protocol):
    """The three steps of a guard that may wait; :mod:`.on_loop` has those for an event loop."""

    async def verify(self, tokens: TokenVerifier, text: str, keys: IssuerKeys) -> AccessToken:
        """See :meth:`.TokenVerifier.verify`."""

    async def check_online(self, online: OnlineCheck, text: str, token: AccessToken) -> None:
        """See :meth:`.OnlineCheck.check`."""

    async def remember(self, store: ReplayStore | AsyncReplayStore, marks: Sequence[Mark]) -> None:
        """See :func:`.replay.base.remember_once`."""


class InThisThread:
    """Blocks the thread of the request, as WSGI does: nothing here makes a coroutine wait."""

    async def verify(self, tokens: TokenVerifier, text: str, keys: IssuerKeys) -> AccessToken:
        """See :meth:`Waiting.verify`."""
        return tokens.verify(text, keys)

    async def check_online(self, online: OnlineCheck, text: str, token: AccessToken) -> None:
        """See :meth:`Waiting.check_online`."""
        online.check(text, token)

    async def remember(self, store: ReplayStore | AsyncReplayStore, marks: Sequence[Mark]) -> None:
        """See :meth:`Waiting.remember`."""
        remember_once(store, marks)
