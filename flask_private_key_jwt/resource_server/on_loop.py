"""How a guard waits in an event loop, without stopping it.

The checks need the processor only, for less time than it takes to hand them to a thread, so they run in the loop. What
has to wait is awaited, or runs in a few threads: the issuer is asked with the same code as in Flask, in threads of its
own, so that an issuer that does not answer takes no thread from a store.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ..event_loops.threads import Threads
from ..fetching.loop_flight import LoopFlights
from ..replay.base import AsyncReplayStore, Mark, ReplayStore, check_returned, measured
from ..signals.metering import Meter
from ..tokens.verification import AccessToken, IssuerKeys, TokenVerifier
from ..tokens.verified_tokens import Keys
from .issuer_keys import PATIENCE_SECONDS, FetchedKeys
from .issuer_metadata import IssuerMetadata
from .online import OnlineCheck, name_token


class OnTheLoop:
    """Waits for an issuer in threads, and for a store as the store does; see :class:`.waiting.Waiting`."""

    def __init__(self) -> None:
        self._threads = Threads("oauth2-issuer")
        self._flights = LoopFlights()

    async def verify(self, tokens: TokenVerifier, text: str, keys: IssuerKeys) -> AccessToken:
        """See :meth:`.waiting.Waiting.verify`. The token is checked again after keys were fetched for it."""
        assert isinstance(keys, FetchedKeys)  # without Flask there is no authorization server in the same app
        known = _KnownKeys(keys.find_fresh())
        while True:
            try:
                return tokens.verify(text, known)
            except _NoKeys:
                known = _KnownKeys(await self._load(keys))
            except _NoSuchKey as missing:
                known = _KnownKeys(await self._load_newer(keys, missing.known), are_newest=True)

    async def check_online(self, online: OnlineCheck, text: str, token: AccessToken) -> None:
        """See :meth:`.waiting.Waiting.check_online`."""
        name = name_token(text)
        verdict = online.find(name)
        if verdict is None:
            verdict = await self._flights.run(name, lambda: self._threads.run(online.ask, name, text, token))
        verdict.check()

    async def remember(self, store: ReplayStore | AsyncReplayStore, marks: Sequence[Mark], meter: Meter) -> None:
        """See :meth:`.waiting.Waiting.remember`."""
        with measured(meter):
            returned = cast(object, await cast(AsyncReplayStore, store).remember(marks))
        check_returned(store, returned)

    async def load_metadata(self, metadata: IssuerMetadata) -> Mapping[str, Any]:
        """See :meth:`.waiting.Waiting.load_metadata`."""
        if (document := metadata.find_fresh()) is not None:
            return document
        return await self._flights.run("metadata", lambda: self._threads.run(metadata.load))

    async def _load(self, keys: FetchedKeys) -> Keys:
        # As for threads: one fetches, and the others use the old keys meanwhile; if there are none, they wait.
        if self._flights.is_under_way("keys") and (old := keys.find_stale()) is not None:
            return old
        return await self._flights.run("keys", lambda: self._threads.run(keys.load))

    async def _load_newer(self, keys: FetchedKeys, known: Keys) -> Keys:
        is_joining = self._flights.is_under_way("newer keys")
        if not is_joining and not keys.may_refetch(known):  # anyone can invent a kid: usually it costs no thread
            return keys.find_stale() or known
        try:
            async with asyncio.timeout(PATIENCE_SECONDS if is_joining else None):
                return await self._flights.run("newer keys", lambda: self._threads.run(keys.load_newer, known))
        except TimeoutError:
            return known


class _NoKeys(Exception):
    """The issuer's keys are not known, or have to be fetched again."""


class _NoSuchKey(Exception):
    """The issuer may have newer keys than those that are known."""

    def __init__(self, known: Keys) -> None:
        super().__init__()
        self.known = known


class _KnownKeys:
    """Keys that need no waiting; if they are not enough, that is raised, and what is missing can be awaited."""

    def __init__(self, keys: Keys | None, *, are_newest: bool = False) -> None:
        self._keys = keys
        self._are_newest = are_newest

    def load(self) -> Keys:
        """See :meth:`.verification.IssuerKeys.load`."""
        if self._keys is None:
            raise _NoKeys
        return self._keys

    def load_newer(self, known: Keys) -> Keys:
        """See :meth:`.verification.IssuerKeys.load_newer`."""
        if self._are_newest:
            return known
        raise _NoSuchKey(known)
