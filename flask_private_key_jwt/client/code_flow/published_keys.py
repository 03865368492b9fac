"""The keys that an issuer signs ID tokens with: fetched at first use, and again for a ``kid`` that is not known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ... import clock
from ...fetching.steps import Shared, Steps
from ...jose import jose

REFETCH_SECONDS = 30
"""Shortest time between two fetches, in seconds: else every token with an invented ``kid`` would cause one."""
FRESH_SECONDS = 3600
"""How long keys are used without asking again, in seconds; after that a key that the issuer withdrew is unknown."""


@dataclass(frozen=True, slots=True)
class _Fetched:
    keys: tuple[jose.PublicKey, ...]
    at: int


class PublishedKeys:
    """Keeps the keys of one issuer; safe to share between threads, and between event loops.

    :param fetch: Gets the keys; raises ``DiscoveryError`` if the server does not answer.
    """

    def __init__(self, fetch: Callable[[], Steps[tuple[jose.PublicKey, ...]]]) -> None:
        self._fetch = fetch
        self._fetched: _Fetched | None = None

    def candidates(self, kid: str | None) -> Steps[Sequence[jose.PublicKey]]:
        """The keys that may have signed a JWT with this ``kid``; all of them for ``None`` (RFC 7515 §4.1.4).

        :raises DiscoveryError: They cannot be fetched.
        """
        known = self._fetched
        if known is None or clock.is_over(known.at + FRESH_SECONDS):
            known = yield Shared("id_token keys", self._renew)
        found = _find(known, kid)
        if not found and clock.is_over(known.at + REFETCH_SECONDS):
            known = yield Shared("id_token keys", self._renew)
            found = _find(known, kid)
        return found

    def _renew(self) -> Steps[_Fetched]:
        keys = yield from self._fetch()
        self._fetched = fetched = _Fetched(keys, clock.now())
        return fetched


def _find(fetched: _Fetched, kid: str | None) -> Sequence[jose.PublicKey]:
    return fetched.keys if kid is None else [key for key in fetched.keys if key.kid == kid]
