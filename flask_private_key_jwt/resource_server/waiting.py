"""How a guard waits for what is outside its process: the issuer's keys, the issuer's answer, a replay store."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ..replay.base import AsyncReplayStore, Mark, ReplayStore, remember_once
from ..signals.metering import Meter
from ..tokens.verification import AccessToken, IssuerKeys, TokenVerifier
from .online import OnlineCheck

if TYPE_CHECKING:
    from .issuer_metadata import IssuerMetadata


class Waiting(Protocol):
    """What may wait: steps of a guard, and what a document needs; :mod:`.on_loop` has it for event loops."""

    async def verify(self, tokens: TokenVerifier, text: str, keys: IssuerKeys) -> AccessToken:
        """See :meth:`.TokenVerifier.verify`."""

    async def check_online(self, online: OnlineCheck, text: str, token: AccessToken) -> None:
        """See :meth:`.OnlineCheck.check`."""

    async def remember(self, store: ReplayStore | AsyncReplayStore, marks: Sequence[Mark], meter: Meter) -> None:
        """See :func:`.replay.base.remember_once`."""

    async def load_metadata(self, metadata: "IssuerMetadata") -> Mapping[str, Any]:
        """See :meth:`.IssuerMetadata.load`."""


class InThisThread:
    """Blocks the thread of the request, as WSGI does: nothing here makes a coroutine wait."""

    async def verify(self, tokens: TokenVerifier, text: str, keys: IssuerKeys) -> AccessToken:
        """See :meth:`Waiting.verify`."""
        return tokens.verify(text, keys)

    async def check_online(self, online: OnlineCheck, text: str, token: AccessToken) -> None:
        """See :meth:`Waiting.check_online`."""
        online.check(text, token)

    async def remember(self, store: ReplayStore | AsyncReplayStore, marks: Sequence[Mark], meter: Meter) -> None:
        """See :meth:`Waiting.remember`."""
        remember_once(store, marks, meter)

    async def load_metadata(self, metadata: "IssuerMetadata") -> Mapping[str, Any]:
        """See :meth:`Waiting.load_metadata`."""
        return metadata.load()
